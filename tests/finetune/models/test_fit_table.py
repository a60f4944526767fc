"""Keras' own callbacks and weights, in every position, in every form."""

import json
import pathlib
import textwrap

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tiny_finetune import FOUR_TEXTS as TEXTS
from tiny_finetune import LABELS, LENGTH, NAMES, NUMBERS, write_pretrained

from electra_tf import load_model
from electra_tf.errors import InputError
from electra_tf.finetune.models.classifiers import Classifier
from electra_tf.finetune.models.optimizer import create_optimizer

ROOT = pathlib.Path(__file__).parents[3]
WEIGHTS = [1.0, 0.5, 0.0, 2.0]
CLASS_WEIGHT = {0: 0.5, 1: 3.0, 2: 1.5}
BY_ROW = [CLASS_WEIGHT[n] for n in NUMBERS]
Y = tf.constant(NUMBERS)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    return write_pretrained(str(tmp_path_factory.mktemp("fit") / "model"))


def make(pretrained, optimizer, **compiled):
    model = Classifier.from_pretrained(
        pretrained, labels=LABELS, max_seq_length=LENGTH, dropout=0.0
    )
    model.compile(optimizer, **compiled)
    return model


@pytest.fixture(scope="module")
def model(pretrained):
    """Its rate is 0, so that every call measures the same weights."""
    model = make(pretrained, keras.optimizers.SGD(0.0), run_eagerly=True)
    return model


@pytest.fixture(scope="module")
def rows(model):
    """The cross-entropy of each row, by NumPy."""
    logits = model.predict(TEXTS, verbose=0).astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    sums = np.log(np.exp(logits).sum(-1))
    return sums - logits[np.arange(4), NUMBERS]


def batches(*columns):
    return tf.data.Dataset.from_tensor_slices(columns).batch(4)


def ids(model):
    found = model.preprocessor(tf.constant(TEXTS))
    return {n: x.numpy() for n, x in found.items() if n != "truncated"}


FRAME = pd.DataFrame({"text": TEXTS, "y": NAMES}, index=[4, 2, 9, 1])
# x, y of a form; with weights, (x, y, weights).
FORMS = {
    "lists": (TEXTS, NUMBERS, WEIGHTS),
    "tuples": (tuple(TEXTS), tuple(NAMES), tuple(WEIGHTS)),
    "arrays": (np.array(TEXTS), np.array(NUMBERS), np.array(WEIGHTS)),
    "pandas": (FRAME["text"], FRAME["y"], pd.Series(WEIGHTS)),
    "frame": (FRAME[["text"]], FRAME["y"], pd.DataFrame({"w": WEIGHTS})["w"]),
    "tensors": (tf.constant(TEXTS), Y, tf.constant(WEIGHTS)),
}
ALL_FORMS = [*FORMS, "tf.data", "ids", "sequence"]


class Sequence(keras.utils.PyDataset):
    """One batch of arrays."""

    def __init__(self, *columns):
        super().__init__()
        self.columns = columns

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.columns


def given(form, model, weighted):
    """Positional arguments of `fit`, and its `sample_weight`, if apart."""
    if form == "tf.data":
        return [batches(TEXTS, NAMES, *([WEIGHTS] if weighted else []))], {}
    if form == "sequence":
        columns = (ids(model), np.array(NUMBERS), np.array(WEIGHTS))
        return [Sequence(*columns[: 3 if weighted else 2])], {}
    x, y, weights = FORMS.get(form) or (ids(model), NUMBERS, WEIGHTS)
    return [x, y], {"sample_weight": weights} if weighted else {}


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("form", ALL_FORMS)
def test_every_form_in_every_position(form, weighted, model, rows):
    """Losses are means over rows, as the weighted ones are of Keras."""
    right = np.mean(rows * (WEIGHTS if weighted else 1.0))
    data, weights = given(form, model, weighted)
    held_out = (*data, *weights.values())
    history = model.fit(
        *data,
        validation_data=held_out if len(held_out) > 1 else held_out[0],
        verbose=0,
        **weights,
    ).history
    assert history["loss"][0] == pytest.approx(right, rel=1e-4)
    assert history["val_loss"][0] == pytest.approx(right, rel=1e-4)
    found = model.evaluate(*data, verbose=0, **weights)
    assert found == pytest.approx(right, rel=1e-4)
    logits = model.predict(data[0], verbose=0)
    expected = model.predict(TEXTS, verbose=0)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", ALL_FORMS)
def test_weights_of_classes(form, model, rows):
    data, _ = given(form, model, weighted=False)
    history = model.fit(*data, class_weight=CLASS_WEIGHT, verbose=0).history
    right = np.mean(rows * BY_ROW)
    assert history["loss"][0] == pytest.approx(right, rel=1e-4)


def test_a_class_weight_by_name(model, rows):
    by_name = {LABELS[n]: weight for n, weight in CLASS_WEIGHT.items()}
    history = model.fit(TEXTS, NAMES, class_weight=by_name, verbose=0).history
    right = np.mean(rows * BY_ROW)
    assert history["loss"][0] == pytest.approx(right, rel=1e-4)
    with pytest.raises(
        InputError, match=r"class_weight must be .*received 'good'"
    ):
        model.fit(TEXTS, NAMES, class_weight={"good": 1.0}, verbose=0)


