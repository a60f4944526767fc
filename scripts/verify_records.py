"""Checks every record of a folder."""

from electra_tf.cli.records import verify_records

if __name__ == "__main__":
    verify_records()
