"""Ranks candidate sentences by a model's scores: --help for the format."""

from electra_tf.cli.weights import score_text

if __name__ == "__main__":
    score_text()
