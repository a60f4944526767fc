"""`predict.py`: a row out for each row in, by models and by SavedModels."""

import json
import pathlib

import keras
import numpy as np
import pytest
import tiny
import tiny_finetune
from tiny_finetune import LENGTH

import electra_tf
from electra_tf.serving.export import export_finetuned

TEXTS = [
    "The state of the union \U0001f600 is strong.",
    "we the people of the United States of America want peace and " * 3,
    "Congress",
    "Caf\u00e9 na\u00efve",
]
OTHERS = ["peace", "war and \u00e9t\u00e9 peace", "who is it", "the people"]
MODELS = {
    "classify": (electra_tf.Classifier, {"labels": ("a", "\u00e9")}),
    "several": (
        electra_tf.Classifier,
        {"labels": ("a", "b"), "multi_label": True, "thresholds": 0.4},
    ),
    "regress": (electra_tf.Regressor, {}),
    "rank": (electra_tf.Ranker, {}),
    "tag": (electra_tf.Tagger, {"labels": ("O", "B-X", "I-X", "S-X")}),
    "answer": (electra_tf.SpanQA, {"num_beams": 3, "doc_stride": 3}),
    "encode": (electra_tf.SentenceEncoder, {"pooling": "cls"}),
}
PAIRS = {"rank": ("query", "passage"), "answer": ("question", "context")}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("pretrained") / "model")
    return tiny_finetune.write_pretrained(folder)


@pytest.fixture(scope="module")
def models(pretrained):
    keras.utils.set_random_seed(6)
    return {
        name: cls.from_pretrained(pretrained, max_seq_length=LENGTH, **given)
        for name, (cls, given) in MODELS.items()
    }


def write(path: pathlib.Path, **columns) -> str:
    """The columns as a table of the kind that the name says."""
    rows = list(zip(*columns.values(), strict=True))
    if path.suffix == ".jsonl":
        named = [dict(zip(columns, row, strict=True)) for row in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in named))
    elif path.suffix == ".txt":
        path.write_text("".join(f"{text}\n" for (text,) in rows))
    else:
        mark = {".csv": ",", ".tsv": "\t"}[path.suffix]
        path.write_text("".join(mark.join(r) + "\n" for r in [columns, *rows]))
    return str(path)


def ask(folder, model, source, *more):
    out = folder / "out.tsv"
    finished = tiny.command(
        "predict", f"--model={model}", f"--input={source}", f"--output={out}",
        "--batch_size=2", *more,
    )  # fmt: skip
    assert finished.code == 0, finished.err
    lines = out.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    header, *rows = [line.split("\t") for line in lines]
    assert [row[0] for row in rows] == [str(n) for n in range(len(rows))]
    return header[1:], [row[1:] for row in rows], finished


