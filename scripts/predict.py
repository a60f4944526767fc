"""Writes what a model says of every row of a file: --help for the flags."""

from electra_tf.cli.predict import predict

if __name__ == "__main__":
    predict()
