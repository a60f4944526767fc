"""Fine-tunes on GLUE, SQuAD, tags, tables: see electra_tf/cli/finetune.py."""

from electra_tf.cli.finetune import entry

if __name__ == "__main__":
    entry()
