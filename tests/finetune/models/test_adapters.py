"""Adapters: their equation, their files, and what is exported of them."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_finetune
from tiny_finetune import LABELS, LAYERS, LENGTH, id_batch, numpy_states

from electra_tf import load_model
from electra_tf.errors import InputError
from electra_tf.finetune.models.classifiers import Classifier, Regressor
from electra_tf.finetune.models.optimizer import create_optimizer
from electra_tf.modeling.lora import Dense, add_adapters
from electra_tf.serving.export import export_finetuned

RANK, WIDTH = 3, tiny_finetune.WIDTH


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("pretrained") / "model")
    return tiny_finetune.write_pretrained(folder)


def make(pretrained, cls=Classifier, **given):
    if cls is Classifier:
        given = {"labels": LABELS, **given}
    return cls.from_pretrained(pretrained, max_seq_length=LENGTH, **given)


@pytest.fixture(scope="module")
def adapted(pretrained):
    """With adapters that matter; nothing may be trained or enabled."""
    model, rng = make(pretrained, dropout=0.0), np.random.default_rng(1)
    model.enable_lora(RANK)
    for variable in model.trainable_variables:
        noise = 0.1 * rng.normal(size=variable.shape)
        variable.assign(variable.numpy() + noise)
    return model


def summed(model):
    """The weights by path with A B in the kernels, by NumPy."""
    found = {v.path: v.numpy().astype(np.float64) for v in model.weights}
    for path in [p for p in found if p.endswith("lora_kernel_a")]:
        scope = path.removesuffix("lora_kernel_a")
        a, b = (found.pop(f"{scope}lora_kernel_{n}") for n in "ab")
        found[f"{scope}kernel"] = found[f"{scope}kernel"] + a @ b
    return found


def test_the_outputs_are_those_of_the_summed_kernels(adapted):
    ids = id_batch()
    plain = make_plain(adapted)
    weights = summed(adapted)
    states = numpy_states(plain, ids)[:, 0]
    logits = states @ weights["task_head/kernel"] + weights["task_head/bias"]
    found = adapted.predict(ids, verbose=0)
    np.testing.assert_allclose(found, logits, rtol=1e-4, atol=1e-4)


def make_plain(adapted):
    """The same sizes; its weights are the sums."""
    config = adapted.get_config()
    config["encoder"]["config"].pop("lora_rank")
    plain = Classifier.from_config(config)
    weights = summed(adapted)
    for variable in plain.weights:
        variable.assign(weights.pop(variable.path))
    assert not weights
    return plain


def test_adapters_and_head_learn_and_nothing_else(pretrained):
    """Also, the optimizer gives each adapter the rate of its block."""
    model, ids = make(pretrained), id_batch()
    before = model.predict(ids, verbose=0)
    model.enable_lora(RANK)
    found = model.predict(ids, verbose=0)
    np.testing.assert_allclose(found, before, atol=1e-5)
    start = {v.path: v.numpy() for v in model.weights}
    blocks = {
        re.sub("lora_kernel_[ab]$", "kernel", v.path)
        for v in model.encoder.trainable_variables
    }
    every = [p for p in start if re.search(r"encoder/.*kernel$", p)]
    assert blocks == set(every)
    assert len(every) == 6 * LAYERS
    optimizer = create_optimizer(model, 9, 0.01, layerwise_decay=0.5)
    path = "electra/encoder/layer_0/output/dense/lora_kernel_b"
    assert optimizer.factors[path] == 0.5**LAYERS
    model.compile(optimizer, run_eagerly=True)
    model.fit(ids, np.array([0, 1, 2, 1]), epochs=4, verbose=0)
    moved = {
        v.path for v in model.weights if (v != start[v.path]).numpy().any()
    }
    assert moved == set(optimizer.factors)
    inner = tiny_finetune.tiny.FLAGS["intermediate_size"]
    by_hand = 4 * 2 * RANK * WIDTH + 2 * RANK * (WIDTH + inner)
    count = LAYERS * by_hand + 3 * WIDTH + 3
    total = sum(array.size for array in start.values())
    assert model.trainable_share() == pytest.approx(count / total)


def test_no_gradient_of_a_resting_kernel_is_computed():
    """Of W's size [64, 48] there is no product in the backward pass."""
    layer = Dense(48)
    layer.build((None, 64))
    add_adapters(layer, RANK)

    @tf.function
    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x) ** 2)
        return tape.gradient(loss, [x, layer.lora_kernel_a.value])

    graph = gradients.get_concrete_function(tf.TensorSpec([10, 64])).graph
    needed = {t.op for t in graph.outputs}
    for op in reversed(graph.get_operations()):
        if op in needed:
            needed |= {x.op for x in op.inputs}
    shapes = {tuple(o.outputs[0].shape) for o in needed if o.type == "MatMul"}
    assert (10, 48) in shapes
    assert (64, 48) not in shapes


@pytest.mark.slow
def test_saved_loaded_exported_and_converted_it_answers_alike(
    adapted, tmp_path
):
    ids = id_batch()
    expected = adapted.predict(ids, verbose=0)
    path = str(tmp_path / "model.keras")
    adapted.save(path)
    copy = load_model(path)
    assert copy.encoder.lora_rank == RANK
    np.testing.assert_array_equal(copy.predict(ids, verbose=0), expected)
    for plain in (adapted.merged(), make(path), make_plain(adapted)):
        assert plain.encoder.lora_rank == 0
        assert plain.labels == LABELS
        found = plain.predict(ids, verbose=0)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    export_finetuned(adapted, str(tmp_path / "1"))
    served = tf.saved_model.load(str(tmp_path / "1"))
    stored = tf.train.list_variables(str(tmp_path / "1/variables/variables"))
    size = sum(np.prod(shape) for name, shape in stored if "weight" in name)
    assert size == make_plain(adapted).count_params()
    given = {n: tf.constant(x, tf.int64) for n, x in ids.items()}
    scores = served.signatures["classify_ids"](**given)["scores"]
    softmax = keras.ops.softmax(expected)
    np.testing.assert_allclose(scores, softmax, atol=1e-5)


