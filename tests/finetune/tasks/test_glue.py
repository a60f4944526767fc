"""GLUE's files, each with its traps, and TensorFlow Datasets."""

import grammar
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config.finetuning import TaskOptions
from electra_tf.errors import InputError
from electra_tf.finetune.run import open_task
from electra_tf.finetune.tasks.glue import glue_task, read_files, read_tfds
from electra_tf.finetune.tasks.glue_specs import GLUE

FILES = {
    "cola": ("CoLA", "gj04\t1\t\tShe ran.\ngj04\t0\t*\tHer ran."),
    "sst2": ("SST-2", 'sentence\tlabel\nso " fine\t1\n'),
    "mrpc": (
        "MRPC",
        "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
        '1\t7\t8\tHe said "no .\tNo , he said .\n',
    ),
    "stsb": (
        "STS-B",
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1"
        "\tsentence2\tscore\n0\tg\tf\t2012\t01\tn\tn\tA b.\tC d.\t3.800\n",
    ),
    "qqp": (
        "QQP",
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
        "0\t1\t2\tHow?\tWhy?\t0\n1\t2\n2\t3\t4\tWho?\t\t1\n",
    ),
    "qnli": (
        "QNLI",
        "index\tquestion\tsentence\tlabel\n0\tWho?\tShe.\tentailment\n",
    ),
    "rte": (
        "RTE",
        "index\tsentence1\tsentence2\tlabel\n0\tA b.\tC.\tnot_entailment\n",
    ),
    "wnli": ("WNLI", "index\tsentence1\tsentence2\tlabel\n0\tA b.\tC.\t1\n"),
}
EXPECTED = {
    "cola": [("She ran.", None, "1"), ("Her ran.", None, "0")],
    "sst2": [('so " fine', None, "1")],
    "mrpc": [('He said "no .', "No , he said .", "1")],
    "stsb": [("A b.", "C d.", 3.8)],
    "qqp": [("How?", "Why?", "0")],
    "qnli": [("Who?", "She.", "entailment")],
    "rte": [("A b.", "C.", "not_entailment")],
    "wnli": [("A b.", "C.", "1")],
}


def write(folder, task):
    name, content = FILES[task]
    (folder / name).mkdir()
    for split in ("train", "dev"):
        (folder / name / f"{split}.tsv").write_text(content, encoding="utf-8")
    return folder / name


def seen(examples):
    return [(e.text, e.text_pair, e.label) for e in examples]


@pytest.mark.parametrize("task", FILES)
def test_official_files(task, tmp_path):
    folder = write(tmp_path, task)
    for data_dir in (tmp_path, folder):
        splits = read_files(GLUE[task], str(data_dir), with_test=False)
        assert seen(splits.train) == EXPECTED[task]
        assert seen(splits.dev["dev"]) == EXPECTED[task]


def test_broken_rows_of_qqp_are_counted(tmp_path):
    write(tmp_path, "qqp")
    splits = read_files(GLUE["qqp"], str(tmp_path), with_test=False)
    assert "train.tsv: 2 broken rows were left out" in splits.notes[0]
    assert len(splits.notes) == 2  # dev says so, too


def test_mnli_has_two_dev_sets_and_ax_a_test_set(task_files):
    splits = read_files(GLUE["mnli"], str(task_files), with_test=True)
    assert list(splits.dev) == ["matched", "mismatched"]
    assert list(splits.test) == ["MNLI-m", "MNLI-mm"]
    labels = [e.label for e in splits.train[:3]]
    assert labels == ["contradiction", "entailment", "neutral"]
    assert [e.label for e in splits.dev["matched"][:3]] == labels
    splits = read_files(GLUE["ax"], str(task_files), with_test=True)
    assert list(splits.test) == ["AX"]
    assert splits.test["AX"][0].text_pair == grammar.sentences(1)[0][1]


def test_files_on_another_file_system(task_files):
    for path in task_files.glob("*/*.tsv"):
        copy = f"ram://glue/{path.relative_to(task_files)}"
        tf.io.gfile.makedirs(copy.rpartition("/")[0])
        tf.io.gfile.copy(str(path), copy, overwrite=True)
    for spec in GLUE.values():
        there = read_files(spec, "ram://glue", with_test=True)
        here = read_files(spec, str(task_files), with_test=True)
        assert seen(there.train) == seen(here.train)
        assert list(map(seen, there.test.values())) == list(
            map(seen, here.test.values())
        )


def test_all_test_files_are_read_without_labels(task_files):
    for spec in GLUE.values():
        splits = read_files(spec, str(task_files), with_test=True)
        for examples in splits.test.values():
            assert len(examples) == 6
            assert {e.label for e in examples} == {None}


@pytest.mark.parametrize(
    ("task", "old", "new", "told"),
    [
        ("rte", "entailment\n", "maybe\n", "line 2.*label.*'not_maybe'"),
        ("stsb", "3.800", "high", "line 2: the score must be a number.*'high'"),
        ("stsb", "3.800", "nan", "line 2: the score must be a number"),
        (
            "sst2",
            'so " fine',
            " ",
            "line 2: texts and labels must not be empty",
        ),
        ("mrpc", "Quality", "Label", "column 'Quality'.*'Label'"),
        ("cola", "1\t\tShe", "1\tShe", "line 1: must have 4.*received 3"),
    ],
)
def test_wrong_files_are_refused(task, old, new, told, tmp_path):
    path = write(tmp_path, task) / "train.tsv"
    path.write_text(path.read_text().replace(old, new))
    spec = GLUE[task]
    with pytest.raises(InputError, match=told):
        glue_task(spec, read_files(spec, str(tmp_path), with_test=False))


