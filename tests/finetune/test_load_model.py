"""What `model.save` wrote is opened, whoever was imported before."""

import ast
import os
import pathlib
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import tiny_finetune
from import_tree import Tree

import electra_tf
from electra_tf import Classifier, InputError, create_optimizer, load_model

ROOT = pathlib.Path(__file__).parents[2]
REGISTRY = keras.saving.get_custom_objects()
TEXTS = ["We are glad.", "We are not."]
# Stands for Keras, whose import takes seconds.
TOY_KERAS = """
registry = {}

class saving:
    def get_custom_objects():
        return registry
"""
CLASSES = '{"electra_tf>Encoder", "electra_tf>LayerwiseAdamW"}'
FIRST = {
    "ours": "import electra_tf, keras",
    "keras": "import keras, electra_tf",
    "a part of ours": "import electra_tf.config, keras",
}
CLIENTS = {
    "ours alone": "import electra_tf\nload = electra_tf.load_model",
    "ours, then keras": (
        "import electra_tf\nimport keras\nload = keras.models.load_model"
    ),
    "keras, then ours": (
        "import keras\nimport electra_tf\nload = keras.models.load_model"
    ),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model that has trained one step, and its file."""
    folder = tmp_path_factory.mktemp("saved")
    weights = tiny_finetune.write_pretrained(str(folder / "weights"))
    model = Classifier.from_pretrained(
        weights, max_seq_length=12, labels=("bad", "good")
    )
    model.compile(create_optimizer(model, 10))
    model.fit(np.array(TEXTS), np.array([1, 0]), verbose=0)
    path = str(folder / "model.keras")
    model.save(path)
    return model, path


@pytest.mark.parametrize("first", FIRST)
def test_keras_is_promised_the_classes_when_both_are_there(first, tmp_path):
    (tmp_path / "keras.py").write_text(TOY_KERAS)
    code = f"{FIRST[first]}; assert {CLASSES} <= set(keras.registry)"
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        check=True,
    )


def test_every_class_that_a_file_may_hold_is_promised():
    promised = electra_tf._MODULES | electra_tf._STORED
    found = {
        (node.name, module)
        for module, tree in Tree(ROOT, "electra_tf").parsed()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and "serializable" in "".join(map(ast.dump, node.decorator_list))
    }
    assert len(found) > 20
    assert found <= set(promised.items())
    assert set(electra_tf._STORED.items()) <= found


@pytest.mark.slow
def test_promises_are_enough_for_a_model_and_its_optimizer(saved, monkeypatch):
    model, path = saved
    for name, module in (electra_tf._MODULES | electra_tf._STORED).items():
        promise = electra_tf._Promise(module, name)
        monkeypatch.setitem(REGISTRY, f"electra_tf>{name}", promise)
    copy = load_model(path)
    assert isinstance(copy, Classifier)
    assert int(copy.optimizer.iterations) == 1
    np.testing.assert_array_equal(
        copy.predict(TEXTS, verbose=0), model.predict(TEXTS, verbose=0)
    )


def _not_there(path):
    return path / "model.keras", "received"


def _folder(path):
    return path, "received"


def _no_archive(path):
    (path / "model.keras").write_text("no model")
    return path / "model.keras", "which Keras cannot load"


def _damaged(path):
    with zipfile.ZipFile(path / "model.keras", "w") as archive:
        archive.writestr("config.json", "{")
    return path / "model.keras", "which Keras cannot load"


def _of_an_unknown_class(path):
    config = '{"class_name": "New", "registered_name": "a>New", "config": {'
    config += f'"x": "{"y" * 5000}"}}, "module": null}}'
    with zipfile.ZipFile(path / "model.keras", "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("metadata.json", "{}")
    return path / "model.keras", "TypeError: Could not locate class 'New'"


@pytest.mark.parametrize(
    "make", [_not_there, _folder, _no_archive, _damaged, _of_an_unknown_class]
)
def test_what_cannot_be_loaded_is_one_line(make, tmp_path):
    path, message = make(tmp_path)
    with pytest.raises(InputError, match=r"must be a \.keras file") as caught:
        load_model(path)
    text = str(caught.value)
    assert message in text
    assert str(path) in text
    assert "\n" not in text
    assert len(text) < 600


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS)
def test_it_works_alone_in_a_fresh_process(client, saved, tmp_path):
    model, path = saved
    code = (
        f"{CLIENTS[client]}\nimport numpy as np\nmodel = load({path!r})\n"
        f"np.save('out.npy', model.predict({TEXTS!r}, verbose=0))\n"
        "assert int(model.optimizer.iterations) == 1\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    np.testing.assert_array_equal(
        np.load(tmp_path / "out.npy"), model.predict(TEXTS, verbose=0)
    )
