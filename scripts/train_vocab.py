"""See electra_tf/cli/train_vocab.py."""

from electra_tf.cli.train_vocab import entry

entry()
