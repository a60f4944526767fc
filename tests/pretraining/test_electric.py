"""Electric's noise-contrastive loss, token by token in NumPy."""

import math

import numpy as np
import pytest
from tiny_pretraining import (
    CLS,
    MASK,
    SEP,
    V,
    batch,
    randomize,
    tiny_config,
    tokenizer,
)

from electra_tf.modeling.noise import Noise
from electra_tf.pretraining.factory import build_pretrainer

NOISE = Noise(3, step=7, name="train")
FREQUENCIES = np.arange(1, V + 1) / np.arange(1, V + 1).sum()


def built(**values):
    config = tiny_config(objective="electric", mask_prob=0.2, **values)
    pretrainer = build_pretrainer(config, tokenizer(), np.log(FREQUENCIES))
    randomize(pretrainer.trainable_variables)
    with NOISE.scope():
        return pretrainer, pretrainer.objective(batch(), training=False)


def logistic_loss(logit, is_noise):
    p = 1 / (1 + math.exp(-logit))
    return -math.log(p if is_noise else 1 - p)


def test_noise_contrastive_loss():
    pretrainer, outcome = built(generator="two_tower")
    data = {name: value.numpy() for name, value in batch().items()}
    ids, mask, segments = data.values()
    corrupted, masked = outcome.corrupted.input_ids.numpy(), outcome.masked
    energy = pretrainer.networks["energy"](corrupted, mask, segments).numpy()
    logits = pretrainer.networks["generator"](ids, mask, segments).numpy()
    noised = {
        (b, int(masked.positions[b, m]))
        for b, m in np.argwhere(masked.weights.numpy() > 0)
    }
    nce = cloze = candidates = 0.0
    for b, t in np.argwhere(mask > 0):
        exps = np.exp(logits[b, t].astype(np.float64))
        q = exps / exps.sum()
        logit = energy[b, t] + math.log(q[corrupted[b, t]])
        logit += math.log(0.2 / 0.8)
        nce += logistic_loss(logit, (b, t) in noised)
        if ids[b, t] not in (CLS, SEP, MASK):
            cloze -= math.log(q[ids[b, t]])
            candidates += 1
    mlm, disc = outcome.losses
    assert float(mlm.sum) == pytest.approx(cloze, rel=1e-4)
    assert float(mlm.count) == candidates < mask.sum()
    assert float(disc.sum) == pytest.approx(nce, rel=1e-4)
    assert float(disc.count) == mask.sum()


def test_the_odds_are_those_of_the_step_s_rate():
    """log(p / (1 - p)) where p falls from 0.2 to 0.1: at step 7 of 10, 0.13."""
    pretrainer, _ = built(generator="two_tower", mask_prob_end=0.1)
    still, _ = built(generator="two_tower")
    logits = []
    for objective in (pretrainer.objective, still.objective):
        objective.masker = still.objective.masker  # the same samples
        with NOISE.scope():
            outcome = objective(batch(), training=False)
        logits.append(outcome.detection.logits.numpy())
    moved = math.log(0.13 / 0.87) - math.log(0.2 / 0.8)
    np.testing.assert_allclose(logits[0] - logits[1], moved, atol=1e-5)


def test_a_sample_that_equals_the_token_is_noise_all_the_same():
    pretrainer, _ = built(generator="two_tower")
    true = batch(lengths=(16,) * 8)
    pretrainer.objective.sampler = lambda logits, masked: masked.ids
    with NOISE.scope():
        outcome = pretrainer.objective(true, training=False)
    np.testing.assert_array_equal(
        outcome.corrupted.input_ids, true["input_ids"]
    )
    used = outcome.masked.weights.numpy().sum()
    assert outcome.detection.labels.numpy().sum() == used > 0


def test_a_fixed_distribution_as_noise():
    """Specials have no frequency: they are never noise, and never NaN."""
    pretrainer, outcome = built(generator="unigram")
    assert list(pretrainer.networks) == ["energy"]
    q = np.where(np.arange(V) < 5, 0, FREQUENCIES)
    q = q / q.sum()
    data = {name: value.numpy() for name, value in batch().items()}
    corrupted = outcome.corrupted.input_ids.numpy()
    energy = pretrainer.networks["energy"](
        corrupted, data["input_mask"], data["segment_ids"]
    ).numpy()
    words = (corrupted > 4) & (data["input_mask"] > 0)
    logits = outcome.detection.logits.numpy()
    expected = energy + np.log(np.maximum(q[corrupted], 1e-30))
    expected += math.log(0.2 / 0.8)
    np.testing.assert_allclose(logits[words], expected[words], rtol=1e-4)
    assert (outcome.corrupted.sampled_ids.numpy() > 4).all()
    assert [t.name for t in outcome.losses] == ["disc"]
    assert np.isfinite(float(outcome.losses[0].sum))


def test_the_loss_is_least_where_the_energy_is_minus_log_p():
    """The sign and the constant: one token, three words, by enumeration."""
    p_data, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
    share = 0.2

    def expected_loss(energy):
        return sum(
            (1 - share) * p_data[v] * logistic_loss(logit, False)
            + share * q[v] * logistic_loss(logit, True)
            for v in range(3)
            for logit in [
                energy[v] + math.log(q[v]) + math.log(share / (1 - share))
            ]
        )

    best = -np.log(p_data)
    least = expected_loss(best)
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert expected_loss(best + 0.3 * rng.normal(size=3)) > least
