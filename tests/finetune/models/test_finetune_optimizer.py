"""Layer-wise rates against NumPy, and one update with them."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_finetune

from electra_tf.errors import InputError
from electra_tf.finetune.models.classifiers import Classifier
from electra_tf.finetune.models.optimizer import (
    LayerwiseAdamW,
    create_optimizer,
)

N = tiny_finetune.LAYERS
DECAY = 0.6


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("pretrained") / "model")
    path = tiny_finetune.write_pretrained(folder)
    return Classifier.from_pretrained(path, num_classes=3, max_seq_length=12)


def expected_factor(path: str, google: bool) -> float:
    """Counted down from the head, layer by layer."""
    order = ["task_head"]
    order += [f"electra/encoder/layer_{i}" for i in reversed(range(N))]
    order += ["electra/embeddings"]  # and electra/embeddings_project
    (depth,) = (d for d, scope in enumerate(order) if path.startswith(scope))
    steps_down = depth + 1 if google and depth else depth
    return DECAY**steps_down


@pytest.mark.parametrize("compat", ["none", "google"])
def test_every_variable_has_its_layers_factor(model, compat):
    optimizer = create_optimizer(
        model, 10, layerwise_decay=DECAY, compat=compat
    )
    paths = {v.path for v in model.trainable_variables}
    assert set(optimizer.factors) == paths
    for path in paths:
        expected = expected_factor(path, compat == "google")
        assert optimizer.factors[path] == pytest.approx(expected, rel=1e-12)
    last = f"electra/encoder/layer_{N - 1}/output/dense/kernel"
    squared = 2 if compat == "google" else 1
    assert optimizer.factors[last] == pytest.approx(DECAY**squared)


@pytest.mark.parametrize(
    ("compat", "decay", "rate"), [("none", 0.0, 3e-4), ("google", 0.01, 1e-4)]
)
def test_defaults_are_the_papers_or_the_authors(model, compat, decay, rate):
    optimizer = create_optimizer(model, 1000, compat=compat)
    assert optimizer.decay_rate == decay
    schedule = optimizer._learning_rate
    for step, expected in [
        (0, 0.0),
        (50, rate * 0.95 * 0.5),
        (100, rate * 0.9),
        (550, rate * 0.45),
        (1000, 0.0),
    ]:
        assert float(schedule(step)) == pytest.approx(expected, rel=1e-5)
    assert min(optimizer.factors.values()) == pytest.approx(
        0.8 ** (N + 1 + (compat == "google"))
    )


def test_one_step_against_numpy(model):
    """Two updates (the first has rate 0), decay at each variable's rate."""
    rng = np.random.default_rng(2)
    variables = model.trainable_variables
    before = {v.path: v.numpy().astype(np.float64) for v in variables}
    optimizer = create_optimizer(
        model,
        10,
        learning_rate=0.05,
        warmup_fraction=0.2,
        layerwise_decay=DECAY,
        weight_decay_rate=0.3,
    )
    grads = [
        {p: rng.normal(size=x.shape) for p, x in before.items()}
        for _ in range(2)
    ]
    for step in grads:
        given = [tf.constant(step[v.path], tf.float32) for v in variables]
        optimizer.apply(given, variables)
    clipped = []
    for step in grads:
        norm = np.sqrt(sum((g**2).sum() for g in step.values()))
        clipped.append({p: g / max(norm, 1.0) for p, g in step.items()})
    rate = 0.05 * (1 - 1 / 10) * (1 / 2)  # of the second update
    for variable in variables:
        path = variable.path
        g1, g2 = (step[path] for step in clipped)
        m = 0.9 * 0.1 * g1 + 0.1 * g2
        v = 0.999 * 0.001 * g1**2 + 0.001 * g2**2
        update = m / (np.sqrt(v) + 1e-6)
        if path.endswith(("kernel", "_embeddings")):
            update = update + 0.3 * before[path]
        step = rate * expected_factor(path, False) * update
        np.testing.assert_allclose(
            variable.numpy() - before[path], -step, rtol=2e-3, atol=2e-6
        )
        variable.assign(before[path])


def test_its_configuration_keeps_the_factors(model):
    optimizer = create_optimizer(model, 10, layerwise_decay=DECAY)
    stored = keras.optimizers.serialize(optimizer)
    copy = keras.optimizers.deserialize(stored)
    assert isinstance(copy, LayerwiseAdamW)
    assert copy.get_config() == optimizer.get_config()
    assert copy.factors == optimizer.factors


