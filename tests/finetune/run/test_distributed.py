"""`fit` under MirroredStrategy on two virtual CPUs equals `fit` on one."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tiny_finetune

TESTS = str(pathlib.Path(__file__).parents[2])
CLIENT = """
import sys
import keras, numpy as np, tensorflow as tf
import tiny_finetune

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
from electra_tf import Classifier, SpanQA, Tagger, create_optimizer

pretrained, out = sys.argv[1:]
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert mirrored.num_replicas_in_sync == 2
texts = tiny_finetune.TEXTS * 2
ids = tiny_finetune.id_batch(8)
places = np.array([7, 0, 8, 6] * 2)
spans = {"start": places, "end": places, "is_impossible": 1 * (places == 0)}
# Of most rows few places, of some all: replicas have unequal numbers.
tags = np.where(np.arange(12) < [[12], [1], [2], [1]] * 2, 1, -1)
cases = {
    "tagger": (Tagger, {"num_classes": 3}, ids, tags),
    "classifier": (Classifier, {"num_classes": 3}, texts, places % 3),
    "span": (SpanQA, {}, ids, spans),
}
found = {}
for name, (cls, head, x, y) in cases.items():
    start = None
    for label, strategy in ("one", None), ("two", mirrored):
        with (strategy or tf.distribute.get_strategy()).scope():
            model = cls.from_pretrained(
                pretrained, max_seq_length=12, dropout=0.0, **head
            )
            start = start or model.get_weights()
            model.set_weights(start)
            model.compile(create_optimizer(model, 4, learning_rate=1e-3))
        fit = model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
        loss = model.evaluate(x, y, batch_size=8, verbose=0)
        assert x is ids or model.truncated == 4 * 2, model.truncated
        path = f"{out}.{name}.{label}.keras"
        model.save(path)
        copy = keras.models.load_model(path)
        for variable, other in zip(model.variables, copy.variables):
            np.testing.assert_array_equal(variable, other)
            found[f"{name}/{label}/{variable.path}"] = variable.numpy()
        found[f"{name}/{label}/loss"] = np.array([*fit.history["loss"], loss])
    moved = [np.abs(a - b).max() for a, b in zip(start, model.get_weights())]
    assert sum(m > 1e-5 for m in moved) > 20
np.savez(out, **found)
"""


@pytest.mark.slow
def test_two_replicas_equal_one(tmp_path):
    folder = tiny_finetune.write_pretrained(str(tmp_path / "model"))
    root = os.path.dirname(TESTS)
    paths = [root, TESTS]
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, folder, str(tmp_path / "out.npz")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = np.load(tmp_path / "out.npz")
    names = [name for name in found.files if "/two/" in name]
    assert len(names) > 80
    for name in names:
        one = found[name.replace("/two/", "/one/")]
        np.testing.assert_allclose(
            found[name], one, rtol=1e-4, atol=2e-5, err_msg=name
        )
