"""Writes a run's weights alone, as from_pretrained reads them."""

from electra_tf.cli.export_weights import entry

if __name__ == "__main__":
    entry()
