"""AdamW against a float64 loop, and which variables it decays."""

import contextlib
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config.pretraining import make_config
from electra_tf.modeling.networks import Discriminator, MaskedLM
from electra_tf.modeling.tying import make_encoders
from electra_tf.training.adamw import AdamW, decay_groups
from electra_tf.training.optimizers import make_optimizer
from electra_tf.training.schedules import WarmupPolynomialDecay

SHAPES = {
    "net/dense/kernel": (4, 3),
    "net/dense/bias": (3,),
    "net/LayerNorm/gamma": (3,),
    "net/table": (6, 2),
}
DECAYED = {"net/dense/kernel", "net/table"}


def make_variables(seed=0):
    rng = np.random.default_rng(seed)
    variables = []
    for path, shape in SHAPES.items():
        scope, name = path.rsplit("/", 1)
        with contextlib.ExitStack() as scopes:
            for part in scope.split("/"):
                scopes.enter_context(keras.name_scope(part))
            value = rng.normal(size=shape).astype(np.float32)
            variables.append(keras.Variable(value, name=name))
    assert [v.path for v in variables] == list(SHAPES)
    return variables


def make_gradients(steps, seed=1):
    """Norms on both sides of 1, so that some steps are clipped."""
    rng = np.random.default_rng(seed)
    return [
        [
            (0.02 if t % 3 == 0 else 2.0) * rng.normal(size=shape)
            for shape in SHAPES.values()
        ]
        for t in range(steps)
    ]


def adamw(values, gradients, rates, decay, clip, correct):
    """Loshchilov and Hutter 2019, Algorithm 2, in float64."""
    b1, b2, eps = 0.9, 0.999, 1e-6
    theta = {p: v.astype(np.float64) for p, v in values.items()}
    m = {p: np.zeros_like(v) for p, v in theta.items()}
    v = {p: np.zeros_like(x) for p, x in theta.items()}
    clipped = 0
    for t, (grads, rate) in enumerate(zip(gradients, rates, strict=True), 1):
        norm = np.sqrt(sum((g**2).sum() for g in grads))
        scale = 1.0
        if clip is not None and norm > clip:
            scale, clipped = clip / norm, clipped + 1
        for path, g in zip(theta, grads, strict=True):
            g = scale * g
            m[path] = b1 * m[path] + (1 - b1) * g
            v[path] = b2 * v[path] + (1 - b2) * g**2
            mean, square = m[path], v[path]
            if correct:
                mean, square = mean / (1 - b1**t), square / (1 - b2**t)
            update = mean / (np.sqrt(square) + eps)
            if path in DECAYED:
                update = update + decay * theta[path]
            theta[path] = theta[path] - rate * update
    return theta, m, v, clipped


