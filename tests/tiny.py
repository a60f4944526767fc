"""Runs of seconds: their text, vocabulary and flags, and the commands.

Commands run inside the test's process, from the command line that they would
get to the exit code and the lines that they print: importing TensorFlow anew
for each would take far longer than what they do.
"""

import collections
import contextlib
import dataclasses
import hashlib
import io
import json
import pathlib
import re
import runpy
import sys
from collections.abc import Callable, Iterator

import numpy as np
from absl import app, flags

from electra_tf.cli.app import Command

LENGTH = 16
STEPS = 24
FLAGS = {
    "embedding_size": 16,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "generator_hidden_size": 0.5,
    "max_position_embeddings": 32,
    "max_seq_length": LENGTH,
    "train_batch_size": 8,
    "num_train_steps": STEPS,
    "num_warmup_steps": 3,
    "learning_rate": 5e-3,
    "seed": 7,
    # No interval is a multiple of another, so that what lies between a log
    # line and a checkpoint matters.
    "log_every_steps": 5,
    "eval_every_steps": 12,
    "save_checkpoints_steps": 7,
    "iterations_per_loop": 4,
    "eval_batch_size": 16,
    "num_eval_steps": 2,
}


@dataclasses.dataclass(frozen=True)
class Finished:
    """What a command left: its exit code, what it printed, its folder."""

    code: int
    out: str
    err: str
    folder: str = ""

    def error(self) -> str:
        """The one line of a mistake; fails where there is not just one."""
        lines = self.err.splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        assert len(errors) == 1, self.err
        assert lines[-1] == errors[0], self.err
        assert "Traceback" not in self.err
        assert self.code == 2
        return errors[0]


def text() -> str:
    """The first addresses of the embedded corpus."""
    from electra_tf.data.text import embedded_corpus_path

    with open(embedded_corpus_path(), encoding="utf-8") as file:
        documents = file.read().split("\n\n")
    return "\n\n".join(d[:3000] for d in documents[:20]) + "\n"


def vocab() -> list[str]:
    """Specials, all characters, and the words that are frequent in `text`."""
    content = text().lower()
    chars = sorted(set(content) - set(" \n"))
    words = collections.Counter(re.findall(r"[a-z]{2,}", content))
    frequent = [word for word, _ in words.most_common(150)]
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [f"##{char}" for char in chars if char.isalnum()]
    return [*specials, *chars, *letters, *frequent]


def build(
    text_file: str, folder: str, vocab_file: str, length: int, **settings
) -> None:
    """Builds a records folder."""
    from electra_tf.data.records.build import build_records
    from electra_tf.data.tokenizers import Tokenizer

    build_records(
        [text_file],
        folder,
        Tokenizer.from_file(vocab_file, **settings),
        length,
        eval_fraction=0.2,
        num_shards=2,
        num_processes=1,
        progress=False,
    )


def pretrain(*arguments: str, **changed) -> Finished:
    """`pretrain.py` with `FLAGS` and these over them; None leaves one out."""
    values = {**FLAGS, **changed}
    given = [f"--{k}={v}" for k, v in values.items() if v is not None]
    finished = command("pretrain", *given, *arguments)
    return dataclasses.replace(finished, folder=str(changed.get("model_dir")))


def command(name: str, *arguments: str) -> Finished:
    """Runs `scripts/<name>.py` with these arguments, in this process."""
    script = pathlib.Path(__file__).parents[1] / "scripts" / f"{name}.py"
    return run(
        lambda: runpy.run_path(str(script), run_name="__main__"),
        name,
        *arguments,
    )


def run(entry: Callable[[], None], name: str, *arguments: str) -> Finished:
    """Runs a command with these arguments, in this process."""
    with _own_flags(), _printed() as (out, err):
        old, sys.argv = sys.argv, [f"{name}.py", *arguments]
        try:
            entry()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        finally:
            sys.argv = old
            for file in (out, err):
                file.seek(0)
    return Finished(code, out.read(), err.read())


def call(command: Command, *arguments: str) -> int | None:
    """What a command's function returns or raises for these arguments."""
    return command.main(*command.read(["", *arguments]))


@contextlib.contextmanager
def _own_flags() -> Iterator[None]:
    """Flags defined meanwhile are undefined afterwards."""
    app.define_help_flags()
    before = set(flags.FLAGS)
    try:
        yield
    finally:
        flags.FLAGS.unparse_flags()
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)


@contextlib.contextmanager
def _printed() -> Iterator[tuple[io.TextIOBase, io.TextIOBase]]:
    """Standard output and error as files (commands ask for descriptors)."""
    import tempfile

    out, err = (tempfile.TemporaryFile("w+") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield out, err


def tree(folder: str | pathlib.Path) -> dict[str, str]:
    """Relative path -> digest, of everything in a folder."""
    folder = pathlib.Path(folder)
    return {
        str(path.relative_to(folder)): "folder"
        if path.is_dir()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
    }


def metrics(folder: str) -> list[dict[str, float]]:
    """The lines of a run's metrics.jsonl."""
    lines = pathlib.Path(folder, "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def checkpoint(folder: str, prefix: str = "") -> dict[str, np.ndarray]:
    """Everything in a run's latest checkpoint, or in the one named."""
    import tensorflow as tf

    prefix = prefix or tf.train.latest_checkpoint(f"{folder}/checkpoints")
    reader = tf.train.load_checkpoint(prefix)
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        # How often a process saved is not a part of the run's state.
        if "save_counter" not in name and "OBJECT_GRAPH" not in name
    }


def assert_same_weights(folder: str, other: str) -> None:
    """Fails unless two runs' last checkpoints hold the same bits."""
    ours, theirs = checkpoint(folder), checkpoint(other)
    assert sorted(ours) == sorted(theirs)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)


def assert_same_end(folder: str, other: str) -> None:
    """Fails unless two runs ended in the same bits and the same lines."""
    assert_same_weights(folder, other)
    first, second = (
        pathlib.Path(f, "metrics.jsonl").read_bytes() for f in (folder, other)
    )
    assert first == second
