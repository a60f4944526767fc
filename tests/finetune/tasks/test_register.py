"""A task from outside of the package, in one file."""

import grammar
import pytest

from electra_tf.config.finetuning import TaskOptions
from electra_tf.errors import InputError
from electra_tf.finetune.run import open_task
from electra_tf.finetune.tasks import TASKS, register

PLUGIN = '''
"""Moods of sentences, from a table."""

import functools

from electra_tf.finetune.tasks import Splits, find_files, register
from electra_tf.finetune.tasks.tables import read_table
from electra_tf.finetune.tasks.tagging import open_tagging
from electra_tf.finetune.tasks.text_task import Classification, table_examples


@register("mood")
def open_mood(options):
    files = find_files(
        "mood", {"train": ["mood.tsv"], "dev": ["mood.tsv"]}, options
    )
    examples = table_examples(
        read_table(files["train"]), ["a", "b"], "mood", is_number=False
    )
    labels = sorted({example.label for example in examples})
    splits = Splits(examples[:12], {"dev": examples[12:]}, {})
    return Classification(labels, name="mood", splits=splits, metric="mcc")


register("birds")(
    functools.partial(open_tagging, "birds", {"train": ["b"], "dev": ["b"]})
)
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The module's name, on the path; its tasks are gone after the test."""
    (tmp_path / "toy_moods.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    before = dict(TASKS)
    yield "toy_moods"
    TASKS.clear()
    TASKS.update(before)


def test_a_plugin_s_tasks_are_opened_by_name(plugin, tmp_path):
    rows = [
        f"{a}\t{b}\t{grammar.MOODS[m]}" for a, b, m in grammar.sentences(24)
    ]
    (tmp_path / "mood.tsv").write_text("\n".join(["a\tb\tmood", *rows]))
    (tmp_path / "b").write_text("owl B-BIRD\nsees O\n")
    __import__(plugin)
    options = TaskOptions(data_dir=str(tmp_path))
    task = open_task("mood", options)
    assert task.labels == tuple(sorted(grammar.MOODS))
    assert [len(x) for x in (task.splits.train, task.splits.dev["dev"])] == [
        12, 12,
    ]  # fmt: skip
    task = open_task("birds", options)
    assert task.has_spans
    assert task.labels == ["O", "B-BIRD", "E-BIRD", "I-BIRD", "S-BIRD"]


def test_a_name_is_given_once():
    with pytest.raises(InputError, match="a name of its own; received 'cola'"):
        register("cola")(lambda options: None)


def test_every_built_in_task_is_registered():
    assert set(TASKS) >= {
        *(f"{folder}{name}" for folder in ("", "glue/") for name in (
            "cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte",
            "wnli", "ax",
        )),
        "squad1", "squad2", "mrqa", "chunk", "conll2003", "wnut17", "tagging",
        "custom",
    }  # fmt: skip