@pytest.mark.parametrize("correct", [False, True])
@pytest.mark.parametrize("clip", [1.0, None])
def test_six_steps(correct, clip):
    variables = make_variables()
    start = {v.path: v.numpy() for v in variables}
    gradients = make_gradients(6)
    schedule = WarmupPolynomialDecay(0.1, 10, 3)
    rates = [0.1 * (1 - t / 10) * min(1, t / 3) for t in range(6)]
    optimizer = AdamW(
        schedule, decay_rate=0.3, clip_norm=clip, bias_correction=correct
    )
    optimizer.build(variables)

    @tf.function
    def step(*grads):
        optimizer.apply(list(grads), variables)

    for grads in gradients:
        step(*[tf.constant(g, tf.float32) for g in grads])
    theta, m, v, clipped = adamw(start, gradients, rates, 0.3, clip, correct)
    assert clipped == (4 if clip else 0)
    assert int(optimizer.iterations) == 6
    slots = zip(variables, optimizer.adam_m, optimizer.adam_v, strict=True)
    for variable, first, second in slots:
        path = variable.path
        np.testing.assert_allclose(variable, theta[path], atol=2e-5, rtol=1e-5)
        np.testing.assert_allclose(first, m[path], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(second, v[path], rtol=5e-5, atol=1e-9)


def test_epsilon_stands_outside_the_root():
    """With tiny gradients epsilon decides the size of the step."""
    variables = make_variables()
    grads = [1e-6 * g for g in make_gradients(1)[0]]
    for correct in (False, True):
        variables = make_variables()
        start = {v.path: v.numpy() for v in variables}
        optimizer = AdamW(0.1, 0.0, bias_correction=correct)
        optimizer.apply([tf.constant(g, tf.float32) for g in grads], variables)
        theta, *_ = adamw(start, [grads], [0.1], 0.0, 1.0, correct)
        for variable in variables:
            move = variable.numpy() - start[variable.path]
            expected = theta[variable.path] - start[variable.path]
            np.testing.assert_allclose(move, expected, rtol=1e-3, atol=1e-6)


def test_without_gradient_only_the_decayed_group_shrinks():
    variables = make_variables()
    start = {v.path: v.numpy() for v in variables}
    optimizer = AdamW(0.5, decay_rate=0.2)
    optimizer.apply([tf.zeros(v.shape) for v in variables], variables)
    for variable in variables:
        factor = 1 - 0.5 * 0.2 if variable.path in DECAYED else 1
        np.testing.assert_allclose(
            variable, factor * start[variable.path], rtol=1e-6
        )


def test_rate_zero_moves_the_moments_alone():
    variables = make_variables()
    start = {v.path: v.numpy() for v in variables}
    optimizer = AdamW(WarmupPolynomialDecay(0.1, 10, 3), decay_rate=0.3)
    grads = make_gradients(1)[0]
    optimizer.apply([tf.constant(g, tf.float32) for g in grads], variables)
    for variable, m, v in zip(
        variables, optimizer.adam_m, optimizer.adam_v, strict=True
    ):
        np.testing.assert_array_equal(variable, start[variable.path])
        assert np.abs(m.numpy()).min() > 0
        assert v.numpy().min() > 0


def test_sparse_gradients_count_repeated_rows_together():
    """The norm is that of the summed rows, and every row is updated."""
    rng = np.random.default_rng(4)
    rows = np.array([1, 4, 1, 1, 0])
    values = 3 * rng.normal(size=(5, 2))
    dense = np.zeros((6, 2))
    np.add.at(dense, rows, values)
    others = make_gradients(2)[1][:3]
    outcomes = []
    for sparse in (True, False):
        variables = make_variables()
        start = {v.path: v.numpy() for v in variables}
        optimizer = AdamW(0.1, decay_rate=0.3)
        optimizer.build(variables)
        table = tf.constant(dense, tf.float32)
        if sparse:
            table = tf.IndexedSlices(
                tf.constant(values, tf.float32),
                tf.constant(rows),
                tf.constant([6, 2]),
            )
        for _ in range(2):
            grads = [tf.constant(g, tf.float32) for g in others]
            optimizer.apply([*grads, table], variables)
        outcomes.append([v.numpy() for v in variables])
    for a, b in zip(*outcomes, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    theta, *_ = adamw(start, [[*others, dense]] * 2, [0.1] * 2, 0.3, 1.0, False)
    for value, expected in zip(outcomes[0], theta.values(), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def model_variables():
    config = make_config(
        {
            "vocab_size": 20,
            "embedding_size": 4,
            "hidden_size": 8,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 12,
            "max_position_embeddings": 8,
            "max_seq_length": 8,
            "generator_hidden_size": 0.5,
        }
    ).model
    main, encoders = make_encoders(config)
    generator = MaskedLM(*encoders)
    both = generator.trainable_variables
    both = both + Discriminator(main).trainable_variables
    return list({id(v): v for v in both}.values())


def test_every_variable_is_in_exactly_one_group(model_variables):
    groups = decay_groups(model_variables)
    names = {n: [v.path for v in group] for n, group in groups.items()}
    every = [v.path for v in model_variables]
    assert sorted(names["decayed"] + names["not_decayed"]) == sorted(every)
    assert len(set(every)) == len(every)


def test_kernels_and_tables_are_decayed_and_nothing_else(model_variables):
    tables = ("word", "token_type", "position")
    expected = {f"electra/embeddings/{name}_embeddings" for name in tables}
    # The generator is as wide as the embeddings: it needs no projection.
    expected |= {"electra/embeddings_project/kernel"}
    for scope in ("electra", "generator"):
        layer = f"{scope}/encoder/layer_0"
        for part in ("query", "key", "value"):
            expected.add(f"{layer}/attention/self/{part}/kernel")
        for part in ("attention/output", "intermediate", "output"):
            expected.add(f"{layer}/{part}/dense/kernel")
    expected |= {
        "generator_predictions/dense/kernel",
        "discriminator_predictions/dense/kernel",
        "discriminator_predictions/dense_1/kernel",
    }
    decayed = decay_groups(model_variables)["decayed"]
    assert {v.path for v in decayed} == expected


def test_a_model_s_variables_shrink_by_their_group(model_variables):
    """What the optimizer does, not what the grouping says."""
    for variable in model_variables:
        variable.assign(tf.ones_like(variable))
    optimizer = AdamW(0.5, decay_rate=0.2)
    zeros = [tf.zeros(v.shape) for v in model_variables]
    optimizer.apply(zeros, model_variables)
    shrunk = {
        v.path for v in model_variables if float(tf.reduce_max(v.value)) < 1
    }
    kernels = {p for p in shrunk if p.endswith("kernel")}
    assert {p for p in shrunk if not p.endswith("_embeddings")} == kernels
    assert len(shrunk) == 3 + 1 + 2 * 6 + 3


def test_config_round_trip():
    schedule = WarmupPolynomialDecay(0.3, 77, 5, 2.0)
    optimizer = AdamW(schedule, 0.2, 3.0, True, 0.8, 0.9, 1e-4, "gamma")
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert copy.get_config() == optimizer.get_config()
    assert isinstance(copy, AdamW)
    names = (
        "decay_rate clip_norm bias_correction beta_1 beta_2 epsilon no_decay"
    )
    for name in names.split():
        assert getattr(copy, name) == getattr(optimizer, name)


def test_make_optimizer_takes_every_value():
    config = make_config(
        {
            "learning_rate": 0.3,
            "num_train_steps": 77,
            "num_warmup_steps": 5,
            "lr_decay_power": 2.0,
            "weight_decay_rate": 0.07,
            "clip_norm": 2.5,
            "adam_bias_correction": True,
        }
    ).optimizer
    optimizer = make_optimizer(config)
    config = optimizer.get_config()
    assert config["decay_rate"] == 0.07
    assert config["clip_norm"] == 2.5
    assert config["bias_correction"] is True
    optimizer.iterations.assign(40)
    expected = 0.3 * (1 - 40 / 77) ** 2
    assert float(optimizer.learning_rate) == pytest.approx(expected, rel=1e-5)


def test_defaults_are_the_paper_s():
    optimizer = make_optimizer(make_config({}).optimizer)
    config = optimizer.get_config()
    expected = {
        "decay_rate": 0.01,
        "clip_norm": 1.0,
        "bias_correction": False,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-6,
    }
    assert {name: config[name] for name in expected} == expected


@pytest.mark.parametrize(("power", "is_told"), [(1.0, True), (0.0, False)])
def test_a_step_after_the_end_is_told_at_once(power, is_told):
    """Of a loop of one's own; a rate that does not fall loses none."""
    variables = make_variables()
    optimizer = AdamW(WarmupPolynomialDecay(0.1, 2, power=power))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for gradients in make_gradients(4):
            optimizer.apply(
                [tf.constant(g, tf.float32) for g in gradients], variables
            )
    told = [str(w.message) for w in caught if "moved no" in str(w.message)]
    assert len(told) == is_told
    assert not is_told or "after 2 steps, and 1 more moved no" in told[0]


@pytest.mark.parametrize("jit_compile", [True, False])
def test_steps_after_the_end_are_told_once_by_fit(jit_compile):
    """The rate is 0 then, and nothing else would say that nothing moves."""
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])
    optimizer = AdamW(WarmupPolynomialDecay(0.1, 6))
    model.compile(optimizer, "mse", jit_compile=jit_compile)
    told = []
    for epochs in (2, 1, 1):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            x, y = np.ones([10, 2]), np.ones([10, 1])
            model.fit(x, y, batch_size=4, epochs=epochs, verbose=0)
        told.append([str(w.message) for w in caught if "moved" in str(w)])
    assert [len(each) for each in told] == [0, 1, 0]
    assert "after 6 steps, and 3 more moved no weight" in told[1][0]
