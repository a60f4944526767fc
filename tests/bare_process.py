"""A process that has TensorFlow, but neither electra_tf nor Keras."""

import pathlib
import subprocess
import sys

# Runs in front of a client's own lines.
PREAMBLE = '''
import json, sys
import numpy as np

class Without:
    """Finds what another finder finds, but for what is not installed."""

    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("electra_tf", "keras", "tf_keras"):
            return None
        return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

import tensorflow as tf
import tensorflow_text  # imports Keras by itself, so that is hidden after it

for name in [n for n in sys.modules if n.partition(".")[0] == "keras"]:
    del sys.modules[name]
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
for name in ("electra_tf", "keras"):
    try:
        __import__(name)
    except ImportError:
        continue
    raise SystemExit(f"{name} can be imported")
'''
EPILOGUE = """
assert not {"electra_tf", "keras"} & set(sys.modules)
"""


def run(client: str, *arguments: object, cwd: pathlib.Path) -> None:
    """Runs a client there with these as `sys.argv[1:]`; it must not fail."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + client + EPILOGUE]
        + [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
    )
    assert done.returncode == 0, done.stderr[-3000:]
