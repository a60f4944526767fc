"""Pseudo-log-likelihoods of an Electric, and the command that ranks by them."""

import numpy as np
import pytest
import tensorflow as tf
import tiny

import electra_tf
from electra_tf.cli.weights import read_candidates
from electra_tf.errors import InputError
from electra_tf.pretrained import from_pretrained

TEXTS = [
    "the state of the union is strong",
    "union the strong of is the state",
    "my fellow citizens",
    "we",
    "",
]


@pytest.fixture(scope="module")
def folder(records_dir, tmp_path_factory):
    """A short run of `--objective=electric`."""
    path = str(tmp_path_factory.mktemp("electric") / "run")
    finished = tiny.pretrain(
        model_dir=path,
        data_dir=records_dir,
        objective="electric",
        generator="two_tower",
        num_train_steps=6,
    )
    assert finished.code == 0, finished.err
    return path


@pytest.fixture(scope="module")
def model(folder):
    return from_pretrained(folder)


def alone(model, text):
    """-sum of the energies of one text, token by token, without padding."""
    words = model.tokenizer.tokenize(tf.constant([text])).numpy()[0]
    ids = [model.tokenizer.cls_id, *words, model.tokenizer.sep_id]
    ids = tf.constant([ids], tf.int32)
    network = model.networks["energy"]
    energies = network(ids, tf.ones_like(ids), tf.zeros_like(ids)).numpy()[0]
    return -sum(float(energies[t + 1]) for t in range(len(words)))


def test_scores_are_minus_the_energies_whatever_else_is_in_the_batch(model):
    expected = [alone(model, text) for text in TEXTS]
    for batch_size in (1, 2, 32):
        found = model.pseudo_log_likelihood(TEXTS, batch_size)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert found[-1] == 0
    assert len(set(np.round(found, 4))) == len(TEXTS)


def test_public_name_takes_a_model_or_a_path(model, folder):
    expected = model.pseudo_log_likelihood(TEXTS)
    for given in (model, folder):
        found = electra_tf.pseudo_log_likelihood(TEXTS, given)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert electra_tf.pseudo_log_likelihood([], model).shape == (0,)


def test_what_cannot_be_scored(model, tiny_model):
    with pytest.raises(InputError, match="at most 30 tokens; received 'we we"):
        model.pseudo_log_likelihood(["we", "we " * 31])
    with pytest.raises(InputError, match="list of texts"):
        model.pseudo_log_likelihood("we")
    with pytest.raises(InputError, match=r"texts\[1\] must be a text"):
        model.pseudo_log_likelihood(["we", None])
    for batch_size in (0, 2.5, None):
        with pytest.raises(InputError, match="batch_size must be a positive"):
            model.pseudo_log_likelihood(["we"], batch_size)
    with pytest.raises(InputError, match=r"no energy.*objective=electra"):
        tiny_model.pseudo_log_likelihood(["we"])
    with pytest.raises(InputError, match="no discriminator"):
        model.detect(["we"])


def test_an_electric_still_fills_masks_and_encodes(model):
    best = model.fill_mask("the state of the [MASK]", top_k=3)
    assert [p for _, p in best] == sorted((p for _, p in best), reverse=True)
    assert model.encoder is model.networks["energy"].encoder


def score(folder, path, *flags):
    return tiny.command(
        "score_text", f"--model_dir={folder}", f"--input={path}", *flags
    )


def test_lines_are_one_list(folder, model, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("\n".join([*TEXTS[:3], "", TEXTS[3]]) + "\n")
    finished = score(folder, path)
    assert finished.code == 0, finished.err
    rows = [line.split("\t") for line in finished.out.splitlines()]
    assert [row[2] for row in rows] == TEXTS[:4]
    expected = model.pseudo_log_likelihood(TEXTS[:4])
    np.testing.assert_allclose(
        [float(row[1]) for row in rows], expected, atol=1e-3
    )
    order = np.argsort(-expected)
    assert [int(rows[n][0]) for n in order] == [1, 2, 3, 4]


def test_only_newlines_end_a_line(tmp_path):
    lines = ["a\t1\tone\u2028two", "a\t2\tthree\x0cfour\x85", "a\t3\tfive"]
    for end, mark in (("\n", ""), ("\r\n", "\ufeff")):
        path = tmp_path / "lines.tsv"
        path.write_bytes((mark + end.join(lines)).encode())
        found = read_candidates(str(path))
        assert [candidate.line for candidate in found] == lines
        assert {candidate.name for candidate in found} == {"a"}


def test_lists_of_candidates_are_ranked_apart(folder, model, tmp_path):
    lines = [
        f"a\t-1.5\t{TEXTS[0]}",
        f"b\t-2.5\t{TEXTS[2]}",
        f"a\t-0.5\t{TEXTS[1]}",
        f"b\t-3.5\t{TEXTS[3]}",
    ]
    path, output = tmp_path / "nbest.tsv", tmp_path / "best.tsv"
    path.write_text("\n".join(lines))
    finished = score(folder, path, f"--output={output}", "--best")
    assert finished.code == 0, finished.err
    scores = model.pseudo_log_likelihood([TEXTS[n] for n in (0, 2, 1, 3)])
    best = [max(pair, key=lambda n: scores[n]) for pair in ((0, 2), (1, 3))]
    assert output.read_text().splitlines() == [
        f"1\t{scores[n]:.4f}\t{lines[n]}" for n in sorted(best)
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a\t1\tgood\nb\t1\t \n", "line 2"),
        (b"\xff\xfe", "UTF-8"),
        (None, "cannot read"),
    ],
)
def test_what_cannot_be_read(folder, tmp_path, content, told):
    path = tmp_path / "input"
    if content is not None:
        path.write_bytes(content)
    assert told in score(folder, path).error()


@pytest.mark.parametrize("missing", ["model_dir", "input"])
def test_flags_that_must_be_given(folder, missing):
    flags = {"model_dir": folder, "input": "lines.txt"}
    del flags[missing]
    given = [f"--{name}={value}" for name, value in flags.items()]
    assert missing in tiny.command("score_text", *given).error()
