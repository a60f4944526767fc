"""Writes a run's weights alone, as from_pretrained reads them."""

from electra_tf.cli.export_weights import export_weights

if __name__ == "__main__":
    export_weights()
