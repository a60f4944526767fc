"""The encoder exported for fine-tuning: trained elsewhere, and by `fit`."""

import json

import bare_process
import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from electra_tf.errors import InputError
from electra_tf.finetune.encoder import finetuning_encoder
from electra_tf.finetune.models.optimizer import create_optimizer
from electra_tf.serving.export import SavedModelEncoder, export_for_finetuning

STEPS = 20
LENGTH, WIDTH = 12, tiny.FLAGS["hidden_size"]
NAMES = ("input_ids", "input_mask", "segment_ids")
# Adam by hand: there is no Keras. The labels follow from the first token.
CLIENT = f"""
model = tf.saved_model.load(sys.argv[1])
arrays = dict(np.load(sys.argv[2]))
labels = tf.constant(arrays.pop("labels"))
ids = {{name: tf.constant(array) for name, array in arrays.items()}}

first, second = (model.embed_ids(**ids)["pooled"].numpy() for _ in range(2))
out = {{"still": first, "still_again": second}}
for name in ("dropped", "dropped_again"):
    out[name] = model.embed_ids_training(**ids)["pooled"].numpy()
signature = model.signatures["embed_ids_training"]
out["dropped_signature"] = signature(**ids)["pooled"].numpy()

kernel = tf.Variable(tf.zeros([{WIDTH}, 2]))
variables = [*model.trainable_variables, kernel]
assert len({{v.name for v in variables}}) == len(variables)
start = [v.numpy() for v in variables]
m = [tf.zeros_like(v) for v in variables]
v2 = [tf.zeros_like(v) for v in variables]
losses, largest = [], {{v.name: 0.0 for v in variables}}
for step in range({STEPS}):
    with tf.GradientTape() as tape:
        logits = model.embed_ids_training(**ids)["pooled"] @ kernel
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        )
    losses.append(float(loss))
    grads = tape.gradient(loss, variables)
    for i, (variable, gradient) in enumerate(zip(variables, grads)):
        g = tf.convert_to_tensor(gradient)
        largest[variable.name] = max(
            largest[variable.name], float(tf.reduce_max(tf.abs(g)))
        )
        m[i] = 0.9 * m[i] + 0.1 * g
        v2[i] = 0.99 * v2[i] + 0.01 * g * g
        variable.assign_sub(3e-3 * m[i] / (tf.sqrt(v2[i]) + 1e-6))
moved = {{
    v.name: float(np.abs(v.numpy() - before).max())
    for v, before in zip(variables, start)
}}
out["losses"] = np.array(losses)
out["trained"] = model.embed_ids(**ids)["pooled"].numpy()
np.savez(sys.argv[3], log=json.dumps([moved, largest]), **out)
"""


def batch() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    mask = np.ones((8, LENGTH), np.int64)
    mask[3, 7:] = 0
    ids = rng.integers(5, len(tiny.vocab()), (8, LENGTH)) * mask
    segments = (np.arange(LENGTH) > 5).astype(np.int64) * mask
    return dict(zip(NAMES, (ids, mask, segments), strict=True))


LABELS = np.array([0, 1, 1, 0, 1, 0, 0, 1])


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("export") / "encoder")
    keras.utils.set_random_seed(0)  # which must not be exported
    finished = tiny.command(
        "export_saved_model",
        f"--model_dir={tiny_run.folder}",
        f"--output_dir={path}",
        "--for_finetuning",
        "--dropout=0.2",
    )
    assert finished.code == 0, finished.err
    assert "embed_ids_training" in finished.out
    return path


@pytest.fixture(scope="module")
def elsewhere(exported, tmp_path_factory):
    """What the client saw."""
    folder = tmp_path_factory.mktemp("client")
    np.savez(folder / "in.npz", labels=LABELS, **batch())
    files = (folder / "in.npz", folder / "out.npz")
    bare_process.run(CLIENT, exported, *files, cwd=folder)
    found = dict(np.load(folder / "out.npz"))
    moved, largest = json.loads(found.pop("log").item())
    return found, moved, largest


def test_it_answers_as_the_encoder(elsewhere, tiny_model):
    inputs = [tf.constant(v, tf.int32) for v in batch().values()]
    expected = tiny_model.encoder(*inputs)[:, 0]
    for name in ("still", "still_again"):
        np.testing.assert_allclose(elsewhere[0][name], expected, atol=1e-5)


def test_dropout_is_drawn_anew_at_each_call(elsewhere):
    found = elsewhere[0]
    names = ("still", "dropped", "dropped_again", "dropped_signature")
    for i, one in enumerate(names):
        for other in names[:i]:
            # In every row: none is left out of the dropping.
            difference = np.abs(found[one] - found[other]).max(1)
            assert difference.min() > 1e-3, (one, other)


def test_the_loss_falls_and_every_variable_moves(elsewhere):
    """The key's bias apart: the softmax cancels it, so that its gradient is
    nothing but rounding, and what Adam makes of that is no training."""
    found, moved, largest = elsewhere
    losses = found["losses"]
    assert losses[0] == pytest.approx(np.log(2), abs=1e-6)
    assert losses[-5:].mean() < 0.5 * losses[0]
    assert np.abs(found["trained"] - found["still"]).max() > 1e-2
    assert len(moved) == 5 + 2 + 16 * tiny.FLAGS["num_hidden_layers"] + 1
    for name in moved:
        if name.endswith("self/key/bias:0"):
            assert largest[name] < 1e-6, name
        else:
            assert moved[name] > 1e-3, name


