"""Scores of texts by each method, and the command that ranks by them."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf
import tiny
from tiny_pretraining import randomize, tiny_config

import electra_tf
from electra_tf.cli.weights import read_candidates
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError
from electra_tf.modeling.networks import variables_of
from electra_tf.pretrained import PretrainedElectra, from_pretrained
from electra_tf.pretraining.factory import make_networks
from electra_tf.weights import open_weights, save_weights

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


SEVEN = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##do")


def seven(objective, generator="transformer"):
    """A random model of seven tokens."""
    config = tiny_config(
        vocab_size=7, objective=objective, generator=generator, tying="none"
    )
    networks = make_networks(config)
    randomize(variables_of(networks.values()), scale=0.5)
    return PretrainedElectra(config, Tokenizer(SEVEN), networks)


def enumerated(network, method, tokens):
    """The score by its definition: one row at a time, all in NumPy."""

    def row(pieces):
        ids = [SEVEN.index(p) for p in ("[CLS]", *pieces, "[SEP]")]
        ids = tf.constant([ids], tf.int32)
        return ids, tf.ones_like(ids), tf.zeros_like(ids)

    total = 0.0
    for t, token in enumerate(tokens):
        if method in ("electric", "rtd"):
            value = float(network(*row(tokens))[0, t + 1])
            chance = 1 / (1 + np.exp(value))  # P(original)
            total += -value if method == "electric" else np.log(chance)
            continue
        shown = list(tokens)
        shown[t] = "[MASK]"
        if method == "pll_word":
            rest = itertools.takewhile(lambda p: p == "##do", tokens[t + 1 :])
            for place, _ in enumerate(rest, t + 1):
                shown[place] = "[MASK]"
        logits = network(*row(shown), tf.constant([[t + 1]]))[0, 0]
        weights = np.exp(logits.numpy().astype(np.float64))
        assert len(weights) == len(SEVEN)
        total += np.log(weights[SEVEN.index(token)] / weights.sum())
    return total


@pytest.mark.parametrize(
    ("method", "objective", "generator", "name"),
    [
        ("electric", "electric", "two_tower", "energy"),
        ("rtd", "electra", "transformer", "discriminator"),
        ("pll", "electra", "transformer", "generator"),
        ("pll", "electra", "two_tower", "generator"),
        ("pll", "replace_mlm", "transformer", "main"),
        ("pll_word", "electra", "transformer", "generator"),
    ],
)
def test_every_text_of_seven_tokens(method, objective, generator, name):
    """Up to four tokens: x is unknown, "undo" is un ##do. Whatever is with it
    in a batch, a text has one score."""
    texts = [
        "".join(parts).strip()
        for n in range(3)
        for parts in itertools.product((" un", " undo", " x"), repeat=n)
    ]
    pieces = [
        text.replace("undo", "un ##do").replace("x", "[UNK]").split()
        for text in texts
    ]
    model = seven(objective, generator)
    network = model.networks[name]
    expected = [enumerated(network, method, tokens) for tokens in pieces]
    for size in (5, 128):
        found = model.pseudo_log_likelihood(texts, size, method)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert found[0] == 0
    if method == "pll_word":  # else than pll where words have pieces
        plain = model.pseudo_log_likelihood(texts, 9, "pll")
        has_pieces = ["undo" in text for text in texts]
        assert list(np.abs(found - plain) > 1e-5) == has_pieces
    twice = model.pseudo_log_likelihood([*texts, *map(str.upper, texts)], 7)
    np.testing.assert_array_equal(*np.split(twice, 2))


def test_progress_counts_texts():
    texts = ["un", "undo un", "un", "", "undo undo", "undo un un un x"]
    for method in ("rtd", "pll"):
        for size in (1, 3, 99):
            told = []
            seven("electra").scorer(method)(texts, size, told.append)
            assert sum(told) == len(texts)


def test_what_auto_means(tmp_path):
    weights = open_weights("tiny")
    for objective, wanted in (("electra", "rtd"), ("mlm", "pll")):
        assert seven(objective).scorer().method == wanted
    whole = seven("electra")
    for name, wanted in (("generator", "pll"), ("discriminator", "rtd")):
        part = {name: whole.networks[name]}
        half = PretrainedElectra(whole.config, whole.tokenizer, part)
        assert half.scorer().method == wanted
    electric = seven("electric", "two_tower")
    electric.scoring = "pll"
    assert electric.scorer().method == "electric"
    named = dataclasses.replace(weights, scoring="pll_word")
    save_weights(named, str(tmp_path / "named"))
    model = from_pretrained(tmp_path / "named")
    assert model.scorer().method == "pll_word"
    assert model.scorer("rtd").method == "rtd"
    assert model.scorer("pll") is model.scorer("pll")
    config = (tmp_path / "named" / "config.json").read_text()
    config = config.replace('"pll_word"', '"loudness"')
    (tmp_path / "named" / "config.json").write_text(config)
    with pytest.raises(InputError, match=r"must name one of .*'loudness'"):
        from_pretrained(tmp_path / "named")


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
        tiny_model.pseudo_log_likelihood(["we"], method="electric")
    with pytest.raises(InputError, match=r"method must be one of .*'loud'"):
        tiny_model.pseudo_log_likelihood(["we"], method="loud")
    with pytest.raises(InputError, match="no discriminator"):
        model.pseudo_log_likelihood(["we"], method="rtd")
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


def test_scores_by_another_method(tiny_run, tiny_model, tmp_path):
    path, named = tmp_path / "lines.txt", str(tmp_path / "named")
    path.write_text("\n".join(TEXTS[:4]))
    for given, method in (("pll_word", "pll_word"), ("auto", "rtd")):
        finished = score(tiny_run.folder, path, f"--method={given}")
        found = [float(r.split("\t")[1]) for r in finished.out.splitlines()]
        expected = tiny_model.pseudo_log_likelihood(TEXTS[:4], method=method)
        np.testing.assert_allclose(found, expected, atol=1e-3)
    convert = ("convert_weights", "--input=tiny", f"--output={named}")
    assert tiny.command(*convert, "--scoring=pll").code == 0
    assert from_pretrained(named).scorer().method == "pll"
    line = tiny.command(*convert, "--scoring=pll", "--to=tf1").error()
    assert "scoring needs to=electra_tf" in line


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
