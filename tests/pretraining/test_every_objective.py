"""What all objectives must keep: who learns what, sums, counts, streams."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from tiny_pretraining import (
    L,
    V,
    batch,
    part,
    randomize,
    tiny_config,
    tokenizer,
)

from electra_tf.modeling.networks import variables_of
from electra_tf.modeling.noise import Noise
from electra_tf.pretraining.factory import build_pretrainer

NOISE = Noise(3, step=7, name="train")
TWO_STAGE = {
    "objective": "two_stage",
    "tying": "none",
    "two_stage_steps": 4,
    "two_stage_init": False,
}
TOWERS = {"generator": "two_tower"}
CASES = {
    "electra": {},
    "electra-towers": TOWERS,
    "electra-uniform": {"generator": "uniform"},
    "electra-disentangled": {"tying": "gradient_disentangled"},
    "electra_15": {"objective": "electra_15"},
    "mlm": {"objective": "mlm"},
    "replace_mlm": {"objective": "replace_mlm"},
    "all_tokens_mlm": {"objective": "all_tokens_mlm"},
    "two_stage-1": TWO_STAGE,
    "two_stage-2": TWO_STAGE,
    "adversarial": {"objective": "adversarial", "tying": "none"},
    "electric": {"objective": "electric", **TOWERS},
    "electric-unigram": {"objective": "electric", "generator": "unigram"},
    "teams": {"objective": "teams"},
}
# Loss term -> the network whose variables it reaches.
REACHES = {
    "mlm": "generator",
    "main": "main",
    "disc": "discriminator",
    "policy": "generator",
    "baseline": "baseline",
}
# A softmax over keys does not feel what is added to all of them.
UNFELT = "key/bias"


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """A name and its pre-training model, in the stage that the name ends in."""
    config = tiny_config(**CASES[request.param])
    log_probs = np.log(np.arange(1, V + 1) / np.arange(1, V + 1).sum())
    pretrainer = build_pretrainer(config, tokenizer(), log_probs)
    randomize(pretrainer.trainable_variables)
    if request.param.endswith("-2"):
        pretrainer.objective.enter(5)
    return request.param, pretrainer


def outcome_of(pretrainer, data, noise=NOISE):
    with noise.scope():
        return pretrainer.objective(data, training=True)


def gradients_of(pretrainer, data):
    """Loss term -> gradient of its mean by variable path, where it reaches."""
    variables = pretrainer.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        terms = outcome_of(pretrainer, data).losses
        means = {term.name: term.sum / term.count for term in terms}
    found = {}
    for name, mean in means.items():
        each = tape.gradient(mean, [v.value for v in variables])
        found[name] = {
            v.path: tf.convert_to_tensor(g).numpy()
            for v, g in zip(variables, each, strict=True)
            if g is not None
        }
    return found


def expected_reach(name, term, networks):
    """Paths of the variables that a term trains."""
    network = REACHES.get(term)
    if name.startswith("electric") and term == "disc":
        network = "energy"
    paths = {
        n: {v.path for v in variables_of([m])} for n, m in networks.items()
    }
    if name == "teams" and term == "mws":
        selector, main = paths["selector"], paths["discriminator"]
        # Up to the last block of detection, and without its head.
        own = [p for p in main if "layer_0" in p or p.startswith("discr")]
        return selector | main - set(own)
    return paths[network]


def test_each_term_trains_its_own_network_and_no_other(case):
    name, pretrainer = case
    for term, found in gradients_of(pretrainer, batch()).items():
        reached = {p for p, g in found.items() if np.abs(g).max() > 0}
        expected = expected_reach(name, term, pretrainer.networks)
        unfelt = {p for p in expected if p.endswith(UNFELT)}
        assert reached - unfelt == expected - unfelt, term
        assert all(np.isfinite(g).all() for g in found.values())


def test_every_variable_of_the_stage_is_trained_by_some_term(case):
    _, pretrainer = case
    trained = {v.path for v in pretrainer.objective.trainable_variables}
    found = gradients_of(pretrainer, batch())
    reached = {p for each in found.values() for p in each}
    assert trained <= reached


def test_counts_need_no_network(case, monkeypatch):
    _, pretrainer = case
    outcome = outcome_of(pretrainer, batch())
    for network in pretrainer.networks.values():
        monkeypatch.setattr(type(network), "__call__", None)
    objective = pretrainer.objective
    with NOISE.scope():
        counts = objective.counts(batch(), objective.masker(batch()))
    assert {n: float(c) for n, c in counts.items()} == {
        term.name: float(term.count) for term in outcome.losses
    }
    assert all(float(c) > 0 for c in counts.values())


def test_parts_of_a_batch_add_up_to_the_whole(case):
    _, pretrainer = case
    data = batch()
    whole = outcome_of(pretrainer, data).losses
    sums = dict.fromkeys((t.name for t in whole), 0.0)
    counts = dict(sums)
    for start, end in itertools.pairwise((0, 1, 3, 4)):
        noise = Noise(3, step=7, first_row=start, name="train")
        for term in outcome_of(
            pretrainer, part(data, start, end), noise
        ).losses:
            sums[term.name] += float(term.sum)
            counts[term.name] += float(term.count)
    for term in whole:
        expected = float(term.sum)
        assert sums[term.name] == pytest.approx(expected, rel=1e-4, abs=1e-4)
        assert counts[term.name] == float(term.count)


def test_no_two_draws_share_a_stream(case, monkeypatch):
    _, pretrainer = case
    drawn = []
    words = Noise.words

    def noting(self, name, rows, per_row):
        drawn.append(f"{self.name}/{name}")
        return words(self, name, rows, per_row)

    monkeypatch.setattr(Noise, "words", noting)
    outcome_of(pretrainer, batch())
    assert len(drawn) > 2
    assert len(set(drawn)) == len(drawn)


def test_everything_is_measured_and_finite(case):
    name, pretrainer = case
    measures = pretrainer.measures
    measures.reset_state()
    many = batch(lengths=(L,) * 40)  # some samples are right by chance
    measures.update_state(outcome_of(pretrainer, many))
    values = measures.measured()
    terms = {f"{n}_loss" for n in pretrainer.objective.loss_weights}
    if name == "two_stage-1":
        # Nothing is detected yet, which is not the same as 0.
        terms.remove("disc_loss")
        assert not [n for n in values if n.startswith(("disc", "sampled"))]
    assert terms | {"loss", "mlm_loss", "mlm_accuracy"} <= set(values)
    assert set(pretrainer.objective.figures) <= set(values)
    assert np.isfinite(list(values.values())).all()
    if "disc_loss" in values:
        assert 0 < values["disc_base_rate"] < 1
        assert 0 < values["disc_auc"] < 1


def test_a_step_moves_what_it_should_and_nothing_else(case):
    _, pretrainer = case
    from electra_tf.training.optimizers import make_optimizer

    optimizer = make_optimizer(tiny_config(weight_decay_rate=0.1).optimizer)
    optimizer.build(pretrainer.trainable_variables)
    pretrainer.compile(optimizer=optimizer)
    before = {v.path: v.numpy() for v in pretrainer.trainable_variables}
    pretrainer.update(batch())
    trained = {v.path for v in pretrainer.objective.trainable_variables}
    for variable in pretrainer.trainable_variables:
        moved = np.any(variable.numpy() != before[variable.path])
        if not variable.path.endswith(UNFELT):
            assert moved == (variable.path in trained), variable.path
        variable.assign(before[variable.path])


def test_sequences_of_padding_add_nothing(case):
    _, pretrainer = case
    terms = outcome_of(pretrainer, batch(lengths=(0, 0))).losses
    assert [(float(t.sum), float(t.count)) for t in terms] == [(0, 0)] * len(
        terms
    )
