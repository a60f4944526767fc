"""Whatever a caller sends: an answer or a clear error, and his own.

Through the session loader, as TensorFlow Serving does.
"""

import numpy as np
import pytest
import tensorflow as tf
import tiny
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from electra_tf.serving.replay import by_session

ROWS = tiny.FLAGS["max_position_embeddings"]
VOCAB = len(tiny.vocab())
NAMES = ("input_ids", "input_mask", "segment_ids")
TEXTS = {
    "empty": b"",
    "spaces": b" \t\n\r ",
    "invalid UTF-8": b"state \xff\xfe of \xc3\x28 \xed\xa0\x80 union\xf0\x9f",
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f600".encode(),
    "right to left": "\u202eשלום مرحبا union".encode(),
    "NUL": b"\x00state\x00union\x00",
    "only marks": "\u0301\u0301\u0301".encode(),
    "lone continuation": b"\x80\x80\x80",
    "long word": b"a" * 5000,
    "specials": b"[CLS] [SEP] [PAD] [UNK] [MASK]",
    "greek": "ΣΣΣ İİ ẞ ﬁ ½ …".encode(),
}


@pytest.fixture(scope="module")
def answer(tiny_export):
    return by_session(tiny_export)


def ids_of(rows=2, length=6):
    ids = np.full([rows, length], 7, np.int64)
    return dict(zip(NAMES, (ids, ids * 0 + 1, ids * 0), strict=True))


def alone(answer, signature, text):
    return answer(signature, {"text": np.array([text], object)})


def assert_row(together, row, single):
    """A row of a batch is what the text gets alone; behind it is padding."""
    for name, array in together.items():
        found, expected = array[row], single[name][0]
        if found.ndim:
            rest = found[len(expected) :]
            found = found[: len(expected)]
            assert all(not x for x in rest.flat), name
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        else:
            np.testing.assert_array_equal(found, expected, err_msg=name)


@pytest.mark.parametrize("signature", ["detect", "embed", "fill_mask"])
def test_any_text_gets_its_own_answer(answer, signature):
    texts = np.array(list(TEXTS.values()), object)
    together = answer(signature, {"text": texts})
    for row, text in enumerate(texts):
        assert_row(together, row, alone(answer, signature, text))


def test_offsets_stay_inside_the_text(answer):
    texts = np.array(list(TEXTS.values()), object)
    found = answer("detect", {"text": texts})
    for row, text in enumerate(texts):
        count = found["num_tokens"][row]
        starts, ends = found["starts"][row], found["ends"][row]
        assert (starts[:count] < ends[:count]).all()
        assert (ends[:count] <= len(text)).all()
        assert np.isfinite(found["probabilities"][row]).all()


def test_a_megabyte_of_text_is_cut_and_said_so(answer):
    texts = np.array([b"the union " * 100_000, b"a" * 1_000_000, b"x"], object)
    found = answer("detect", {"text": texts})
    assert found["truncated"].tolist() == [True, False, False]
    assert found["num_tokens"].tolist() == [ROWS - 2, 1, 1]
    assert_row(found, 2, alone(answer, "detect", b"x"))


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_batches_of_any_size(answer, rows):
    texts = np.array([b"the union"] * rows, object).reshape([rows])
    found = answer("detect", {"text": texts})
    assert found["num_tokens"].tolist() == [2] * rows
    assert len(answer("embed", {"text": texts})["pooled"]) == rows
    assert len(answer("fill_mask", {"text": texts})["tokens"]) == rows
    found = answer("detect_ids", ids_of(rows))
    assert found["probabilities"].shape == (rows, 6)


def with_value(name, place, value):
    inputs = ids_of()
    inputs[name][place] = value
    return inputs


def cut(name, *index):
    inputs = ids_of()
    return {**inputs, name: inputs[name][index]}


one_row, five = slice(0, 1), slice(0, 5)
REFUSED = [
    (
        with_value("input_ids", (0, 3), VOCAB),
        "input_ids must lie between 0 and",
    ),
    (with_value("input_ids", (1, 0), -1), "input_ids must lie between 0 and"),
    (with_value("input_ids", (0, 0), 2**32 + 7), "input_ids must lie between"),
    (
        with_value("input_mask", (0, 0), 2),
        "input_mask must lie between 0 and 1",
    ),
    (with_value("segment_ids", (0, 0), 2), "segment_ids must lie between"),
    (cut("input_mask", one_row), "input_mask must be shaped as input_ids"),
    (cut("segment_ids", one_row), "segment_ids must be shaped as input_ids"),
    (cut("input_mask", slice(None), five), "input_mask must be shaped"),
    (ids_of(2, 0), f"rows must have between 1 and {ROWS} ids"),
    (ids_of(2, ROWS + 1), f"rows must have between 1 and {ROWS} ids"),
]


@pytest.mark.parametrize("signature", ["detect_ids", "embed_ids"])
@pytest.mark.parametrize(("inputs", "message"), REFUSED)
def test_wrong_ids_are_refused_with_the_rule(
    answer, signature, inputs, message
):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        answer(signature, inputs)
    # And the next caller is served.
    assert answer(signature, ids_of())


def test_missing_keys_and_wrong_types_are_refused(answer):
    inputs = ids_of()
    with pytest.raises(tf.errors.InvalidArgumentError, match="feed a value"):
        answer("detect_ids", {"input_ids": inputs["input_ids"]})
    with pytest.raises((ValueError, TypeError, tf.errors.OpError)):
        answer("detect_ids", {**inputs, "input_ids": np.array([["a"]])})
    with pytest.raises((ValueError, TypeError, tf.errors.OpError)):
        answer("detect", {"text": np.array([[b"a", b"b"]], object)})


def test_a_mask_with_holes_or_of_zeros_is_answered_as_by_the_model(
    answer, tiny_model
):
    """Buckets go by the last 1, and leave a row of zeros whole."""
    inputs = ids_of(3, ROWS)
    inputs["input_mask"][0, 1:-1] = 0
    inputs["input_mask"][1] = 0
    inputs["input_mask"][2, 5:] = 0
    found = answer("embed_ids", inputs)["pooled"]
    ids = [tf.constant(x, tf.int32) for x in inputs.values()]
    expected = tiny_model.encoder(*ids)[:, 0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def request_texts():
    """Bytes of every kind: words, all of Unicode, broken UTF-8."""
    words = st.lists(st.sampled_from(tiny.vocab()[5:]), max_size=60)
    return st.one_of(
        st.sampled_from(sorted(TEXTS.values())),
        words.map(lambda parts: " ".join(parts).encode()),
        st.text(max_size=80).map(lambda x: x.encode("utf-8", "surrogatepass")),
        st.text(max_size=30).map(lambda x: f"{x}[MASK]{x}".encode()),
        st.binary(max_size=80),
    )


@pytest.mark.slow
@settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(
    texts=st.lists(request_texts(), min_size=1, max_size=5),
    signature=st.sampled_from(["detect", "embed", "fill_mask"]),
)
def test_500_requests_of_any_bytes(answer, texts, signature):
    together = answer(signature, {"text": np.array(texts, object)})
    for row, text in enumerate(texts):
        assert_row(together, row, alone(answer, signature, text))
