"""Compares training systems: --flagfile=configs/compare/table5.flags."""

from electra_tf.cli.compare_objectives import compare_objectives

if __name__ == "__main__":
    compare_objectives()
