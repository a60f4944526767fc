"""Evaluates a model on BLiMP or other minimal pairs: --help for the formats."""

from electra_tf.cli.acceptability import evaluate_acceptability

if __name__ == "__main__":
    evaluate_acceptability()
