"""Text to records: see electra_tf/cli/build_pretraining_data.py."""

from electra_tf.cli.build_pretraining_data import entry

if __name__ == "__main__":
    entry()
