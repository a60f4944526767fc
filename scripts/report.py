"""One HTML page and PNGs from run folders: see electra_tf/cli/report.py."""

from electra_tf.cli.report import entry

if __name__ == "__main__":
    entry()
