"""Readers of a user's files: whatever the bytes, a result or one line.

What is read is encoded, too: a text that only later stages cannot take would
else be found in the middle of a run.
"""

import json
import pathlib
import tempfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from electra_tf.config.finetuning import TaskOptions
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError
from electra_tf.files import read_json
from electra_tf.finetune.run import open_task
from electra_tf.finetune.tasks.conll import Sentence
from electra_tf.finetune.tasks.squad import Question

TOKENIZER = Tokenizer(
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefxyz?.", "##a"]
)
SETTINGS = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

# Texts near what files hold: separators of all kinds, marks, half characters.
TEXTS = st.one_of(
    st.sampled_from(["", " ", "a", "b c", "\ufeff", "a\x00b", "\r", "\u2028"]),
    st.text(
        alphabet='ab \t\n\r,"\x0b\x0c\x1c\x85\u2028\u00a0\ufeff0-', max_size=8
    ),
    st.text(max_size=8),
    st.sampled_from(
        ["\ud83d", "a\udc00", "\U0001f600", "null", "nan", "1e999"]
    ),
)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, TEXTS
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=6,
)


def spoiled(value):
    """The value as JSON, with any one part of it in another's place."""
    places = list(_places(value))

    def put(place, other):
        return json.dumps(_replaced(value, place, other))

    return st.builds(put, st.sampled_from(places), VALUES)


def _places(value, place=()):
    yield place
    items = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield from _places(inner, (*place, key))


def _replaced(value, place, other):
    if not place:
        return other
    copy = value.copy()
    copy[place[0]] = _replaced(value[place[0]], place[1:], other)
    return copy


def changed(contents):
    """Bytes near those of a text: some cut out, some put in; or any bytes."""
    cut = st.tuples(
        contents.map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.integers(0, 200),
        st.integers(0, 4),
        st.binary(max_size=3),
    )
    near = cut.map(lambda c: c[0][: c[1]] + c[3] + c[0][c[1] + c[2] :])
    whole = contents.map(lambda text: text.encode("utf-8", "surrogatepass"))
    return st.one_of(whole, near, st.binary(max_size=40))


def rows(separator, cells=TEXTS):
    row = st.tuples(cells, cells).map(separator.join)
    return st.lists(row, min_size=1, max_size=5).map("\n".join)


TABLE = "text{0}label\na{0}x\nb c{0}y\n"
QUESTION = {
    "id": "q",
    "question": "a?",
    "answers": [{"text": "b", "answer_start": 2}],
    "is_impossible": False,
}
SQUAD = {
    "data": [
        {"title": "t", "paragraphs": [{"context": "a b", "qas": [QUESTION]}]}
    ]
}
MRQA = {
    "context": "a b",
    "qas": [
        {
            "qid": "q",
            "question": "a?",
            "answers": ["b"],
            "detected_answers": [{"text": "b", "char_spans": [[2, 2]]}],
        }
    ],
}
JSON_LINES = spoiled([{"text": "a", "label": "x"}, {"text": "b", "label": 1}])
FILES = {
    "jsonl": ("custom", ".jsonl", JSON_LINES.map(
        lambda text: text.strip("[]").replace("}, {", "}\n{")
    )),
    "numbers": ("custom", ".csv", rows(",", st.one_of(
        TEXTS, st.floats().map(str), st.integers().map(str)
    )).map("text,label\na,1\n".__add__)),
    "csv": ("custom", ".csv", rows(",").map(TABLE.format(",").__add__)),
    "tsv": ("custom", ".tsv", rows("\t").map(TABLE.format("\t").__add__)),
    "gz": ("custom", ".tsv.gz", rows("\t")),
    "squad": ("squad2", ".json", spoiled(SQUAD)),
    "mrqa": ("mrqa", ".jsonl", spoiled(MRQA)),
    "conll": (
        "tagging",
        ".txt",
        rows("\t", st.one_of(
            st.sampled_from("O B-x I-x o B- L-x -DOCSTART-".split()),
            TEXTS,
        )),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
@SETTINGS
@given(data=st.data())
def test_a_result_or_one_line(kind, data):
    name, ending, contents = FILES[kind]
    content = data.draw(changed(contents))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, f"file{ending}")
        path.write_bytes(content)
        options = TaskOptions(
            train_file=str(path),
            dev_file=str(path),
            test_file=str(path),
            do_predict=True,
            label_kind="number" if kind == "numbers" else "class",
        )
        task = result_of(lambda: open_task(name, options))
    if task is None:
        return
    encoded = task.encode(TOKENIZER, task.splits.train, 80, is_training=True)
    assert len(encoded.inputs["input_ids"])
    for examples in (*task.splits.dev.values(), *task.splits.test.values()):
        task.encode(TOKENIZER, examples, 80)
        for text in texts_of(examples):
            text.encode("utf-8")  # as it is written into files


def result_of(call):
    """What it returns; None where it is refused in one line."""
    try:
        return call()
    except InputError as error:
        message = str(error)
    assert len(message.splitlines()) == 1
    return None


def texts_of(examples):
    """All that must be text in examples of any task."""
    for example in examples:
        if isinstance(example, Question):
            yield from (example.id, example.question, example.context)
            yield from example.answers
        elif isinstance(example, Sentence):
            yield from (*example.words, *(example.tags or ()))
        else:
            yield example.text
            yield (
                "" if isinstance(example.label, float) else example.label or ""
            )


@SETTINGS
@given(content=changed(VALUES.map(json.dumps)))
def test_our_own_json_is_an_object_or_one_line(content):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "result.json")
        path.write_bytes(content)
        found = result_of(lambda: read_json(str(path)))
    assert found is None or isinstance(found, dict)