@pytest.mark.slow
def test_what_was_saved_learns_on_as_if_it_had_not_been(pretrained, tmp_path):
    """Also from a whole epoch's checkpoint; Keras' own layers stand still."""
    x, y = id_batch(), np.array([0, 1, 2, 1])
    model = make(pretrained, dropout=0.0)
    model.enable_lora(RANK)
    model.compile(create_optimizer(model, 20, 0.01), run_eagerly=True)
    backup = keras.callbacks.BackupAndRestore(
        tmp_path / "backup", delete_checkpoint=False
    )
    model.fit(x, y, epochs=2, verbose=0, callbacks=[backup], shuffle=False)
    model.save(tmp_path / "model.keras")
    loss = model.fit(x, y, epochs=3, verbose=0, shuffle=False).history["loss"]
    loaded = load_model(tmp_path / "model.keras")
    found = loaded.fit(x, y, epochs=3, verbose=0, shuffle=False).history
    np.testing.assert_allclose(found["loss"], loss, rtol=1e-5)
    again = make(pretrained, dropout=0.0)
    again.enable_lora(RANK)
    again.compile(create_optimizer(again, 20, 0.01), run_eagerly=True)
    found = again.fit(
        x, y, epochs=5, verbose=0, callbacks=[backup], shuffle=False
    ).history
    np.testing.assert_allclose(found["loss"], loss, rtol=1e-5)


def test_a_kernel_without_adapters_leaves_them_at_their_start():
    plain, layer = Dense(5), Dense(5)
    for each in (plain, layer):
        each.build((None, 4))
    add_adapters(layer, 2)
    layer.lora_kernel_b.assign(np.ones((2, 5)))
    store = {}
    plain.save_own_variables(store)
    layer.load_own_variables({n: np.asarray(x) for n, x in store.items()})
    x = np.eye(4, dtype=np.float32)
    np.testing.assert_allclose(layer(x), plain(x), atol=1e-6)
    assert np.abs(layer.lora_kernel_a).min() > 0  # zeros would learn nothing


@pytest.fixture(scope="module")
def file(adapted, tmp_path_factory):
    path = tmp_path_factory.mktemp("lora") / "lora.safetensors"
    adapted.save_lora_weights(path)
    return path


def test_a_small_file_has_adapters_and_head(adapted, file, pretrained):
    from safetensors.numpy import load_file

    stored = load_file(file)
    assert set(stored) == {v.path for v in adapted.trainable_variables}
    expected = adapted.predict(id_batch(), verbose=0)
    model = make(pretrained)
    for _ in range(2):  # with adapters, too
        model.load_lora_weights(file)
        found = model.predict(id_batch(), verbose=0)
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "rank", "message"),
    [
        ({}, RANK + 1, "adapters' rank must be the model's, 4; received 3"),
        ({"labels": ("a", "b", "c")}, 0, "adapters' labels must be"),
        ({"head": "huggingface"}, 0, "adapters' head must be"),
        ({"load_weights": False}, 0, "adapters' encoder must be"),
        ({"cls": Regressor}, 0, "adapters' class must be .* 'Regressor'"),
    ],
)
def test_a_file_of_something_else_is_refused(
    given, rank, message, file, pretrained
):
    model = make(pretrained, **given)
    if rank:
        model.enable_lora(rank)
    before = [v.numpy() for v in model.weights]
    with pytest.raises(InputError, match=message) as caught:
        model.load_lora_weights(file)
    assert "\n" not in str(caught.value)
    after = [v.numpy() for v in model.weights]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(new, old)


def test_misuse_is_one_line(pretrained, adapted, file, tmp_path):
    model = make(pretrained)
    for rank in (0, -1, 2.5, "8", None):
        with pytest.raises(InputError, match="rank must be a positive whole"):
            model.enable_lora(rank)
    with pytest.raises(InputError, match="may be called once"):
        adapted.enable_lora(RANK)
    path = tmp_path / "lora.safetensors"
    with pytest.raises(InputError, match="needs a model with adapters"):
        model.save_lora_weights(path)
    with pytest.raises(InputError, match="must be a file of save_lora"):
        model.load_lora_weights(path)
    with pytest.raises(InputError, match=r"must end with \.safetensors"):
        adapted.save_lora_weights(tmp_path / "lora.npz")
    path.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match="cannot read"):
        model.load_lora_weights(path)
    assert model.encoder.lora_rank == 0


@pytest.mark.slow
def test_int8_is_near_and_is_not_saved_whole(adapted, tmp_path):
    model, ids = adapted.merged(), id_batch()
    expected = model.predict(ids, verbose=0)
    with pytest.warns(UserWarning, match="does not have a `quantize`"):
        model.quantize("int8")
    assert model.encoder.blocks[0].query.kernel.dtype == "int8"
    found = model.predict(ids, verbose=0)
    assert 0 < np.abs(found - expected).max() < 0.1 * np.ptp(expected)
    with pytest.raises(InputError, match="save needs a model that is not"):
        model.save(tmp_path / "model.keras")
    assert not (tmp_path / "model.keras").exists()
    model.save_weights(tmp_path / "model.weights.h5")
    copy = adapted.merged()
    with pytest.warns(UserWarning, match="does not have"):
        copy.quantize("int8")
    copy.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(copy.predict(ids, verbose=0), found)
