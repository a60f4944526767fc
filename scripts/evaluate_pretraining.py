"""Evaluates a run's latest checkpoint on held-out records."""

from electra_tf.cli.evaluate_pretraining import entry

if __name__ == "__main__":
    entry()
