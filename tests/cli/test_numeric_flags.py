"""Numbers beyond any use: each command begins, or says one line.

Commands run in this process from their command line up to the point where
their work would begin: through parsing, configuration and the rules over
several fields.
"""

import dataclasses
import functools
import importlib
import os
import shlex
import subprocess
import sys

import pytest
import tiny
from test_app import COMMANDS, ROOT

from electra_tf.config import fields_of, kind_of
from electra_tf.config.pretraining import make_config, to_json
from electra_tf.experiments import compare
from electra_tf.finetune.run import trials

# The largest whole number that a flag takes is among them.
VALUES = ("0", "-1", str(2**32 - 1), "1e30", "1" + 30 * "0", "nan", "")


@dataclasses.dataclass(frozen=True)
class Case:
    """A command that begins.

    Attributes:
      command: its name.
      flags: with which it does; {} is an empty folder.
      work: what is called where its work begins; empty: all of it is quick.
    """

    command: str
    flags: str
    work: str = ""

    def run(self, place: str, *more: str) -> tiny.Finished:
        flags = [flag.format(place) for flag in shlex.split(self.flags)]
        return tiny.command(self.command, *flags, *more)


RUN = "electra_tf.training.run"
PRETRAINED = "electra_tf.pretrained.from_pretrained"
CASES = [
    Case("pretrain", "--model_dir={}/run", f"{RUN}.open_source"),
    Case("pretrain", "--dry_run"),
    Case("count_flops", ""),
    Case("evaluate_pretraining", "--model_dir={}/made", f"{RUN}.evaluate_run"),
    Case(
        "finetune",
        "--task=sst2 --data_dir={} --init_checkpoint=tiny --output_dir={}/out",
        "electra_tf.finetune.run.trials.TaskRun",
    ),
    Case(
        "compare_objectives",
        "--systems=electra,mlm '--probe=sst2: --data_dir={0}' "
        "--output_dir={0}/out",
        "electra_tf.experiments.compare.missing_jobs",
    ),
    Case(
        "build_pretraining_data",
        "--input={}/text --vocab_file={}/vocab --output_dir={}/out",
        "electra_tf.data.records.build._open_inputs",
    ),
    Case(
        "train_vocab",
        "--input={}/text --output={}/learnt",
        "electra_tf.data.tokenizers.WordPieceTokenizer.learn",
    ),
    Case("score_text", "--model_dir=x --input={}/text", PRETRAINED),
    Case(
        "evaluate_acceptability",
        "--model_dir=x --suite=pairs --input={}/dev.tsv --output_dir={}/out",
        "electra_tf.experiments.acceptability.pairs.read_pairs",
    ),
    Case(
        "export_saved_model",
        "--model_dir=x --output_dir={}/out --for_finetuning",
        PRETRAINED,
    ),
    Case(
        "export_saved_model",
        "--model_dir=x --format=litert --output={}/out",
        "electra_tf.weights.open_weights",
    ),
    Case(
        "verify_saved_model",
        "{}",
        "electra_tf.serving.warmup.verify_saved_model",
    ),
    Case(
        "predict",
        "--model=x --input={}/dev.tsv --output={}/out.tsv",
        "electra_tf.serving.predicting.open_signatures",
    ),
    Case("demo", "--backend=http://x", "uvicorn.run"),
]


class BegunError(Exception):
    """A command's work would begin."""


def begin(*arguments, **named):
    raise BegunError


def command_of(name: str):
    for module in (
        "pretrain", "finetune", "records", "vocabulary", "weights", "pages",
        "acceptability", "predict",
    ):  # fmt: skip
        found = importlib.import_module(f"electra_tf.cli.{module}")
        if hasattr(found, name):
            return getattr(found, name)
    return getattr(importlib.import_module("electra_tf.cli." + EXPORT), name)


EXPORT = "export_saved_model"


def numeric_flags(name: str) -> list[str]:
    fields = fields_of(*command_of(name).every_kind())
    found = [n for n, f in fields.items() if kind_of(f)[0] in (int, float)]
    return [*found, *(["probe_at"] if "probe_at" in fields else [])]


@pytest.fixture
def place(tmp_path, text_file, vocab_file) -> str:
    """A folder with what the cases name."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "config.json").write_text(to_json(make_config({})))
    for split in ("train", "dev"):
        rows = "sentence\tlabel\nof old\t0\nof late\t1\n"
        (tmp_path / f"{split}.tsv").write_text(rows)
    os.symlink(text_file, tmp_path / "text")
    os.symlink(vocab_file, tmp_path / "vocab")
    return str(tmp_path)


@pytest.fixture
def short_ways(monkeypatch):
    """What stands before the work and takes long, done once or not at all."""
    for name in ("open_weights", "pretrained_of"):
        once = functools.cache(getattr(trials, name))
        monkeypatch.setattr(trials, name, once)

    def with_records(comparison):
        base = {**comparison.base, "data_dir": "data", "vocab_size": 2000}
        return dataclasses.replace(comparison, base=base)

    monkeypatch.setattr(compare, "_with_records", with_records)


@pytest.mark.usefixtures("short_ways")
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.command}{c.flags}")
def test_a_command_begins_or_says_one_line(case, place, monkeypatch):
    if case.work:
        monkeypatch.setattr(case.work, begin)
        with pytest.raises(BegunError):
            case.run(place)
    before = tiny.tree(place)
    wrong = []
    for name in numeric_flags(case.command):
        for value in VALUES:
            try:
                finished = case.run(place, f"--{name}={value}")
                if finished.code:
                    finished.error()
            except BegunError:
                continue
            except Exception as error:
                wrong.append(f"{name}={value}: {type(error).__name__} {error}")
    assert not wrong, "\n".join(wrong)
    assert tiny.tree(place) == before


@pytest.mark.parametrize("name", COMMANDS)
def test_a_real_process_says_one_line(name):
    numeric = numeric_flags(name)
    if not numeric:
        assert name not in {case.command for case in CASES}
        return
    assert name in {case.command for case in CASES}
    done = subprocess.run(
        [sys.executable, f"scripts/{name}.py", f"--{numeric[0]}="],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {numeric[0]} must be ")
    assert len(done.stderr.splitlines()) == 1
