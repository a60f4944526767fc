"""Learns a vocabulary of text, WordPiece's or SentencePiece's."""

from electra_tf.cli.vocabulary import train_vocab

if __name__ == "__main__":
    train_vocab()
