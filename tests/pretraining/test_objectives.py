"""How the parts of an objective fit together, and who gets which gradient."""

import itertools
import zlib

import numpy as np
import pytest
import tensorflow as tf
from tiny_pretraining import (
    CLS,
    MASK,
    PAD,
    SEP,
    UNK,
    L,
    V,
    batch,
    part,
    randomize,
    tiny_pretrainer,
)

from electra_tf.modeling.noise import Noise
from electra_tf.pretraining.losses import (
    masked_lm_losses,
    replaced_token_losses,
)
from electra_tf.pretraining.pretrainer import total_loss

NOISE = Noise(3, step=7, name="train")


def outcome_of(pretrainer, data, noise=NOISE, training=True):
    with noise.scope():
        return pretrainer.objective(data, training=training)


def gradients(pretrainer, data, term):
    """Gradient of one loss term by path; None where nothing reaches."""
    variables = pretrainer.trainable_variables
    with tf.GradientTape() as tape:
        loss = {t.name: t for t in outcome_of(pretrainer, data).losses}[term]
        loss = loss.sum / loss.count
    found = tape.gradient(loss, [v.value for v in variables])
    return {
        v.path: g if g is None else tf.convert_to_tensor(g).numpy()
        for v, g in zip(variables, found, strict=True)
    }


def counts_of(pretrainer, data, noise=NOISE):
    """What the terms are divided by, from the masks alone."""
    objective = pretrainer.objective
    with noise.scope():
        return objective.counts(data, objective.masker(data))


def total(pretrainer, data, noise=NOISE):
    """The loss of a batch that is a whole one."""
    counts = counts_of(pretrainer, data, noise)
    return total_loss(outcome_of(pretrainer, data, noise).losses, counts)


def paths(network):
    return {v.path for v in network.trainable_variables}


def test_each_loss_trains_its_own_network(tied):
    tying, pretrainer = tied
    networks = pretrainer.networks
    generator = paths(networks["generator"])
    discriminator = paths(networks["discriminator"])
    both = generator & discriminator
    assert bool(both) == (tying != "none")
    for term, own in (("mlm", generator), ("disc", discriminator)):
        found = gradients(pretrainer, batch(), term)
        reached = {path for path, g in found.items() if g is not None}
        assert reached == own
        for path in own:
            if not path.endswith("key/bias"):
                assert np.abs(found[path]).max() > 1e-6, (term, path)


def test_shared_embeddings_get_the_gradient_of_both(electra):
    table = "electra/embeddings/word_embeddings"
    mlm, disc = (
        gradients(electra, batch(), term)[table] for term in ("mlm", "disc")
    )
    variable = next(v for v in electra.trainable_variables if v.path == table)
    with tf.GradientTape() as tape:
        loss = total(electra, batch())
    whole = tf.convert_to_tensor(tape.gradient(loss, variable.value))
    np.testing.assert_allclose(whole, mlm + 50 * disc, atol=1e-4, rtol=1e-4)


def test_the_pieces_fit(electra):
    data = batch()
    outcome = outcome_of(electra, data, training=False)
    masked = outcome.masked
    with NOISE.scope():
        expected = electra.objective.masker(data)
    np.testing.assert_array_equal(masked.positions, expected.positions)
    reads = data["input_mask"], data["segment_ids"]
    logits = electra.networks["generator"](
        masked.input_ids, *reads, masked.positions
    )
    np.testing.assert_allclose(outcome.proposal.logits, logits, atol=1e-5)
    with NOISE.scope():
        sampled = electra.objective.sampler(logits, masked)
    np.testing.assert_array_equal(outcome.corrupted.sampled_ids, sampled)
    expected = data["input_ids"].numpy().copy()
    for b, m in np.argwhere(masked.weights.numpy() > 0):
        expected[b, masked.positions[b, m]] = sampled[b, m]
    np.testing.assert_array_equal(outcome.corrupted.input_ids, expected)
    labels = expected != data["input_ids"].numpy()
    np.testing.assert_array_equal(outcome.detection.labels, labels)
    assert 0 < labels.sum() <= masked.weights.numpy().sum()
    scores = electra.networks["discriminator"](
        outcome.corrupted.input_ids, *reads
    )
    np.testing.assert_allclose(outcome.detection.logits, scores, atol=1e-5)


