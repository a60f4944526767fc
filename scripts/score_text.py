"""Ranks candidate sentences by an Electric: --help for the format."""

from electra_tf.cli.weights import score_text

if __name__ == "__main__":
    score_text()
