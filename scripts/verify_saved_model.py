"""Does an export answer as its model did? verify_saved_model.py served/1."""

from electra_tf.cli.export_saved_model import verify_saved_model

if __name__ == "__main__":
    verify_saved_model()
