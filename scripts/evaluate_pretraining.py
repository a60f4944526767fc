"""Evaluates a run's latest checkpoint on held-out records."""

from electra_tf.cli.pretrain import evaluate_pretraining

if __name__ == "__main__":
    evaluate_pretraining()
