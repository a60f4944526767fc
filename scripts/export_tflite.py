"""The old name of `export_saved_model.py --format=litert`."""

from electra_tf.cli.app import fail

if __name__ == "__main__":
    fail("export_tflite.py is now export_saved_model.py --format=litert")
