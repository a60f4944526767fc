"""Makes pre-training records of text."""

from electra_tf.cli.records import build_pretraining_data

if __name__ == "__main__":
    build_pretraining_data()