def test_the_terms_are_sums_over_used_slots_and_real_tokens(electra):
    data = batch()
    outcome = outcome_of(electra, data)
    mlm, disc = outcome.losses
    masked = outcome.masked
    each = masked_lm_losses(outcome.proposal.logits, masked.ids).numpy()
    used = masked.weights.numpy()
    assert (mlm.name, mlm.weight) == ("mlm", 1.0)
    assert float(mlm.sum) == pytest.approx((each * used).sum(), rel=1e-5)
    assert float(mlm.count) == used.sum() < used.size
    found = outcome.detection
    each = replaced_token_losses(found.logits, found.labels)
    real = data["input_mask"].numpy()
    assert (disc.name, disc.weight) == ("disc", 50.0)
    assert float(disc.sum) == pytest.approx(
        (each.numpy() * real).sum(), rel=1e-5
    )
    assert float(disc.count) == real.sum() < real.size


@pytest.mark.parametrize("objective", ["electra", "mlm"])
def test_counts_are_known_before_the_networks_run(objective):
    pretrainer = tiny_pretrainer(objective=objective)
    counts = counts_of(pretrainer, batch())
    terms = outcome_of(pretrainer, batch()).losses
    assert {t.name: float(t.count) for t in terms} == {
        name: float(count) for name, count in counts.items()
    }


def test_total_is_weighted_as_configured():
    pretrainer = tiny_pretrainer(gen_weight=0.5, disc_weight=7.0)
    outcome = outcome_of(pretrainer, batch())
    mlm, disc = (t.sum / t.count for t in outcome.losses)
    expected = 0.5 * float(mlm) + 7.0 * float(disc)
    assert float(total(pretrainer, batch())) == pytest.approx(expected)
    pretrainer.measures.update_state(outcome)
    logged = float(pretrainer.measures.result()["loss"])
    assert logged == pytest.approx(expected, rel=1e-5)


def test_rows_of_padding_add_nothing(electra):
    """Neither to the sums nor, by way of attention, to other rows."""
    full = outcome_of(electra, batch(lengths=(16, 9, 0, 0)))
    alone = outcome_of(electra, part(batch(lengths=(16, 9, 0, 0)), 0, 2))
    for a, b in zip(full.losses, alone.losses, strict=True):
        assert float(a.sum) == pytest.approx(float(b.sum), rel=1e-5)
        assert float(a.count) == float(b.count)
    nothing = outcome_of(electra, batch(lengths=(0, 0)))
    assert [float(t.sum) for t in nothing.losses] == [0, 0]
    assert float(total(electra, batch(lengths=(0, 0)))) == 0


