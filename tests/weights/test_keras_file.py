"""Fine-tuned models' files as weights: converted, or refused if not whole."""

import json
import zipfile

import hf_electra
import keras
import numpy as np
import pytest
import tiny
import tiny_finetune

import electra_tf
from electra_tf.errors import InputError
from electra_tf.weights import open_weights

CONFIG, ARRAYS = "config.json", "model.weights.h5"


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Name -> bytes of a saved Regressor."""
    folder = tmp_path_factory.mktemp("keras")
    weights = tiny_finetune.write_pretrained(str(folder / "weights"))
    model = electra_tf.Regressor.from_pretrained(weights, max_seq_length=12)
    model.save(folder / "model.keras")
    with zipfile.ZipFile(folder / "model.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(parts, path):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return str(path)


def told(**changes):
    """Part of config.json, by its path with "__" between -> new value."""

    def change(parts):
        config = json.loads(parts[CONFIG])
        for place, value in changes.items():
            *scopes, name = place.split("__")
            inner = config
            for scope in scopes:
                inner = inner[scope]
            inner[name] = value
        return {**parts, CONFIG: json.dumps(config).encode()}

    return change


def without(name):
    return lambda parts: {n: x for n, x in parts.items() if n != name}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (told(registered_name="electra_tf>MaskedLM"), "must be of electra_tf>"),
        (told(registered_name=None), "received None"),
        (told(config__preprocessor=None), "must have its preprocessor"),
        (told(config__encoder__config__hidden_size=48), "cannot be read"),
        (told(config__encoder__config__hidden_size="x"), "cannot be read"),
        (told(config__encoder__config__more=1), "cannot be read"),
        (told(config=3), "cannot be read (TypeError"),
        (without(CONFIG), "cannot be read (KeyError"),
        (without(ARRAYS), "cannot be read (KeyError"),
        (lambda parts: {**parts, CONFIG: b"{"}, "cannot be read (JSONDecode"),
        (lambda parts: {**parts, ARRAYS: parts[ARRAYS][:999]}, "cannot be"),
    ],
)
def test_what_is_not_whole_is_refused(change, expected, parts, tmp_path):
    path = written(change(parts), tmp_path / "model.keras")
    with pytest.raises(InputError) as error:
        open_weights(path)
    line = str(error.value)
    assert f"the fine-tuned model {path!r}" in line
    assert expected in line
    assert "\n" not in line


def test_a_file_that_is_no_archive(parts, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(written(parts, path).encode())
    finished = tiny.command("pretrain", f"--init_checkpoint={path}")
    assert "cannot be read (BadZipFile" in finished.error()
    finished = tiny.command("pretrain", f"--init_checkpoint={path}x")
    assert "a fine-tuned model's .keras file; received" in finished.error()


def converted(path, to, output, *more):
    given = [f"--input={path}", f"--output={output}", f"--to={to}", *more]
    return tiny.command("convert_weights", *given)


def test_the_command_converts_a_fine_tuned_model(tmp_path):
    pretrained = tiny_finetune.write_pretrained(str(tmp_path / "pretrained"))
    model = electra_tf.Classifier.from_pretrained(
        pretrained,
        labels=tiny_finetune.LABELS,
        max_seq_length=tiny_finetune.LENGTH,
        head="huggingface",
    )
    model.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    texts = np.array(tiny_finetune.FOUR_TEXTS)
    model.fit(texts, tiny_finetune.NAMES, verbose=0)
    expected = model.predict(texts, verbose=0)
    assert np.ptp(expected) > 0.01
    path = str(tmp_path / "model.keras")
    model.save(path)
    for to in ("electra_tf", "huggingface"):
        planned = converted(path, to, tmp_path / to, "--dry_run")
        finished = converted(path, to, tmp_path / to)
        assert planned.code == finished.code == 0, finished.err
        again = electra_tf.Classifier.from_pretrained(
            tmp_path / to, max_seq_length=tiny_finetune.LENGTH
        )
        assert again.labels == tiny_finetune.LABELS
        found = again.predict(texts, verbose=0)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        head = {"huggingface": "classifier.dense.weight"}
        assert head.get(to, "task_head/dense/kernel") in planned.out
    stored = hf_electra.tensors(tmp_path / "huggingface")
    kernel = model.head.dense.kernel.numpy().T
    np.testing.assert_array_equal(stored["classifier.dense.weight"], kernel)


@pytest.mark.parametrize("more", [(), ("--dry_run",)])
def test_a_head_that_the_format_lacks_is_refused(more, parts, tmp_path):
    path = written(parts, tmp_path / "model.keras")
    line = converted(path, "huggingface", tmp_path / "out", *more).error()
    assert "must be of head=huggingface; received 'a regressor" in line
    assert not (tmp_path / "out").exists()
