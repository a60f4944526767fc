"""Classifier, Regressor and Tagger: their numbers, and plain Keras' ways."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
import tiny_finetune
from tiny_finetune import LENGTH, ROWS, TEXTS, id_batch, numpy_states

from electra_tf.errors import InputError
from electra_tf.finetune.models.classifiers import Classifier, Regressor
from electra_tf.finetune.models.optimizer import create_optimizer
from electra_tf.finetune.models.tagger import Tagger

GOLDEN = pathlib.Path(__file__).parents[2] / "golden"
LABELS = ("no", "yes", "maybe")


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("pretrained") / "model")
    return tiny_finetune.write_pretrained(folder)


def make(cls, pretrained, **given):
    if cls is not Regressor:
        given.setdefault("labels", LABELS)
    return cls.from_pretrained(pretrained, max_seq_length=LENGTH, **given)


@pytest.fixture(scope="module")
def classifier(pretrained):
    """Not to be changed."""
    return make(Classifier, pretrained)


def head(model, name):
    return next(
        v.numpy().astype(np.float64)
        for v in model.trainable_variables
        if v.path == f"task_head/{name}"
    )


def expected_outputs(model, ids):
    states = numpy_states(model, ids)  # [B, L, H]
    outputs = states @ head(model, "kernel") + head(model, "bias")
    if isinstance(model, Tagger):
        return outputs
    if isinstance(model, Regressor):
        return outputs[:, 0, 0]
    return outputs[:, 0]


@pytest.mark.parametrize("cls", [Classifier, Regressor, Tagger])
def test_outputs_equal_numpy(cls, pretrained):
    model, ids = make(cls, pretrained), id_batch()
    for variable in model.trainable_variables:  # a bias that counts
        if variable.path == "task_head/bias":
            variable.assign(np.linspace(-1, 1, variable.shape[0]))
    found = model.predict(ids, verbose=0)
    assert found.dtype == np.float32
    expected = expected_outputs(model, ids)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert np.ptp(expected, axis=0).min() > 1e-2


def cross_entropy(logits, labels):
    logits = logits.astype(np.float64)
    picked = np.take_along_axis(logits, labels[..., None], -1)[..., 0]
    return np.log(np.exp(logits).sum(-1)) - picked


def test_default_losses_equal_numpy(pretrained):
    ids, rng = id_batch(5), np.random.default_rng(1)
    model = make(Classifier, pretrained)
    labels, weights = rng.integers(0, 3, 5), rng.random(5)
    losses = cross_entropy(model.predict(ids, verbose=0), labels)
    model.compile("sgd", metrics=["accuracy"])
    found, accuracy = model.evaluate(ids, labels, verbose=0, batch_size=5)
    assert found == pytest.approx(losses.mean(), rel=1e-5)
    right = model.predict(ids, verbose=0).argmax(-1) == labels
    assert accuracy == pytest.approx(right.mean())
    found, _ = model.evaluate(ids, labels, 5, 0, sample_weight=weights)
    # Keras divides by the number of examples, not by their weights.
    assert found == pytest.approx((losses * weights).mean(), rel=1e-5)

    model = make(Regressor, pretrained)
    targets = rng.normal(size=5)
    error = (model.predict(ids, verbose=0) - targets) ** 2
    model.compile("sgd")
    found = model.evaluate(ids, targets, verbose=0, batch_size=5)
    assert found == pytest.approx(error.mean(), rel=1e-5)

    model = make(Tagger, pretrained)
    labels = rng.integers(-1, 3, (5, LENGTH))
    losses = cross_entropy(model.predict(ids, verbose=0), labels.clip(0))
    model.compile("sgd")
    found = model.evaluate(ids, labels, verbose=0, batch_size=5)
    assert found == pytest.approx(losses[labels >= 0].mean(), rel=1e-5)


def test_a_loss_given_to_compile_wins(classifier, pretrained):
    model, labels = make(Classifier, pretrained), np.array([0, 2, 1, 0])
    model.compile(
        "sgd", keras.losses.SparseCategoricalCrossentropy(True, reduction="sum")
    )
    losses = cross_entropy(model.predict(id_batch(), verbose=0), labels)
    found = model.evaluate(id_batch(), labels, verbose=0, batch_size=4)
    assert found == pytest.approx(losses.sum(), rel=1e-5)


@pytest.mark.parametrize(
    "path", ["tiny", "native", "run", GOLDEN / "electra_tied" / "model.ckpt-8"]
)
def test_the_encoder_has_the_weights_of_any_path(path, pretrained, request):
    if path == "native":
        path = pretrained
    if path == "run":
        path = request.getfixturevalue("tiny_run").folder
        end = "/.ATTRIBUTES/VARIABLE_VALUE"
        stored = {
            n.removeprefix("model/").removesuffix(end).replace(".S", "/"): v
            for n, v in tiny.checkpoint(path).items()
        }
    elif path == "tiny":
        assets = pathlib.Path(tiny.__file__).parents[1] / "electra_tf/assets"
        stored = dict(np.load(assets / "tiny" / "weights.npz"))
    elif path == pretrained:
        stored = dict(np.load(f"{path}/weights.npz"))
    else:
        reader = tf.train.load_checkpoint(str(path))
        names = reader.get_variable_to_shape_map()
        stored = {name: reader.get_tensor(name) for name in names}
    model = Classifier.from_pretrained(path, num_classes=2, max_seq_length=8)
    variables = model.encoder.variables
    assert len(variables) > 20
    for variable in variables:
        np.testing.assert_array_equal(variable, stored[variable.path])
    assert model.labels == ("0", "1")


def test_fresh_weights_have_the_sizes_alone(pretrained):
    keras.utils.set_random_seed(3)
    fresh = make(Classifier, pretrained, load_weights=False)
    stored = np.load(f"{pretrained}/weights.npz")
    for variable in fresh.encoder.variables:
        assert variable.shape == stored[variable.path].shape
        assert np.any(variable.numpy() != stored[variable.path])
    words = fresh.encoder.embeddings.word_embeddings.numpy()
    # A truncated normal of deviation 0.2 has 0.88 of it left.
    assert words.std() == pytest.approx(0.2 * 0.8796, rel=0.03)


def test_dropout_is_the_one_asked_for(pretrained):
    ids = {n: tf.constant(v) for n, v in id_batch().items()}
    model = make(Classifier, pretrained, dropout=0.3)
    block = model.encoder.blocks[1]
    layers = [model.dropout, model.encoder.embeddings.output_dropout]
    layers += [block.probs_dropout, block.output_dropout]
    layers += [block.attention_output_dropout]
    assert {layer.rate for layer in layers} == {0.3}
    first, second = (model(ids, training=True) for _ in range(2))
    assert np.abs(first - second).max() > 1e-2
    np.testing.assert_array_equal(model(ids), model(ids))
    still = make(Classifier, pretrained, dropout=0.0)
    np.testing.assert_array_equal(still(ids, training=True), still(ids))


def test_strings_give_what_their_ids_give(classifier):
    texts, pairs = TEXTS, TEXTS[::-1]
    ids = classifier.preprocessor(tf.constant(texts))
    ids.pop("truncated")
    expected = expected_outputs(
        classifier, {n: v.numpy() for n, v in ids.items()}
    )
    forms = [texts, np.array(texts), np.array(texts, object)]
    forms += [tf.constant(texts), {"text": texts}, ids]
    for form in forms:
        found = classifier.predict(form, verbose=0)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    both = {"text": tf.constant(texts), "text_pair": tf.constant(pairs)}
    ids = classifier.preprocessor(both)
    ids.pop("truncated")
    expected = expected_outputs(
        classifier, {n: v.numpy() for n, v in ids.items()}
    )
    found = classifier.predict(both, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_preprocessor_can_be_taken_out(pretrained):
    model = make(Classifier, pretrained)
    expected = model.predict(TEXTS, verbose=0)
    preprocess = model.remove_preprocessor()
    assert model.preprocessor is None
    assert model.supports_jit
    texts = tf.data.Dataset.from_tensor_slices(TEXTS).batch(2)
    found = model.predict(texts.map(preprocess), verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(InputError, match=r"without preprocessor.*text"):
        model(tf.constant(TEXTS))
    with pytest.raises(InputError, match="needs a model with a preprocessor"):
        model.remove_preprocessor()


def test_what_is_cut_is_counted_and_announced_once(pretrained, capfd):
    model = make(Tagger, pretrained)
    lengths = [
        len(model.preprocessor.tokenizer.tokenize([t])[0]) for t in TEXTS
    ]
    cut = sum(length > LENGTH - 2 for length in lengths)
    assert 0 < cut < len(TEXTS)
    model.predict(TEXTS, verbose=0)
    model.predict(TEXTS, verbose=0, batch_size=1)
    assert model.truncated == 2 * cut
    said = f"note: texts are cut to max_seq_length = {LENGTH} tokens"
    assert capfd.readouterr().err.count(said) == 1


@pytest.fixture(scope="module")
def trained(pretrained):
    """80 steps on the same four texts."""
    keras.utils.set_random_seed(0)
    model = make(Classifier, pretrained)
    model.compile(
        create_optimizer(model, 80, learning_rate=3e-3), metrics=["accuracy"]
    )
    labels = [0, 1, 2, 1]
    history = model.fit(
        TEXTS * 40,
        np.array(labels * 40),
        batch_size=4,
        epochs=2,
        verbose=0,
        validation_data=(TEXTS, np.array(labels)),
    )
    return model, history.history


def test_fit_learns(trained):
    _, history = trained
    assert history["loss"][0] > history["loss"][1]
    assert history["val_loss"][-1] < 0.1
    assert history["val_accuracy"][-1] == 1.0


def test_a_saved_model_predicts_identically_and_trains_on(trained, tmp_path):
    model, _ = trained
    path = str(tmp_path / "model.keras")
    model.save(path)
    copy = keras.models.load_model(path, safe_mode=True)
    assert copy.labels == model.labels
    np.testing.assert_array_equal(
        copy.predict(TEXTS, verbose=0), model.predict(TEXTS, verbose=0)
    )
    assert int(copy.optimizer.iterations) == 80
    pairs = zip(
        model.optimizer.variables, copy.optimizer.variables, strict=True
    )
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)
    assert copy.optimizer.get_config() == model.optimizer.get_config()
    assert copy.get_config() == model.get_config()


@pytest.mark.slow
def test_xla_takes_the_step_it_takes_without(pretrained):
    labels = np.array([0, 2, 1, 0])
    ended = []
    for jit_compile in (False, True):
        model = make(Classifier, pretrained, dropout=0.0)
        model.remove_preprocessor()
        model.head.kernel.assign(np.ones(model.head.kernel.shape) * 0.1)
        optimizer = create_optimizer(model, 4, learning_rate=1e-3)
        model.compile(optimizer, jit_compile=jit_compile)
        losses = model.fit(
            id_batch(), labels, epochs=3, shuffle=False, verbose=0
        ).history["loss"]
        ended.append([*losses, *model.get_weights()])
    for without, with_xla in zip(*ended, strict=True):
        np.testing.assert_allclose(with_xla, without, rtol=1e-3, atol=2e-5)


def test_mixed_precision_gives_float32(pretrained):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = make(Tagger, pretrained)
    finally:
        keras.config.set_dtype_policy("float32")
    found = model.predict(id_batch(), verbose=0)
    assert found.dtype == np.float32
    expected = expected_outputs(model, id_batch())
    real = id_batch()["input_mask"].astype(bool)
    difference = np.abs(found - expected)[real]
    assert 1e-4 < difference.mean() < 0.05 * np.abs(expected[real]).mean()


@pytest.mark.parametrize("cls", [Regressor, Tagger])
def test_others_predict_identically_when_loaded(cls, pretrained, tmp_path):
    model = make(cls, pretrained)
    path = str(tmp_path / "model.keras")
    model.save(path)
    copy = keras.models.load_model(path, safe_mode=True)
    np.testing.assert_array_equal(
        copy.predict(TEXTS, verbose=0), model.predict(TEXTS, verbose=0)
    )
    model.remove_preprocessor()
    model.save(path)
    copy = keras.models.load_model(path, safe_mode=True)
    assert copy.preprocessor is None
    np.testing.assert_array_equal(
        copy.predict(id_batch(), verbose=0),
        model.predict(id_batch(), verbose=0),
    )


def test_callbacks(pretrained, tmp_path):
    """The best epoch's weights are kept, and training stops early."""
    model = make(Regressor, pretrained, dropout=0.0)
    model.compile("sgd")  # at a rate of 0.01 it goes astray
    path = str(tmp_path / "best.weights.h5")
    callbacks = [
        keras.callbacks.ModelCheckpoint(
            path, save_best_only=True, save_weights_only=True
        ),
        keras.callbacks.EarlyStopping(patience=0),
    ]
    y = np.array([0.0, 1.0, 2.0, 3.0])
    losses = model.fit(
        id_batch(),
        y,
        epochs=4,
        verbose=0,
        validation_data=(id_batch(), -y),
        callbacks=callbacks,
    ).history["val_loss"]
    assert len(losses) < 4
    model.load_weights(path)
    found = model.evaluate(id_batch(), -y, verbose=0)
    assert found == pytest.approx(min(losses), rel=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "labels or num_classes must be given"),
        ({"labels": ["a"]}, "two or more"),
        ({"labels": ["a", "b", "a"]}, "all different"),
        ({"num_classes": 1}, "two or more"),
        ({"num_classes": 2.5}, "num_classes must be given"),
        ({"labels": "bad"}, "labels must be a list of names.* 'str'"),
        ({"labels": {"a", "b"}}, "labels must be a list of names.* 'set'"),
        ({"labels": {"a": 0, "b": 1}}, "must be a list of names.* 'dict'"),
        ({"labels": [0, 1]}, "each label must be a str; received 0"),
        ({"num_classes": 2, "max_seq_length": 8.5}, "must be a whole number"),
        ({"labels": ["a", "b"], "num_classes": 3}, "number of labels .2."),
        (
            {"num_classes": 2, "max_seq_length": ROWS + 1},
            f"received {ROWS + 1}",
        ),
    ],
)
def test_bad_arguments_are_refused(wrong, message, pretrained):
    with pytest.raises(InputError, match=message):
        Classifier.from_pretrained(pretrained, **{"max_seq_length": 8, **wrong})
