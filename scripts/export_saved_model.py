"""Exports a pre-trained model as a SavedModel that serves by itself."""

from electra_tf.cli.export_saved_model import entry

if __name__ == "__main__":
    entry()
