"""Fine-tunes on GLUE, SQuAD, tags, tables: see electra_tf/cli/finetune.py."""

from electra_tf.cli.finetune import finetune

if __name__ == "__main__":
    finetune()
