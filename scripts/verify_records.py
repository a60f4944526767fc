"""Checks every record of a folder: see electra_tf/cli/verify_records.py."""

from electra_tf.cli.verify_records import entry

if __name__ == "__main__":
    entry()
