"""Weights of any format to another: see electra_tf/cli/weights.py."""

from electra_tf.cli.weights import convert_weights

if __name__ == "__main__":
    convert_weights()
