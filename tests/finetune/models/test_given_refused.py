"""What cannot be learned: one short line, before anything is trained."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tiny_finetune import FOUR_TEXTS as TEXTS
from tiny_finetune import (
    LABELS,
    LENGTH,
    NAMES,
    NUMBERS,
    TAGS,
    WORDS,
    compiled_models,
    id_batch,
)

from electra_tf.errors import InputError
from electra_tf.finetune.models.classifiers import Classifier, Regressor
from electra_tf.finetune.models.span_qa import SpanQA
from electra_tf.finetune.models.tagger import Tagger


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return compiled_models(str(tmp_path_factory.mktemp("models") / "model"))


IDS = id_batch()
SPANS = {"start": [1] * 4, "end": [2] * 4, "is_impossible": [0] * 4}
PAIRS = {"text": TEXTS, "text_pair": TEXTS}
REFUSED = [
    (Classifier, "a text", [0], "x must be a list.* received 'str'"),
    (Classifier, set(TEXTS), NUMBERS, "x must be a list.* received 'set'"),
    (Classifier, [], [], "x must hold a row or more; received 0"),
    (Classifier, {"text": []}, [], r"x\['text'\] must hold a row or more"),
    (Classifier, ["a", None], [0, 1], r"x\[1\] must be a text; rec.* 'None'"),
    (Classifier, pd.Series(["a", None]), [0, 1], r"x\[1\] must be a text"),
    (Classifier, [1, 2], [0, 1], "text must hold texts"),
    (Classifier, [("a", "b")], [0], "each text must be one str .pairs are"),
    (Classifier, {"txt": TEXTS}, NUMBERS, "inputs must be texts, or a dict"),
    (Classifier, {**PAIRS, "text_pair": ["a"]}, NUMBERS, "the same length"),
    (Classifier, TEXTS, [0, 1], r"same length; received \[4, 2\]"),
    (Classifier, TEXTS, "no", "y must be a list.* received 'str'"),
    (Classifier, TEXTS, [{"no"}] * 4, "y must hold .* received"),
    (Classifier, TEXTS, set(NAMES), "y must be a list.* received 'set'"),
    (Classifier, TEXTS, {"a": NUMBERS}, "targets must be one column"),
    (Classifier, TEXTS, ["no", "yes", "no", "x"], r"of the labels .*ed 'x'"),
    (Classifier, TEXTS, [0, 1, None, 1], "y must hold texts alone, or numb"),
    (Classifier, TEXTS, [0, 1, np.nan, 1], "between 0 and 2; received nan"),
    (Classifier, TEXTS, [0, 1, 0.5, 1], "between 0 and 2; received 0.5"),
    (Classifier, TEXTS, [0, 1, 3, 1], "between 0 and 2; received 3"),
    (Classifier, TEXTS, [0, -1, 0, 1], "between 0 and 2; received -1"),
    (Classifier, TEXTS, np.eye(3)[NUMBERS], r"multi_label.*\(4, 3\)"),
    (Classifier, TEXTS, [["no"], ["no", "yes"], [], []], "multi_label"),
    (Regressor, TEXTS, NAMES, "targets must be one number a row"),
    (Regressor, TEXTS, [0, 1, np.inf, 1], "must be finite numbers; rec.* inf"),
    (Regressor, TEXTS, np.eye(4), "targets must be one number a row"),
    (Tagger, WORDS, TAGS[::-1], "each word must have one tag; received 13"),
    (Tagger, WORDS, [["O"] * len(w) for w in WORDS], "the labels .*'O'"),
    (Tagger, TEXTS, TAGS, "tags must be a row of length 12"),
    (Tagger, TEXTS, np.zeros((4, 5)), "tags must be a row of length 12"),
    (Tagger, IDS, np.full((4, LENGTH), -2), "between -1 .none. and 2"),
    (SpanQA, TEXTS, SPANS, "text .the question. must come with text_pair"),
    (SpanQA, PAIRS, NUMBERS, "targets must be a dict of start, end, is_im"),
    (SpanQA, PAIRS, {**SPANS, "end": [LENGTH] * 4}, "end must be a whole"),
    (SpanQA, PAIRS, {**SPANS, "end": [0] * 4}, "start must not stand behind"),
    (Classifier, {**IDS, "segment_ids": IDS["input_mask"] * 7}, NUMBERS,
     "segment_ids must be whole numbers between 0 and 1; received 7"),
    (Classifier, {**IDS, "input_ids": IDS["input_ids"] + 10**6}, NUMBERS,
     "input_ids must be whole numbers between 0 and"),
    (Classifier, {**IDS, "input_mask": IDS["input_mask"] / 2}, NUMBERS,
     "input_mask must be .* between 0 and 1; received 0.5"),
    (Classifier, {**IDS, "segment_ids": np.zeros((4, 2))}, NUMBERS,
     "must be of one shape"),
    (Classifier, {"input_ids": [[1], [1, 2]], "input_mask": [[1], [1, 1]],
     "segment_ids": [[0], [0, 0]]}, [0, 1], "must be of one length"),
    (Classifier, {"input_ids": [[1]], "attention_mask": [[1]]}, [0],
     "ids must come as input_ids, input_mask and segment_ids"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cls", "x", "y", "message"),
    REFUSED,
    ids=range(len(REFUSED)),
)
def test_what_cannot_be_learned_is_one_short_line(cls, x, y, message, models):
    """In every place, before anything is trained."""
    good = {
        Classifier: (TEXTS, NUMBERS),
        Regressor: (TEXTS, NUMBERS),
        Tagger: (WORDS, TAGS),
        SpanQA: (PAIRS, SPANS),
    }[cls]
    model = models[cls]
    seen = int(model.optimizer.iterations)
    for call in (
        lambda: model.fit(x, y, verbose=0),
        lambda: model.evaluate(x, y, verbose=0),
        lambda: model.fit(*good, validation_data=(x, y), verbose=0),
    ):
        with pytest.raises(InputError, match=message) as caught:
            call()
        told = str(caught.value)
        assert "\n" not in told
        assert len(told) < 260
    assert int(model.optimizer.iterations) == seen


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((TEXTS, ["no", "yes", "no", "x"]), r"the labels .*; received .*x"),
        ((TEXTS, [0, 1, 3, 1]), r"between 0 and 2; received .*3"),
        ((TEXTS, np.eye(3)[NUMBERS]), "multi_label"),
        (({**IDS, "segment_ids": IDS["input_mask"] * 7}, NUMBERS), "ids must"),
        (({"txt": TEXTS}, NUMBERS), "inputs must be texts"),
    ],
)
def test_batches_that_cannot_be_learned_are_one_line(columns, message, models):
    batches = tf.data.Dataset.from_tensor_slices(columns).batch(3)
    for call in (models[Classifier].fit, models[Classifier].evaluate):
        with pytest.raises(InputError, match=message) as caught:
            call(batches, verbose=0)
        assert "\n" not in str(caught.value)


def test_a_call_checks_ids_too(models):
    bad = {n: tf.constant(x) for n, x in IDS.items()}
    bad["segment_ids"] += 7
    with pytest.raises(InputError, match="segment_ids must be whole numbers"):
        models[Classifier](bad)


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        (0.0, "lie between 0 and 1, and be neither; received 0.0"),
        (1, "lie between 0 and 1, and be neither; received 1"),
        ([0.5, 0.5, -0.1], "lie between 0 and 1, and be neither"),
        ([0.5, 0.5], r"one a label \(3\)"),
        ({"yes": 0.5, "other": 0.2}, "must be of the labels no, yes, maybe"),
        ("0.5", "lie between 0 and 1, and be neither; received '0.5'"),
    ],
)
def test_thresholds_that_are_refused(thresholds, message, models):
    encoder = models[Classifier].encoder
    with pytest.raises(InputError, match=message):
        Classifier(encoder, LABELS, multi_label=True, thresholds=thresholds)
    with pytest.raises(InputError, match="thresholds go with multi_label"):
        Classifier(encoder, LABELS, thresholds=thresholds)
