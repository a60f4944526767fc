"""Tries the device that is here, and leaves one page of it."""

from electra_tf.cli.pretrain import check_device

if __name__ == "__main__":
    check_device()
