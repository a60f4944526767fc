"""A page that shows which tokens of a sentence look replaced."""

from electra_tf.cli.pages import demo

if __name__ == "__main__":
    demo()
