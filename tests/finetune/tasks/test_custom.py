"""Tables of the user's own: classes and numbers found in the data."""

import numpy as np
import pytest

from electra_tf.config.finetuning import TaskOptions
from electra_tf.errors import InputError
from electra_tf.finetune.tasks.text_task import open_custom


def task(folder, label_kind, pair="", **contents):
    for name, content in contents.items():
        (folder / f"{name}.jsonl").write_text(content)
    options = TaskOptions(
        data_dir=str(folder),
        do_predict="test" in contents,
        text_column="a",
        text_pair_column=pair,
        label_column="y",
        label_kind=label_kind,
    )
    return open_custom(options)


def test_classes_are_those_of_the_training_file(tmp_path):
    """Whole numbers in JSON are names of classes, too."""
    train = '{"a": "x", "y": 3}\n{"a": "z", "y": 1}\n{"a": "w", "y": 3}\n'
    found = task(tmp_path, "class", train=train, dev='{"a": "q", "y": 1}')
    assert found.labels == ("1", "3")
    assert found.targets(["3", "1"]).tolist() == [1, 0]
    assert found.splits.dev["dev"][0].label == "1"
    assert found.metric == "accuracy"


def test_blanks_around_a_name_make_no_class(tmp_path):
    train = '{"a": "x", "y": "p"}\n{"a": "z", "y": "p "}\n{"a": "w", "y": "q"}'
    assert task(tmp_path, "class", train=train, dev=train).labels == ("p", "q")


def test_numbers_of_any_size_are_learned(tmp_path):
    train = '{"a": "x", "y": 2e300}\n{"a": "z", "y": -1e300}\n'
    found = task(tmp_path, "number", train=train, dev=train)
    np.testing.assert_allclose(found.targets([2e300, -1e300]), [1, -0.5])
    assert float(found.answers(np.array([0.5], np.float32))[0]) == 1e300


def test_numbers_are_learned_near_one(tmp_path):
    train = '{"a": "x", "y": 20}\n{"a": "z", "y": "-40.0"}\n'
    found = task(tmp_path, "number", train=train, dev=train)
    np.testing.assert_allclose(found.targets([20.0, -40.0]), [0.5, -1.0])
    assert found.answers(np.array([0.25])) == ["10.000"]
    assert found.metric == "spearman"


def test_pairs_and_test_rows_without_labels(tmp_path):
    row = '{"a": "x", "b": "z", "y": "%s"}\n'
    found = task(
        tmp_path,
        "class",
        pair="b",
        train=row % "p" + row % "q",
        dev=row % "q",
        test='{"b": "two", "a": "one"}',
    )
    (example,) = found.splits.test["custom"]
    assert (example.text, example.text_pair, example.label) == (
        "one",
        "two",
        None,
    )


def test_a_pair_with_an_empty_side_is_refused(tmp_path):
    row = '{"a": "x", "b": "%s", "y": "p"}\n'
    with pytest.raises(
        InputError, match=r"line 2: texts and labels must not be empty"
    ):
        task(tmp_path, "class", pair="b", train=row % "z" + row % " ", dev=row)