@pytest.mark.slow
def test_its_gradients_are_the_encoders(exported, tiny_model):
    """The written-out gradients of GELU and LayerNorm came along."""
    encoder = finetuning_encoder(tiny_model, dropout=0.0)
    loaded = tf.saved_model.load(exported)
    ids = {n: tf.constant(v) for n, v in batch().items()}
    weights = tf.constant(np.random.default_rng(1).normal(size=(8, WIDTH)))
    weights = tf.cast(weights, tf.float32)
    ours = [v.value for v in encoder.variables]
    with tf.GradientTape(persistent=True) as tape:
        states = encoder(*(tf.cast(x, tf.int32) for x in ids.values()))
        expected = tf.reduce_sum(states[:, 0] * weights)
        found = loaded.embed_ids(**ids)["pooled"]
        found = tf.reduce_sum(found * weights)
    theirs = {v.name: v for v in loaded.trainable_variables}
    for variable in encoder.variables:
        a = tape.gradient(expected, variable.value)
        b = tape.gradient(found, theirs[variable.path + ":0"])
        np.testing.assert_allclose(
            tf.convert_to_tensor(b),
            tf.convert_to_tensor(a),
            rtol=1e-3,
            atol=1e-4,
            err_msg=variable.path,
        )
    assert len(theirs) == len(ours)


def make_model(path):
    inputs = {n: keras.Input((LENGTH,), dtype="int32", name=n) for n in NAMES}
    states = SavedModelEncoder(path)(inputs)
    outputs = keras.layers.Dense(2, name="head")(states[:, 0])
    model = keras.Model(inputs, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    return model


@pytest.fixture(scope="module")
def fitted(exported):
    model = make_model(exported)
    start = {v.path: v.numpy() for v in model.trainable_variables}
    rows = {n: np.tile(v, (STEPS, 1)) for n, v in batch().items()}
    history = model.fit(
        rows, np.tile(LABELS, STEPS), batch_size=8, shuffle=False, verbose=0,
        callbacks=[Losses()],
    )  # fmt: skip
    return model, start, history.model.losses_seen


class Losses(keras.callbacks.Callback):
    """The loss of each step, of Keras' running mean."""

    def on_train_begin(self, logs=None):
        self.model.losses_seen = []

    def on_train_batch_end(self, batch, logs=None):
        before = sum(self.model.losses_seen)
        loss = logs["loss"] * (batch + 1) - before
        self.model.losses_seen.append(loss)


@pytest.mark.slow
def test_the_layer_trains_under_fit(fitted, tiny_model):
    model, start, losses = fitted
    assert len(losses) == STEPS
    assert np.mean(losses[-5:]) < 0.5 * losses[0]
    paths = {v.path for v in tiny_model.encoder.variables}
    assert paths < set(start)
    for variable in model.trainable_variables:
        if not variable.path.endswith("self/key/bias"):
            moved = np.abs(variable.numpy() - start[variable.path]).max()
            assert moved > 1e-3, variable.path


def test_the_layer_starts_at_the_encoders_weights(fitted, tiny_model):
    for variable in tiny_model.encoder.variables:
        np.testing.assert_array_equal(fitted[1][variable.path], variable)


def test_a_model_with_the_layer_is_saved_with_its_weights(fitted, tmp_path):
    model = fitted[0]
    path = str(tmp_path / "model.keras")
    model.save(path)
    with pytest.raises(ValueError, match="safe_mode=False"):
        keras.models.load_model(path)
    copy = keras.models.load_model(path, safe_mode=False)
    found = copy.predict(batch(), verbose=0)
    np.testing.assert_array_equal(found, model.predict(batch(), verbose=0))


def test_the_layer_has_layerwise_rates(exported):
    factors = create_optimizer(make_model(exported), 10, None, 0.1, 0.5).factors
    assert factors["electra/embeddings/word_embeddings"] == 0.125
    assert factors["electra/encoder/layer_1/output/dense/kernel"] == 0.5


def test_without_dropout_both_endpoints_agree(tiny_model, tmp_path):
    path = str(tmp_path / "encoder")
    export_for_finetuning(tiny_model, path, dropout=0.0)
    loaded = tf.saved_model.load(path)
    ids = {n: tf.constant(v) for n, v in batch().items()}
    still, trained = (
        f(**ids)["sequence_output"]
        for f in (loaded.embed_ids, loaded.embed_ids_training)
    )
    np.testing.assert_allclose(still, trained, atol=1e-6)


def test_the_layer_refuses_other_folders(tmp_path):
    with pytest.raises(InputError, match="--for_finetuning; received"):
        SavedModelEncoder(str(tmp_path))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--for_finetuning", "--dropout=1"], "dropout must lie in [0, 1)"),
        (["--dropout=0.2"], "dropout goes with for_finetuning"),
    ],
)
def test_bad_flags_are_refused(flags, message, tiny_run, tmp_path):
    out = tmp_path / "out"
    finished = tiny.command(
        "export_saved_model",
        f"--model_dir={tiny_run.folder}",
        f"--output_dir={out}",
        *flags,
    )
    assert message in finished.error()
    assert not out.exists()