@pytest.mark.parametrize("split", [(0, 2, 4), (0, 1, 2, 3, 4), (0, 3, 4)])
def test_parts_of_a_batch_add_up_to_the_whole(electra, split):
    """What replicas compute: dropout, masks and samples included."""
    data = batch()
    variables = [v.value for v in electra.trainable_variables]
    with tf.GradientTape() as tape:
        loss = total(electra, data)
    expected = tape.gradient(loss, variables)
    counts = counts_of(electra, data)
    sums = [0.0] * len(variables)
    value = 0.0
    for start, end in itertools.pairwise(split):
        noise = Noise(3, step=7, first_row=start, name="train")
        with tf.GradientTape() as tape:
            terms = outcome_of(electra, part(data, start, end), noise).losses
            share = total_loss(terms, counts)
        value += float(share)
        found = tape.gradient(share, variables)
        sums = [
            t + tf.convert_to_tensor(g)
            for t, g in zip(sums, found, strict=True)
        ]
    assert value == pytest.approx(float(loss), rel=1e-5)
    for found, gradient in zip(sums, expected, strict=True):
        np.testing.assert_allclose(
            found, tf.convert_to_tensor(gradient), rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize("tying", ["embeddings", "all"])
def test_no_two_draws_of_a_step_share_a_stream(monkeypatch, tying):
    """Shared layers drop apart in each network, all layers in each block."""
    deep = tiny_pretrainer(
        tying=tying,
        num_hidden_layers=12,
        hidden_size=4,
        embedding_size=4,
        intermediate_size=4,
        generator_hidden_size=1.0,
    )
    drawn = []
    words = Noise.words

    def noting(self, name, rows, per_row):
        drawn.append(f"{self.name}/{name}")
        return words(self, name, rows, per_row)

    monkeypatch.setattr(Noise, "words", noting)
    outcome_of(deep, batch())
    assert len(drawn) == 3 + 2 * (1 + 3 * 12)
    assert len(set(drawn)) == len(drawn)
    assert len({zlib.crc32(name.encode()) for name in drawn}) == len(drawn)
    assert all(name.startswith("train/") for name in drawn)


def test_masked_language_model():
    pretrainer = tiny_pretrainer(objective="mlm", gen_weight=2.0)
    randomize(pretrainer.trainable_variables)
    assert set(pretrainer.networks) == {"generator"}
    data = batch()
    outcome = outcome_of(pretrainer, data, training=False)
    (term,) = outcome.losses
    assert (term.name, term.weight) == ("mlm", 2.0)
    logits = pretrainer.networks["generator"](
        outcome.masked.input_ids,
        data["input_mask"],
        data["segment_ids"],
        outcome.masked.positions,
    )
    each = masked_lm_losses(logits, outcome.masked.ids).numpy()
    expected = (each * outcome.masked.weights.numpy()).sum()
    assert float(term.sum) == pytest.approx(expected, rel=1e-5)
    assert outcome.detection is None
    found = gradients(pretrainer, data, "mlm")
    assert all(gradient is not None for gradient in found.values())
    # The main network, at its full width, under its own names.
    assert "electra/encoder/layer_0/output/dense/kernel" in found


def test_compatibility_draws_masks_with_replacement():
    assert tiny_pretrainer(compat="google").objective.masker.with_replacement
    assert not tiny_pretrainer().objective.masker.with_replacement


def test_special_tokens_are_never_masked_but_unknown_ones_are():
    data = batch(lengths=(16,) * 60)
    ids = data["input_ids"].numpy()
    ids[:, 1:15] = np.tile([CLS, SEP, MASK, PAD, UNK, 9, 10], 2)
    masker = tiny_pretrainer().objective.masker
    with NOISE.scope():
        masked = masker({**data, "input_ids": tf.constant(ids)})
    chosen = masked.ids.numpy()[masked.weights.numpy() > 0]
    assert set(chosen) == {UNK, 9, 10}


def test_sampler_gets_its_options():
    """Of 240 samples at V = 60 some would be the true token."""
    data = batch(lengths=(16,) * 60)
    for disallowed in (False, True):
        pretrainer = tiny_pretrainer(
            temperature=2.0, disallow_correct=disallowed
        )
        assert pretrainer.objective.sampler.temperature == 2.0
        outcome = outcome_of(pretrainer, data)
        used = outcome.masked.weights.numpy() > 0
        equal = (
            outcome.corrupted.sampled_ids.numpy() == outcome.masked.ids.numpy()
        )
        assert equal[used].any() != disallowed


def test_no_tensor_of_the_step_has_a_logit_for_every_token():
    """A product with the vocabulary at all L places would."""
    many = 40
    pretrainer = tiny_pretrainer()

    @tf.function
    def step(ids, mask, segments):
        data = {"input_ids": ids, "input_mask": mask, "segment_ids": segments}
        with tf.GradientTape() as tape:
            loss = total(pretrainer, data)
        return tape.gradient(
            loss, [v.value for v in pretrainer.trainable_variables]
        )

    spec = tf.TensorSpec([many, L], tf.int32)
    graph = step.get_concrete_function(spec, spec, spec).graph
    shapes = {
        tuple(out.shape)
        for op in graph.get_operations()
        for out in op.outputs
        if out.shape.rank is not None
    }
    slots = pretrainer.objective.masker.num_slots
    assert (many * slots, V) in shapes
    for shape in shapes:
        if V in shape:
            assert np.prod([n or 0 for n in shape]) < many * L * V, shape
