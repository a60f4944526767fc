"""Learns a WordPiece vocabulary of text files."""

from electra_tf.cli.records import train_vocab

if __name__ == "__main__":
    train_vocab()
