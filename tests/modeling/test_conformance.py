"""What every layer must do: serialise, save, compile, train, bfloat16."""

import importlib
import inspect
import json
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_registry import REGISTRY, V, built, make_masker, run, weighted_sum

import electra_tf
from electra_tf.modeling.noise import Noise

# Not layers to stack, tested apart: the base of layers, the pre-training model,
# tables that are half of another network's, the models of tests/finetune and
# tests/serving.
ELSEWHERE = {
    "BaseLayer",
    "Pretrainer",
    "DisentangledEmbeddings",
    "AdaptedModel",
    "PresetModel",
    "ColumnModel",
    "Dense",  # of Keras, but for its adapters
    "TaskModel",
    "TwoSided",
    "OnClsVector",
    "OneNumber",
    "Classifier",
    "Regressor",
    "Ranker",
    "SentenceEncoder",
    "Tagger",
    "SpanQA",
    "SpanHead",
    "JointSpanHead",
    "PlainSpanHead",
    "TextPreprocessor",
    "SavedModelEncoder",
}
EVERY = sorted(REGISTRY)
TRAINABLE = sorted(set(REGISTRY) - {"Dropout", "TokenMasker"})


def same(actual, expected, atol=0.0):
    assert len(actual) == len(expected)
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=0, atol=atol)


def test_every_layer_is_in_the_registry():
    found = set()
    for info in pkgutil.walk_packages(electra_tf.__path__, "electra_tf."):
        module = importlib.import_module(info.name)
        for name, value in inspect.getmembers(module, inspect.isclass):
            ours = value.__module__.startswith("electra_tf.")
            public = not name.startswith("_")
            if ours and public and issubclass(value, keras.layers.Layer):
                found.add(name)
    assert found - ELSEWHERE == set(REGISTRY)


@pytest.mark.parametrize("name", EVERY)
def test_config_round_trip(name):
    layer, inputs = built(name), REGISTRY[name].arrays()
    text = json.dumps(keras.saving.serialize_keras_object(layer))
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    assert copy.get_config() == layer.get_config()
    with Noise(3).scope():
        # In training, so that rates and paths that differ show.
        expected = run(layer, inputs, training=True)
        run(copy, inputs)
        copy.set_weights(layer.get_weights())
        same(run(copy, inputs, training=True), expected)
    paths = [v.path for v in layer.variables]
    assert [v.path for v in copy.variables] == paths


@pytest.mark.parametrize("name", EVERY)
def test_every_argument_survives_the_config(name):
    layer = REGISTRY[name].make()
    names = set(inspect.signature(type(layer).__init__).parameters)
    names -= {"self", "kwargs", "args"}
    assert names <= set(layer.get_config())


@pytest.mark.parametrize("name", [n for n in EVERY if REGISTRY[n].functional])
def test_saved_model_gives_the_same_outputs(name, tmp_path):
    case = REGISTRY[name]
    arrays = case.arrays()
    inputs = [
        keras.Input(batch_shape=a.shape, dtype=a.dtype.name) for a in arrays
    ]
    layer = built(name)
    model = keras.Model(inputs, layer(*inputs))
    assert tuple(model.output.shape) == tuple(run(layer, arrays)[0].shape)
    path = str(tmp_path / "model.keras")
    model.save(path)
    loaded = keras.models.load_model(path)
    same([loaded(arrays)], run(layer, arrays))
    again = keras.Model(inputs, built(name)(*inputs))
    for variable in again.variables:
        variable.assign(tf.zeros_like(variable))
    model.save_weights(str(tmp_path / "model.weights.h5"))
    again.load_weights(str(tmp_path / "model.weights.h5"))
    same([again(arrays)], run(layer, arrays))


@pytest.mark.parametrize("name", EVERY)
def test_eager_equals_function_equals_xla(name):
    check_three_ways(built(name), REGISTRY[name].arrays())


WORDS = {"starts_word": [number % 3 > 0 for number in range(V)]}


@pytest.mark.parametrize(
    "options", [{"with_replacement": True}, WORDS, {**WORDS, "spans": True}]
)
def test_every_way_of_masking_equals_itself_under_xla(options):
    layer, inputs = make_masker(**options), REGISTRY["TokenMasker"].arrays()
    check_three_ways(layer, inputs)
    check_three_ways(type(layer).from_config(layer.get_config()), inputs)


def check_three_ways(layer, inputs):
    """Dropout and masks included: the noise is the same in all three."""

    def step():
        with Noise(5, step=2).scope():
            return run(layer, inputs, training=True)

    expected = step()
    same(tf.function(step)(), expected, 1e-5)
    same(tf.function(step, jit_compile=True)(), expected, 1e-4)


@pytest.mark.parametrize("name", TRAINABLE)
def test_mixed_bfloat16(name):
    layer, inputs = built(name), REGISTRY[name].arrays()
    expected = run(layer, inputs)[0].numpy()
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        low = built(name)
    finally:
        keras.config.set_dtype_policy(policy)
    assert {v.dtype for v in low.trainable_variables} == {"float32"}
    outputs = run(low, inputs)
    assert outputs[0].dtype == tf.bfloat16
    error = np.abs(outputs[0].numpy().astype(np.float32) - expected)
    assert error.max() < 0.1 * np.abs(expected).max()
    assert 0 < error.max(), "nothing was computed in bfloat16"


@pytest.mark.parametrize("name", TRAINABLE)
def test_gradient_reaches_every_variable(name):
    layer, inputs = built(name), REGISTRY[name].arrays()
    variables = layer.trainable_variables
    assert variables
    assert not layer.non_trainable_variables
    with tf.GradientTape() as tape:
        loss = weighted_sum(run(layer, inputs))
    gradients = tape.gradient(loss, [v.value for v in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        largest = float(tf.reduce_max(tf.abs(tf.convert_to_tensor(gradient))))
        assert np.isfinite(largest), variable.path
        if variable.path.endswith("key/bias"):
            # It adds the same to all scores of a query: softmax cancels it.
            assert largest < 1e-4, variable.path
        else:
            assert largest > 1e-3, variable.path


@pytest.mark.parametrize("name", sorted(set(TRAINABLE) - {"LayerNorm"}))
def test_training_changes_outputs_only_where_there_is_dropout(name):
    layer, inputs = built(name), REGISTRY[name].arrays()
    with Noise(1).scope():
        still = run(layer, inputs, training=False)
        moved = run(layer, inputs, training=True)
    drops = not name.endswith("Head") or name == "HuggingFaceHead"
    assert bool(np.any(still[0] != moved[0])) == drops
