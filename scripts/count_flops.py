"""Train-FLOPs as the paper counts them: --flagfile=... or --published."""

from electra_tf.cli.pretrain import count_flops

if __name__ == "__main__":
    count_flops()
