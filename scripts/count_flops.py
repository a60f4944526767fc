"""Train-FLOPs as the paper counts them: --flagfile=... or --published."""

from electra_tf.cli.count_flops import entry

if __name__ == "__main__":
    entry()
