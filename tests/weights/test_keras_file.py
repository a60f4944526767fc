"""Fine-tuned models' files as weights: converted, or refused if not whole."""

import json
import zipfile

import hf_electra
import numpy as np
import pytest
import tiny
import tiny_finetune

import electra_tf
from electra_tf.errors import InputError
from electra_tf.weights import open_weights

CONFIG, ARRAYS = "config.json", "model.weights.h5"


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained") / "weights"
    return tiny_finetune.write_pretrained(str(folder))


@pytest.fixture(scope="module")
def parts(pretrained, tmp_path_factory):
    """Name -> bytes of a saved Regressor."""
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    model = electra_tf.Regressor.from_pretrained(pretrained, max_seq_length=12)
    model.save(path)
    with zipfile.ZipFile(path) as archive:
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


def test_the_command_converts_a_fine_tuned_model(pretrained, tmp_path):
    model = electra_tf.Classifier.from_pretrained(
        pretrained,
        labels=tiny_finetune.LABELS,
        max_seq_length=tiny_finetune.LENGTH,
        head="huggingface",
    )
    rng = np.random.default_rng(1)
    for variable in model.head.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    ids = tiny_finetune.id_batch()
    expected = model(ids).numpy()
    path = str(tmp_path / "model.keras")
    model.save(path)
    planned = converted(path, "electra_tf", tmp_path / "out", "--dry_run")
    assert "\ntask_head/dense/kernel  <-  " in planned.out
    for to in ("electra_tf", "huggingface"):
        output = tmp_path / to
        assert converted(path, to, output).code == 0
        again = electra_tf.Classifier.from_pretrained(
            output, max_seq_length=tiny_finetune.LENGTH
        )
        assert again.labels == tiny_finetune.LABELS
        np.testing.assert_allclose(again(ids).numpy(), expected, atol=1e-5)
    stored = hf_electra.tensors(tmp_path / "huggingface")
    kernel = model.head.dense.kernel.numpy().T
    np.testing.assert_array_equal(stored["classifier.dense.weight"], kernel)


def test_a_plan_refuses_what_the_format_lacks(parts, tmp_path):
    path = written(parts, tmp_path / "model.keras")
    planned = converted(path, "huggingface", tmp_path / "out", "--dry_run")
    line = planned.error()
    assert "must be of head=huggingface; received 'a regressor" in line
