"""Writes a discriminator as a LiteRT (TF Lite) file."""

from electra_tf.cli.export_tflite import entry

if __name__ == "__main__":
    entry()
