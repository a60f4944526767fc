"""Pre-trains an ELECTRA: --flagfile=configs/small.flags, --help for all."""

from electra_tf.cli.pretrain import pretrain

if __name__ == "__main__":
    pretrain()