def test_a_held_out_part(model, rows):
    history = model.fit(
        TEXTS, NAMES, validation_split=0.5, verbose=0, shuffle=False
    ).history
    assert history["loss"][0] == pytest.approx(rows[:2].mean(), rel=1e-4)
    assert history["val_loss"][0] == pytest.approx(rows[2:].mean(), rel=1e-4)


@pytest.mark.slow
def test_all_callbacks_at_once(pretrained, tmp_path):
    """They see what they watch; what each leaves can be used."""
    model = make(pretrained, create_optimizer(model_of(pretrained), 40, 0.01))
    best = tmp_path / "best.keras"
    watched = {"monitor": "val_loss", "mode": "min"}
    callbacks = [
        keras.callbacks.BackupAndRestore(tmp_path / "backup"),
        keras.callbacks.ModelCheckpoint(best, save_best_only=True, **watched),
        keras.callbacks.TensorBoard(tmp_path / "board", histogram_freq=1),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.EarlyStopping(
            patience=2, restore_best_weights=True, **watched
        ),
    ]
    history = model.fit(
        TEXTS,
        NAMES,
        epochs=20,
        validation_data=(TEXTS, NAMES[::-1]),  # gets worse soon
        callbacks=callbacks,
        verbose=0,
    ).history
    losses = history["val_loss"]
    assert len(losses) == int(np.argmin(losses)) + 3 < 20
    again = load_model(best)
    for each in (model, again):
        found = each.evaluate(TEXTS, NAMES[::-1], verbose=0)
        assert found == pytest.approx(min(losses), rel=1e-4)
    assert not (tmp_path / "backup").exists()  # it was not stopped
    assert list((tmp_path / "board" / "train").iterdir())
    table = pd.read_csv(tmp_path / "log.csv")
    np.testing.assert_allclose(table["val_loss"], losses)


def model_of(pretrained):
    return Classifier.from_pretrained(
        pretrained, labels=LABELS, max_seq_length=LENGTH
    )


class Stop(keras.callbacks.Callback):
    """As a process that is killed after its second epoch."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_stopped_fit_goes_on(pretrained, tmp_path):
    """To the same losses; noise comes of the step, the order is kept."""

    def run(folder, *more):
        keras.utils.set_random_seed(3)  # the head's
        optimizer = create_optimizer(model_of(pretrained), 8, 0.01)
        model = make(pretrained, optimizer, run_eagerly=True)
        backup = keras.callbacks.BackupAndRestore(folder)
        return model.fit(
            TEXTS, NAMES, epochs=4, shuffle=False, verbose=0,
            callbacks=[backup, *more],
        ).history["loss"]  # fmt: skip

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", Stop())
    rest = run(tmp_path / "stopped")
    assert 1 <= len(rest) < 4
    np.testing.assert_allclose(rest, whole[-len(rest) :], rtol=1e-4)


@pytest.mark.slow
def test_averages_of_weights_are_swapped_in(pretrained):
    """Ours has Keras' average, which `SwapEMAWeights` evaluates."""
    optimizer = create_optimizer(model_of(pretrained), 8, 0.01)
    config = optimizer.get_config()
    config |= {"use_ema": True, "ema_momentum": 0.5}
    optimizer = type(optimizer).from_config(config)
    model = make(pretrained, optimizer, run_eagerly=True)
    path = "task_head/bias"
    bias = next(v for v in model.trainable_variables if v.path == path)
    seen = [bias.numpy()]
    kept = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(bias.numpy())
    )
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    model.fit(
        TEXTS, NAMES, epochs=3, verbose=0, callbacks=[kept, swap],
        validation_data=(TEXTS, NAMES),
    )  # fmt: skip
    average = seen[1]  # after the first step
    for value in seen[2:]:
        average = 0.5 * average + 0.5 * value
    np.testing.assert_allclose(bias.numpy(), average, atol=1e-6)
    assert np.abs(seen[-1] - average).max() > 1e-5


def test_a_history_is_numbers(model):
    """So that it can be written down."""
    history = model.fit(TEXTS, NAMES, verbose=0).history
    assert json.loads(json.dumps(history)) == history


@pytest.mark.slow
def test_the_documented_unfreezing(pretrained):
    """With two blocks: head; last block; first; embeddings."""
    page = (ROOT / "docs" / "finetuning.md").read_text(encoding="utf-8")
    begin = page.index("    class Unfreezing")
    end = page.index("Keras' other callbacks", begin)
    code = textwrap.dedent(page[begin:end]).replace("electra_tf.", "")
    model = make(pretrained, None)
    moved, last = [], {v.path: v.numpy() for v in model.weights}

    def look(epoch, logs):
        new = {v.path: v.numpy() for v in model.weights}
        moved.append({p for p, x in new.items() if (x != last[p]).any()})
        last.update(new)

    fit = model.fit
    seen = keras.callbacks.LambdaCallback(on_epoch_end=look)
    model.fit = lambda *data, callbacks, **given: fit(
        *data, callbacks=[*callbacks, seen], verbose=0, **given
    )
    names = {"texts": TEXTS * 8, "targets": NUMBERS * 8, "model": model}
    exec(code, {**names, "keras": keras, "create_optimizer": create_optimizer})
    parts = ["task_head", "layer_1", "layer_0", "embeddings/"]
    found = [
        [part for part in parts if any(part in path for path in paths)]
        for paths in moved
    ]
    assert found == [parts[: n + 1] for n in range(4)]
