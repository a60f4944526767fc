"""Tables of the user's own: classes and numbers found in the data."""

import numpy as np
import pytest

from electra_tf.config.finetuning import TaskOptions
from electra_tf.errors import InputError
from electra_tf.finetune.tasks.custom import open_custom


def task(folder, label_kind, pair="", label="y", thresholds="0.5", **contents):
    for name, content in contents.items():
        (folder / f"{name}.jsonl").write_text(content)
    options = TaskOptions(
        data_dir=str(folder),
        do_predict="test" in contents,
        text_column="a",
        text_pair_column=pair,
        label_column=label,
        label_kind=label_kind,
        thresholds=thresholds,
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


LISTS = """{"a": "x", "y": ["p", "r"]}
{"a": "z", "y": []}
{"a": "w", "y": ["q"]}
"""
COLUMNS = """{"a": "x", "p": 1, "q": 0, "r": true}
{"a": "z", "p": 0, "q": 0, "r": false}
{"a": "w", "p": 0, "q": 1, "r": false}
"""
TEXTS = """{"a": "x", "y": "r, p"}
{"a": "z", "y": ""}
{"a": "w", "y": "q"}
"""


@pytest.mark.parametrize(
    ("content", "label"), [(LISTS, "y"), (COLUMNS, "p,q,r"), (TEXTS, "y")]
)
def test_several_classes_a_text(content, label, tmp_path):
    found = task(
        tmp_path,
        "classes",
        label=label,
        thresholds="r:0.9",
        train=content,
        dev=content,
        test='{"a": "one"}',
    )
    assert found.labels == ("p", "q", "r")
    labels = [example.label for example in found.splits.train]
    assert labels == [("p", "r"), (), ("q",)]
    marks = [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert found.targets(labels).tolist() == marks
    assert found.metric == "micro_f1"
    # 2.2 is the logit of 0.9.
    assert found.answers(np.array([[1, -1, 2.1], [0.1, 0, 2.3]])) == [
        "p", "p,q,r",
    ]  # fmt: skip
    assert found.splits.test["custom"][0].label is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"train": LISTS.replace('["q"]', '[""]')}, "must be a list of names"),
        ({"train": LISTS.replace('["q"]', '{"q": 1}')}, "line 3: .*list of n"),
        ({"train": TEXTS.replace("r, p", "r,,p")}, "line 1: .*list of names"),
        ({"dev": LISTS.replace("q", "s")}, "line 3: each label must be one of"),
        ({"train": '{"a": "x", "y": ["p"]}'}, "must hold two classes or more"),
        (
            {"train": LISTS.replace("q", "q,")},
            "no line end and no comma",
        ),
        ({"label": "y,z"}, "must have one column 'z'"),
        (
            {"train": COLUMNS.replace("true", "2"), "label": "p,q,r"},
            "line 1: the columns of labels must hold 0 or 1; received '2'",
        ),
        ({"thresholds": "1"}, "must lie between 0 and 1, and be neither"),
        ({"thresholds": "p:0"}, "must lie between 0 and 1, and be neither"),
        ({"thresholds": "nan"}, "must lie between 0 and 1, and be neither"),
        ({"thresholds": "t:0.5"}, "must be of the labels p, q, r; rec.* 't'"),
        ({"thresholds": "0.5,0.6"}, "must be a number, or name:number"),
        ({"thresholds": "p:x"}, "must be a number, or name:number"),
    ],
)
def test_several_classes_that_are_refused(given, message, tmp_path):
    with pytest.raises(InputError, match=message):
        task(tmp_path, "classes", **{"train": LISTS, "dev": LISTS, **given})
