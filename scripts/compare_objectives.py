"""Compares training systems: --flagfile=configs/compare/table5.flags."""

from electra_tf.cli.finetune import compare_objectives

if __name__ == "__main__":
    compare_objectives()
