"""What scores make of pairs, against hand arithmetic; and the command."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tiny

from electra_tf.experiments.acceptability import Scored, summary
from electra_tf.experiments.acceptability.pairs import Pair

ROWS = [  # paradigm, term, good, bad
    ("order", "syntax", "the state of the union", "union the of state the"),
    ("order", "syntax", "we are strong", "strong are we"),
    ("order", "syntax", "my fellow citizens", "citizens fellow my"),
    ("more", "syntax", "the people of the nation", "the people of nation"),
    ("more", "syntax", "we must not fail", "we must fail"),
    ("same", "words", "Peace and war", "peace and war"),
    ("same", "words", "the congress", "the war"),
]
PUBLISHED = (
    "paradigm\tngram\tmine\norder\t0.5\t1\nmore\t0.75\t0\nsame\t1\t0.2\n"
)


def test_means_errors_and_ties():
    pairs = [Pair(*row) for row in ROWS]
    good = np.array([2, 2, 1, 5, 5, 3, 4.0])
    bad = np.array([1, 1, 2, 4, 6, 3, 3.0])
    found = summary(Scored(pairs, good, bad))
    # Right: 2 of 3, 1 of 2, 1 of 2 (and a tie).
    assert found["mean"] == pytest.approx(100 * (2 / 3 + 1 / 2 + 1 / 2) / 3)
    variances = {"order": 2 / 9 / 3, "more": 1 / 4 / 2, "same": 1 / 4 / 2}
    error = 100 * sum(variances.values()) ** 0.5 / 3
    assert found["standard_error"] == pytest.approx(error)
    assert (found["pairs"], found["ties"]) == (7, 1)
    assert found["paradigms"]["same"]["ties"] == 1
    for name, variance in variances.items():
        part = found["paradigms"][name]
        assert part["standard_error"] == pytest.approx(100 * variance**0.5)
    assert found["terms"]["syntax"]["mean"] == pytest.approx(100 * 7 / 12)
    assert found["terms"]["words"]["mean"] == 50


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("acceptability")
    lines = ["paradigm\tterm\tgood\tbad", *map("\t".join, ROWS)]
    (folder / "pairs.tsv").write_text("\n".join(lines) + "\n")
    (folder / "published.tsv").write_text(PUBLISHED)
    return folder


def evaluate(place, model_dir, *more):
    given = (f"--model_dir={model_dir}", f"--input={place}/pairs.tsv")
    return tiny.command("evaluate_acceptability", *given, *more)


def plain_mean(score, rows=ROWS):
    """Percent, over paradigms; one text at a time."""
    right = {}
    for paradigm, _, good, bad in rows:
        right.setdefault(paradigm, []).append(score(good) > score(bad))
    return 100 * np.mean([np.mean(values) for values in right.values()])


def test_the_command(place, tiny_run, tiny_model, records_dir):
    out = place / "out"
    finished = evaluate(
        place,
        tiny_run.folder,
        f"--published={place}/published.tsv",
        "--method=rtd",
        f"--output_dir={out}",
    )
    assert finished.code == 0, finished.err
    found = json.loads((out / "acceptability.json").read_text())
    assert list(found)[:2] == ["method", "mean"]
    tokenizer = tiny_model.tokenizer

    def ids_of(text):
        return tokenizer.tokenize(tf.constant([text])).numpy()[0]

    def rtd(text):
        ids = [tokenizer.cls_id, *ids_of(text), tokenizer.sep_id]
        ids = tf.constant([ids], tf.int32)
        ones, zeros = tf.ones_like(ids), tf.zeros_like(ids)
        logits = tiny_model.discriminator(ids, ones, zeros)[0, 1:-1]
        return float(tf.reduce_sum(tf.math.log(1 - tf.sigmoid(logits))))

    counts = np.ones(tokenizer.vocab_size)
    for path in tf.io.gfile.glob(f"{records_dir}/train-*"):
        for record in tf.data.TFRecordDataset(path):
            example = tf.train.Example.FromString(record.numpy())
            ids = example.features.feature["input_ids"].int64_list.value
            np.add.at(counts, list(ids), 1)
    edges = [tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id]
    words = counts.sum() - counts[edges].sum() - 1  # [MASK] is no word, either

    def unigram(text):
        return np.log(np.sort(counts[ids_of(text)]) / words).sum()

    def shorter(text):
        return -len(ids_of(text))

    scores = {"unigram": unigram, "the shorter one": shorter}
    assert found["method"] == "rtd"
    assert found["mean"] == pytest.approx(plain_mean(rtd))
    for name, score in scores.items():
        mean = found["baselines"][name]["mean"]
        assert mean == pytest.approx(plain_mean(score)), name
    assert found["baselines"]["5-gram"]["pairs"] == 7
    assert found["num_tokens"] == counts.sum() - counts[edges].sum() - (
        tokenizer.vocab_size - len(edges)
    )
    equal = [row for row in ROWS if shorter(row[2]) == shorter(row[3])]
    assert 0 < len(equal) < len(ROWS)
    assert found["equal_tokens"]["pairs"] == len(equal)
    assert found["equal_tokens"]["mean"] == pytest.approx(
        plain_mean(rtd, equal)
    )
    systems = found["published"]["systems"]
    assert systems["ngram"]["mean"] == pytest.approx(75)
    assert systems["mine"]["mean"] == pytest.approx(40)
    lines = (out / "scores.tsv").read_text().splitlines()
    first = lines[1].split("\t")
    assert len(lines) == 1 + len(ROWS)
    assert float(first[2]) == pytest.approx(rtd(ROWS[0][2]), abs=1e-4)
    page = (out / "acceptability.md").read_text()
    assert page.startswith(finished.out.strip())
    assert "| 5-gram (Gigaword, 3.1B) | 75.00 | – |" in page
    assert "Warstadt et al. 2020" in page
    assert (out / "acceptability.png").read_bytes().startswith(b"\x89PNG")


def test_a_name_without_records(place):
    out = place / "named"
    finished = evaluate(place, "tiny", "--suite=pairs", f"--output_dir={out}")
    assert finished.code == 0, finished.err
    found = json.loads((out / "acceptability.json").read_text())
    assert list(found["baselines"]) == ["the shorter one"]
    assert "Without unigram and 5-gram: these weights name no" in finished.out
    assert found["published"] == {"source": "", "systems": {}}


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--method=electric", "this model has no energy"),
        ("--published={}/pairs.tsv", "must be a number"),
        ("--published={}/none.tsv", "a file must exist"),
        ("--data_dir={}", "records"),
        ("--data_dir={records}", "of the model's vocabulary"),
        ("--input={}/none.tsv", "a file must exist"),
        ("--suite=pairs --input=", "suite=pairs needs input"),
    ],
)
def test_what_is_refused(place, records_dir, flags, told):
    before = tiny.tree(place)
    given = flags.format(place, records=records_dir).split()
    line = evaluate(place, "tiny", f"--output_dir={place}/new", *given).error()
    assert told in line
    assert tiny.tree(place) == before
