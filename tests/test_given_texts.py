"""Texts that Python code gives to a pre-trained model, in any form."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from electra_tf.data.columns import text_tensor
from electra_tf.errors import InputError
from electra_tf.pretrained import from_pretrained

TEXTS = ["the state of", "", "né \u2028 \U0001f600"]
FORMS = {
    "tuple": tuple(TEXTS),
    "bytes": [text.encode() for text in TEXTS],
    "array": np.array(TEXTS),
    "array of objects": np.array(TEXTS, object),
    "column": np.array(TEXTS)[:, None],
    "tensor": tf.constant(TEXTS),
    "column as tensor": tf.constant(TEXTS)[:, None],
    "Series": pd.Series(TEXTS, index=[7, 8, 9]),
    "Series of pandas' kind": pd.Series(TEXTS, dtype="string"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_texts(form):
    found = text_tensor("texts", FORMS[form])
    assert found.numpy().tolist() == [text.encode() for text in TEXTS]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("one text", r"texts must be a list .* received 'str'"),
        (b"one text", "received 'bytes'"),
        ({"a", "b"}, "received 'set'"),
        ({"text": ["a"]}, "received 'dict'"),
        (None, "received 'NoneType'"),
        (7, "received 'int'"),
        (pd.DataFrame({"text": ["a"]}), "received 'DataFrame'"),
        (["a", None], r"texts\[1\] must be a text; received 'None'"),
        (pd.Series(["a", None]), r"texts\[1\] must be a text; received 'nan'"),
        (["a", 7], r"texts\[1\] must be a text; received '7'"),
        ([["a", "b"]], r"texts\[0\] must be a text"),
        (np.array([["a", "b"]]), r"texts\[0\] must be a text"),
        (tf.constant([["a", "b"]]), "texts must have one axis"),
        (np.ones(3), r"texts\[0\] must be a text; received '1.0'"),
    ],
)
def test_what_are_no_texts_is_one_short_line(given, message):
    with pytest.raises(InputError, match=message) as caught:
        text_tensor("texts", given)
    assert len(str(caught.value)) < 120
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_lone_surrogate_is_the_replacement_character(tiny_model):
    """In places, too: what stands behind it does not move."""
    broken, whole = "we \ud83d\ude00 the\udc00", "we \ufffd\ufffd the\ufffd"
    assert tiny_model.detect([broken]) == tiny_model.detect([whole])
    assert tiny_model.detect([broken])[0][-1].start == len(
        whole.removesuffix("the\ufffd").encode()
    )
    found = tiny_model.fill_mask(f"{broken} [MASK]")
    assert found == tiny_model.fill_mask(f"{whole} [MASK]")


def test_a_pre_trained_model_takes_every_form(tiny_model):
    expected = tiny_model.detect(TEXTS)
    for form in ("bytes", "tensor", "Series"):
        assert tiny_model.detect(FORMS[form]) == expected
    assert tiny_model.detect(np.array([], str)) == []
    found = tiny_model.fill_mask(b"the [MASK]")
    assert found == tiny_model.fill_mask("the [MASK]")


@pytest.mark.parametrize("text", [None, 7, ["the [MASK]"]])
def test_one_text_must_be_one(tiny_model, text):
    with pytest.raises(InputError, match="text must be a text; received"):
        tiny_model.fill_mask(text)


@pytest.mark.parametrize("top_k", [2.5, "3", None, float("nan"), 0])
def test_a_count_must_be_one(tiny_model, top_k):
    with pytest.raises(InputError, match="top_k must be a whole number"):
        tiny_model.fill_mask("the [MASK]", top_k)


@pytest.mark.parametrize("name", [None, 7, b"tiny", ["tiny"]])
def test_weights_are_named_by_a_path(name):
    with pytest.raises(InputError, match="must be a name or a path"):
        from_pretrained(name)