def test_any_model_on_an_encoder_will_do(model):
    shape, names = (12,), ("input_ids", "input_mask", "segment_ids")
    inputs = {n: keras.Input(shape, dtype="int32", name=n) for n in names}
    states = model.encoder(*inputs.values())
    outputs = keras.layers.Dense(2, name="mine")(states[:, 0])
    functional = keras.Model(inputs, outputs)
    factors = create_optimizer(functional, 10, layerwise_decay=DECAY).factors
    assert len(factors) == len(functional.trainable_variables)
    (mine,) = (p for p in factors if p.endswith("mine/kernel"))
    assert factors[mine] == 1.0
    assert factors["electra/embeddings/word_embeddings"] == pytest.approx(
        DECAY ** (N + 1)
    )


def test_a_frozen_block_leaves_the_others_rates(model):
    everything = create_optimizer(model, 10).factors
    model.encoder.blocks[N - 1].trainable = False
    try:
        some = create_optimizer(model, 10).factors
        gone = {p for p in everything if f"/layer_{N - 1}/" in p}
        assert some == {p: f for p, f in everything.items() if p not in gone}
        whole = LayerwiseAdamW(0.1, factors=everything)
        with pytest.raises(InputError, match=f"layer_{N - 1}"):
            whole.build(model.trainable_variables)
    finally:
        model.encoder.blocks[N - 1].trainable = True


def test_a_model_without_encoder_is_refused():
    model = keras.Sequential([keras.layers.Dense(2)])
    model.build((None, 3))
    with pytest.raises(InputError, match="ELECTRA encoder"):
        create_optimizer(model, 10)


class Odd(keras.Model):
    """A variable in the encoder's scope that is of no layer; or a twin."""

    def __init__(self, encoder, scope, name):
        super().__init__()
        self.encoder = encoder
        with contextlib.ExitStack() as scopes:
            for part in scope.split("/"):
                scopes.enter_context(keras.name_scope(part))
            self.odd = keras.Variable(0.0, name=name)
        self.built = True


@pytest.mark.parametrize(
    ("scope", "name", "message"),
    [
        ("electra", "pooler", "must be of its embeddings or of a block"),
        (
            "electra/embeddings",
            "word_embeddings",
            "no two variables may have one path",
        ),
    ],
)
def test_a_variable_of_no_layer_or_a_twin_is_refused(
    model, scope, name, message
):
    odd = Odd(model.encoder, scope, name)
    with pytest.raises(InputError, match=message):
        create_optimizer(odd, 10)


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_train_steps": 0},
        {"num_train_steps": 10, "warmup_fraction": 1.5},
        {"num_train_steps": 10, "layerwise_decay": 0.0},
        {"num_train_steps": 10, "compat": "Google"},
        {"num_train_steps": 2.5},
        {"num_train_steps": 10, "learning_rate": float("nan")},
        {"num_train_steps": 10, "learning_rate": float("inf")},
        {"num_train_steps": 10, "learning_rate": 0.0},
        {"num_train_steps": 10, "learning_rate": -1.0},
        {"num_train_steps": 10, "weight_decay_rate": float("nan")},
        {"num_train_steps": 10, "weight_decay_rate": -0.1},
        {"num_train_steps": 10, "clip_norm": 0.0},
    ],
)
def test_bad_arguments_are_refused(model, wrong):
    name, value = list(wrong.items())[-1]
    with pytest.raises(InputError, match=f"{name} must.*received '?{value}"):
        create_optimizer(model, **wrong)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"num_examples": 10},
        {"num_examples": 10, "batch_size": 2},
        {"num_train_steps": 10, "epochs": 1},
    ],
)
def test_the_steps_are_given_in_one_of_two_ways(model, given):
    with pytest.raises(InputError, match="must be given, or num_examples"):
        create_optimizer(model, **given)


@pytest.mark.parametrize("name", ["num_examples", "batch_size", "epochs"])
@pytest.mark.parametrize("value", [0, 1.5, "many", float("nan")])
def test_the_parts_of_the_steps_are_counts(model, name, value):
    given = {"num_examples": 10, "batch_size": 4, "epochs": 2, name: value}
    with pytest.raises(InputError, match=f"{name} must be a positive whole"):
        create_optimizer(model, **given)


def test_the_steps_of_what_fit_gets(model):
    given = {"num_examples": 10, "batch_size": 4, "epochs": 2}
    optimizer = create_optimizer(model, **given)
    schedule = optimizer.get_config()["learning_rate"]["config"]
    assert schedule["num_train_steps"] == 6
