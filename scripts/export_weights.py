"""The old name of `convert_weights.py --to=electra_tf`."""

from electra_tf.cli.app import fail

if __name__ == "__main__":
    fail("export_weights.py is now convert_weights.py --to=electra_tf")
