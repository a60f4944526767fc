"""Fine-tuned models' files as weights: what is not whole is refused."""

import json
import zipfile

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
