"""One HTML page and PNGs from run folders."""

from electra_tf.cli.pages import report

if __name__ == "__main__":
    report()
