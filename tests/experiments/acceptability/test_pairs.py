"""The files that minimal pairs are read from, and what is refused."""

import json

import pytest
import tensorflow as tf

from electra_tf.config.scoring import SuiteOptions
from electra_tf.errors import InputError
from electra_tf.experiments.acceptability import pairs as module
from electra_tf.experiments.acceptability.pairs import Pair, read_pairs

PAIRS = [
    Pair("number", "agreement", "we are here", "we is here"),
    Pair("number", "agreement", "he is", "he are"),
    Pair("gap", "islands", "who did he see", "who did he see him"),
]
TABLE = "paradigm\tterm\tmore\tgood\tbad\n" + "".join(
    f"{p.paradigm}\t{p.term}\tx\t{p.good}\t{p.bad}\n" for p in PAIRS
)


def read(path, content, suite="pairs"):
    path.write_text(content, encoding="utf-8")
    return read_pairs(SuiteOptions(suite=suite, input=str(path)))


def blimp(pair):
    return {
        "sentence_good": pair.good,
        "sentence_bad": pair.bad,
        "linguistics_term": pair.term,
        "UID": pair.paradigm,
        "simple_LM_method": True,
        "pairID": "0",
    }


def test_every_format(tmp_path):
    assert read(tmp_path / "pairs.tsv", TABLE) == PAIRS
    assert read(tmp_path / "pairs.txt", TABLE) == PAIRS
    plain = "good\tbad\na b\ta\n"
    assert read(tmp_path / "own.tsv", plain) == [Pair("own", "", "a b", "a")]
    turns = read(tmp_path / "turns.txt", "a\na b\nc\nc d\n")
    assert turns == [
        Pair("turns", "", "a b", "a"),
        Pair("turns", "", "c d", "c"),
    ]
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("gap", "number"):
        lines = [json.dumps(blimp(p)) for p in PAIRS if p.paradigm == name]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    found = read_pairs(SuiteOptions(input=str(folder)))
    assert found == [PAIRS[2], *PAIRS[:2]]
    one = read_pairs(SuiteOptions(input=f"{folder}/number.jsonl"))
    assert one == PAIRS[:2]


def test_blimp_of_tensorflow_datasets(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    assert len(module.tfds_paradigms()) == 67
    features = {name: tfds.features.Text() for name in module._BLIMP.values()}
    for name in ("number", "gap"):
        rows = [blimp(p) for p in PAIRS if p.paradigm == name]
        columns = {key: [row[key] for row in rows] for key in features}
        tfds.dataset_builders.store_as_tfds_dataset(
            "blimp",
            "0.1.0",
            data_dir=str(tmp_path),
            config=name,
            features=tfds.features.FeaturesDict(features),
            split_datasets={
                "train": tf.data.Dataset.from_tensor_slices(columns)
            },
        )
    monkeypatch.setattr(module, "tfds_paradigms", lambda: ["number", "gap"])
    found = read_pairs(SuiteOptions(tfds_data_dir=str(tmp_path)))
    assert found == PAIRS


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.tsv", "", "must hold pairs; received 'an empty file'"),
        ("a.txt", "", "must hold pairs; received 'an empty file'"),
        ("a.tsv", "paradigm\tgood\tbad\n", "must hold rows"),
        ("a.tsv", f"{TABLE}number\tagreement\ta\n", "line 5: must have 5 col"),
        ("a.tsv", "paradigm\tgood\nx\ty\n", "must have one column 'bad'"),
        ("a.tsv", "good\tbad\na\t \n", "line 2: texts and labels must not"),
        (
            "a.tsv",
            TABLE.replace("ment\tx\the", "\tx\the"),
            "must have one term",
        ),
        ("a.txt", "a\nb\nc\n", "right line after each wrong one"),
        ("a.txt", "a\n\n", "line 2: must be a text"),
        ("a.jsonl", '{"UID": 1}\n', "must have one column 'good'"),
        ("a.jsonl", "{\n", "line 1"),
    ],
)
def test_what_is_refused(tmp_path, name, content, told):
    with pytest.raises(InputError) as caught:
        read(tmp_path / name, content)
    assert told in str(caught.value)


def test_what_else_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"must hold .jsonl files"):
        read_pairs(SuiteOptions(input=str(tmp_path)))
    (tmp_path / "a.jsonl").write_text(json.dumps({**blimp(PAIRS[0]), "UID": 3}))
    with pytest.raises(InputError, match="line 1: UID must be a text"):
        read_pairs(SuiteOptions(input=str(tmp_path)))
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(InputError, match="must hold pairs; received 'none'"):
        read_pairs(SuiteOptions(input=str(tmp_path)))
    with pytest.raises(InputError, match="a file must exist"):
        read_pairs(SuiteOptions(input=str(tmp_path / "none")))
    with pytest.raises(InputError, match="suite=pairs needs input"):
        SuiteOptions(suite="pairs")
