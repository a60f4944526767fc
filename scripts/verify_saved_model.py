"""Compares a SavedModel's answers with those of the Keras model."""

from electra_tf.cli.verify_saved_model import entry

if __name__ == "__main__":
    entry()