def near(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def check(name, model, rows):
    """What the model itself says."""
    cells = [
        [json.loads(cell) if cell[:1] in "[{" else cell for cell in row]
        for row in rows
    ]
    if name in ("classify", "several"):
        logits = model.predict(TEXTS, verbose=0)
        scores = keras.ops.sigmoid(logits)
        if name == "classify":
            scores = keras.ops.softmax(logits)
        near([[*row[1].values()] for row in cells], scores)
        assert [*cells[0][1]] == list(model.labels)
        best = [model.labels[n] for n in logits.argmax(-1)]
        if name == "several":
            best = [
                [n for n, s in zip(model.labels, row, strict=True) if s >= 0.4]
                for row in np.asarray(scores)
            ]
        assert [row[0] for row in cells] == best
    elif name == "regress":
        near([float(x) for (x,) in rows], model.predict(TEXTS, verbose=0))
    elif name == "rank":
        pairs = {"text": TEXTS, "text_pair": OTHERS}
        near([float(x) for (x,) in rows], model.predict(pairs, verbose=0))
    elif name == "encode":
        near([row[0] for row in cells], model.embed(TEXTS))
    elif name == "tag":
        tagged = model.predict_tags(TEXTS)
        words = [[[w.word for w in r], [w.tag for w in r]] for r in tagged]
        assert [row[:2] for row in cells] == words
        entities = model.predict_entities(TEXTS)
        found = [[(e["text"], e["start"]) for e in row[2]] for row in cells]
        assert found == [[(e.text, e.start) for e in row] for row in entities]
    else:
        for (answer, start, end, *_), context in zip(rows, OTHERS, strict=True):
            assert context[int(start) : int(end)] == answer


@pytest.mark.parametrize("name", MODELS)
def test_a_fine_tuned_model(name, models, tmp_path):
    model = str(tmp_path / "model.keras")
    models[name].save(model)
    first, second = PAIRS.get(name, ("text", ""))
    columns = {first: TEXTS} | ({second: OTHERS} if second else {})
    source = write(tmp_path / "in.jsonl", **columns)
    _, rows, finished = ask(tmp_path, model, source)
    check(name, models[name], rows)
    assert " a second" in finished.out


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_says_the_same(name, models, tmp_path):
    model = str(tmp_path / "model.keras")
    models[name].save(model)
    export_finetuned(models[name], str(tmp_path / "served" / "1"), warmup=False)
    first, second = PAIRS.get(name, ("text", ""))
    columns = {first: TEXTS} | ({second: OTHERS} if second else {})
    source = write(tmp_path / "in.tsv", **columns)
    for path in (tmp_path / "served", tmp_path / "served" / "1"):
        _, rows, _ = ask(tmp_path, path, source)
        check(name, models[name], rows)


@pytest.mark.parametrize(
    ("what", "kind"),
    [("detect", ".txt"), ("embed", ".txt"), ("embed", ".csv")],
)
def test_a_pretrained_model(what, kind, pretrained, tmp_path):
    source = write(tmp_path / f"in{kind}", text=TEXTS)
    _, rows, _ = ask(tmp_path, pretrained, source, f"--what={what}")
    model = electra_tf.from_pretrained(pretrained)
    if what == "embed":
        near([json.loads(row[0]) for row in rows], model.embed(TEXTS))
        return
    for text, row, tokens in zip(TEXTS, rows, model.detect(TEXTS), strict=True):
        names, scores, starts, ends = map(json.loads, row)
        assert names == [token.token for token in tokens]
        near(scores, [token.probability for token in tokens])
        content = text.encode()
        for token, start, end in zip(tokens, starts, ends, strict=True):
            assert text[start:end] == content[token.start : token.end].decode()


@pytest.mark.slow
def test_pairs_by_the_columns_that_are_there(models, tmp_path):
    model = str(tmp_path / "model.keras")
    models["regress"].save(model)
    pairs = {"text": TEXTS, "text_pair": OTHERS}
    expected = models["regress"].predict(pairs, verbose=0)
    source = write(tmp_path / "in.tsv", **pairs)
    _, rows, _ = ask(tmp_path, model, source)
    near([float(x) for (x,) in rows], expected)
    _, rows, _ = ask(tmp_path, model, source, "--columns=text_pair,text")
    swapped = {"text": OTHERS, "text_pair": TEXTS}
    expected = models["regress"].predict(swapped, verbose=0)
    near([float(x) for (x,) in rows], expected)


def test_bad_rows(models, tmp_path):
    """Named, and empty in their places."""
    model = str(tmp_path / "model.keras")
    models["regress"].save(model)
    source, out = tmp_path / "in.jsonl", tmp_path / "out.tsv"
    good = [json.dumps({"text": text}).encode() for text in TEXTS]
    bad = [b"{", b'{"text": ["a"]}', b'{"text": " "}', b'{"t": "a"}', b"\xff"]
    source.write_bytes(b"\n".join([bad[0], good[0], *bad[1:], *good[1:]]))
    given = [f"--model={model}", f"--input={source}", f"--output={out}"]
    line = tiny.command("predict", *given).error()
    assert "line 1" in line
    assert "--skip_bad" in line
    assert not out.exists()
    _, rows, finished = ask(tmp_path, model, source, "--skip_bad")
    assert [row == [""] for row in rows] == [
        True, False, True, True, True, True, False, False, False,
    ]  # fmt: skip
    found = [float(row[0]) for row in rows if row != [""]]
    near(found, models["regress"].predict(TEXTS, verbose=0))
    named = [x for x in finished.err.splitlines() if x.startswith("bad row: ")]
    assert [int(x.partition(", line ")[2].split(":")[0]) for x in named] == [
        1, 3, 4, 5, 6,
    ]  # fmt: skip
    assert "5 bad ones are empty" in finished.out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--input={0}/none.txt"], "a file must exist"),
        (["--input={0}/empty.txt"], "must hold rows"),
        (["--input={0}/in.pdf"], "name must end in"),
        (["--columns=text"], "must have one column 'text'"),
        (["--columns=a,b"], "embed reads 1 columns; received 2"),
        (["--what=classify"], "what must be one of"),
        (["--what="], "what must be given for a pre-trained model"),
        (["--output={0}"], "output must be a file"),
        (["--model={0}/none"], "none"),
        (["--batch_size=0"], "batch_size must be"),
    ],
)
def test_what_is_refused(flags, message, pretrained, tmp_path):
    (tmp_path / "empty.txt").touch()
    (tmp_path / "in.pdf").touch()
    source = write(tmp_path / "in.tsv", a=TEXTS, b=OTHERS)
    before = tiny.tree(tmp_path)
    finished = tiny.command(
        "predict", f"--model={pretrained}", f"--input={source}",
        f"--output={tmp_path}/out.tsv", "--what=embed",
        *(flag.format(tmp_path) for flag in flags),
    )  # fmt: skip
    assert message in finished.error()
    assert tiny.tree(tmp_path) == before
