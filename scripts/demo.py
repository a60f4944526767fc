"""A page that shows which tokens of a sentence look replaced."""

from electra_tf.cli.demo import entry

if __name__ == "__main__":
    entry()
