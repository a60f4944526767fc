"""Exports a pre-trained model as a SavedModel that serves by itself."""

from electra_tf.cli.export_saved_model import export_saved_model

if __name__ == "__main__":
    export_saved_model()