def test_a_missing_dev_file_is_named(tmp_path):
    (write(tmp_path, "rte") / "dev.tsv").unlink()
    with pytest.raises(InputError, match=r"dev\.tsv"):
        read_files(GLUE["rte"], str(tmp_path), with_test=False)


def test_the_paper_s_metrics_and_epochs():
    """ELECTRA, section 3.1 and Table 7."""
    special = {"cola": "mcc", "stsb": "spearman"}
    for name, spec in GLUE.items():
        assert spec.metric == special.get(name, "accuracy")
        assert spec.epochs == (10 if name in ("rte", "stsb") else 3)


def test_double_unordered_trains_on_both_orders(task_files):
    from electra_tf.data.tokenizers import Tokenizer

    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer([*specials, *"the sees very . is near".split()])
    for name, doubled in (("mrpc", True), ("stsb", True), ("rte", False)):
        splits = read_files(GLUE[name], str(task_files), with_test=False)
        task = glue_task(GLUE[name], splits, double_unordered=True)
        encoded = task.encode(tokenizer, splits.train, 32, is_training=True)
        number = len(splits.train)
        rows = encoded.inputs["input_ids"]
        assert len(rows) == number * (1 + doubled)
        if doubled:
            first, second = encoded.examples[0], encoded.examples[number]
            assert (first.text, first.text_pair) == (
                second.text_pair,
                second.text,
            )
            np.testing.assert_array_equal(
                encoded.targets[:number], encoded.targets[number:]
            )
        dev = task.encode(tokenizer, splits.dev["dev"], 32)
        assert len(dev.inputs["input_ids"]) == number


def test_submissions_are_in_glue_s_format(task_files):
    splits = read_files(GLUE["rte"], str(task_files), with_test=True)
    task = glue_task(GLUE["rte"], splits)
    logits = np.array([[0.0, 1.0], [2.0, 1.0]])
    files = task.predictions("RTE", None, logits, {})
    assert files == {
        "RTE.tsv": "index\tprediction\n0\tnot_entailment\n1\tentailment\n"
    }
    splits = read_files(GLUE["stsb"], str(task_files), with_test=True)
    task = glue_task(GLUE["stsb"], splits)
    values = np.array([0.5, 1.2, -0.1])
    files = task.predictions("STS-B", None, values, {})
    assert files["STS-B.tsv"].splitlines()[1:] == [
        "0\t2.500",
        "1\t5.000",
        "2\t0.000",
    ]


def test_scores_are_learned_as_fifths(task_files):
    splits = read_files(GLUE["stsb"], str(task_files), with_test=False)
    task = glue_task(GLUE["stsb"], splits)
    np.testing.assert_allclose(task.targets([0.0, 3.8, 5.0]), [0, 0.76, 1])


def store(tfds, folder, config, names, labels, splits):
    features = {name: tfds.features.Text() for name in names}
    features |= {"label": labels, "idx": tfds.features.Scalar(tf.int32)}
    tfds.dataset_builders.store_as_tfds_dataset(
        name="glue",
        config=config,
        version="2.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={
            split: tf.data.Dataset.from_tensor_slices(
                {**content, "idx": [0, 1]}
            )
            for split, content in splits.items()
        },
        data_dir=str(folder),
        disable_shuffling=True,
    )


def test_tensorflow_datasets_from_a_local_folder(tmp_path):
    """Labels go by name where TFDS has our names, in another order."""
    import tensorflow_datasets as tfds

    names = ("premise", "hypothesis")
    order = ["entailment", "neutral", "contradiction"]
    content = {
        "premise": ["a b", "é"],
        "hypothesis": ["c", "d"],
        "label": [2, 0],
    }
    hidden = {**content, "label": [-1, -1]}
    known = ("train", "validation_matched", "validation_mismatched")
    store(
        tfds,
        tmp_path,
        "mnli",
        names,
        tfds.features.ClassLabel(names=order),
        {
            **dict.fromkeys(known, content),
            **dict.fromkeys(("test_matched", "test_mismatched"), hidden),
        },
    )
    splits = read_tfds(GLUE["mnli"], str(tmp_path), with_test=True)
    expected = [("a b", "c", "contradiction"), ("é", "d", "entailment")]
    assert seen(splits.train) == expected
    assert list(splits.dev) == ["matched", "mismatched"]
    assert [e.label for e in splits.test["MNLI-mm"]] == [None, None]
    content = {"sentence": ["bad", "good"], "label": [0, 1]}
    store(
        tfds,
        tmp_path,
        "sst2",
        ("sentence",),
        tfds.features.ClassLabel(names=["negative", "positive"]),
        {"train": content, "validation": content},
    )
    splits = read_tfds(GLUE["sst2"], str(tmp_path), with_test=False)
    assert seen(splits.train) == [("bad", None, "0"), ("good", None, "1")]
    task = open_task("glue/sst2", TaskOptions(tfds_data_dir=str(tmp_path)))
    assert seen(task.splits.dev["dev"]) == seen(splits.train)
    with pytest.raises(InputError, match="'glue/sst2', which cannot be had"):
        read_tfds(GLUE["sst2"], str(tmp_path), with_test=True)
