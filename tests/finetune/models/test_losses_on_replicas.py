"""Losses of one step on two replicas are those of one on all rows."""

import numpy as np
import pytest
import tensorflow as tf
import tiny_finetune

from electra_tf.finetune.models.classifiers import (
    Classifier,
    Regressor,
)
from electra_tf.finetune.models.span_qa import SpanQA
from electra_tf.finetune.models.tagger import Tagger

ROWS = 5  # 3 and 2


def tags():
    """Far more labels in the first replica's rows than in the second's."""
    targets = np.full((ROWS, tiny_finetune.LENGTH), -1)
    targets[0, 1:10], targets[3, 2] = 1, 2
    return targets


PLACES = np.array([7, 0, 8, 6, 7])
CASES = {
    "classifier": (Classifier, {"num_classes": 3}, PLACES % 3),
    "regressor": (Regressor, {}, PLACES / 4),
    "tagger": (Tagger, {"num_classes": 3}, tags()),
    "span": (
        SpanQA,
        {},
        {"start": PLACES, "end": PLACES, "is_impossible": 1 * (PLACES == 0)},
    ),
}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained") / "model"
    return tiny_finetune.write_pretrained(str(folder))


@pytest.mark.parametrize("name", CASES)
def test_two_replicas_equal_one(name, pretrained):
    kind, head, y = CASES[name]
    model = kind.from_pretrained(
        pretrained, dropout=0.0, max_seq_length=tiny_finetune.LENGTH, **head
    )
    model.compile("sgd")
    x = tiny_finetune.id_batch(ROWS)
    if kind is SpanQA:
        x["true_start"] = PLACES
    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice()
    )

    def gradients(rows):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(rows[0], rows[1], model(rows[0]))
        found = tape.gradient(loss, model.trainable_variables)
        return [tf.convert_to_tensor(gradient) for gradient in found]

    def part(begin, end):
        return tf.nest.map_structure(
            lambda a: tf.constant(a[begin:end]), (x, y)
        )

    def of_replica(*parts):
        return strategy.experimental_distribute_values_from_function(
            lambda context: parts[context.replica_id_in_sync_group]
        )

    rows = tf.nest.map_structure(of_replica, part(0, 3), part(3, ROWS))
    found = tf.function(strategy.run)(gradients, args=(rows,))
    expected = gradients(part(0, ROWS))
    for wanted, parts in zip(expected, found, strict=True):
        summed = sum(strategy.experimental_local_results(parts))
        np.testing.assert_allclose(summed, wanted, rtol=1e-4, atol=1e-6)
    assert sum(np.abs(g).max() > 1e-5 for g in expected) > 20
