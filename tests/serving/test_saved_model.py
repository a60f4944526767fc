"""TensorFlow Serving's layout, and an export checked against its model."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tiny

from electra_tf.serving import warmup
from electra_tf.serving.saved_model import next_version
from electra_tf.serving.warmup import distance

pytest.importorskip("tensorflow_serving")


@pytest.fixture(scope="module")
def base_path(tiny_run, tmp_path_factory):
    """A model's base path with one version.

    Whoever polls it sees whole versions alone: at the moment before the
    renaming all is there, but elsewhere.
    """
    folder = tmp_path_factory.mktemp("served")
    seen = []  # in the base path and in what is renamed, just before
    rename = tf.io.gfile.rename

    def watch(src, dst, overwrite=False):
        if dst.endswith("electra/1"):
            seen.append((os.listdir(os.path.dirname(dst)), os.listdir(src)))
        rename(src, dst, overwrite)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.io.gfile, "rename", watch)
        assert export(tiny_run, folder / "electra").code == 0
    [(in_base, in_partial)] = seen
    assert in_base == []
    whole = sorted(os.listdir(folder / "electra" / "1"))
    assert sorted(in_partial) == whole
    assert {"saved_model.pb", "variables", "assets.extra"} < set(whole)
    assert os.listdir(folder) == ["electra"]
    return str(folder / "electra")


def export(run, base_path, *arguments):
    return tiny.command(
        "export_saved_model",
        f"--model_dir={run.folder}",
        f"--output_dir={base_path}",
        *arguments,
    )


@pytest.mark.parametrize(
    ("there", "version"),
    [
        ([], "1"),
        (["1"], "2"),
        (["1", "9", "10"], "11"),
        (["notes", "3.partial", "-4", "²"], "1"),
        (["20261124"], "20261125"),
    ],
)
def test_versions_count_up(there, version, tmp_path):
    for name in there:
        (tmp_path / name).mkdir()
    expected = str(tmp_path / version)
    assert next_version(str(tmp_path)) == expected
    assert next_version(str(tmp_path / "new")) == str(tmp_path / "new" / "1")


def test_versions_count_up_on_any_file_system():
    tf.io.gfile.makedirs("ram://served/electra/3")
    with tf.io.gfile.GFile("ram://served/electra/3/saved_model.pb", "w") as f:
        f.write("")
    assert next_version("ram://served/electra") == "ram://served/electra/4"


def test_warmup_requests_name_the_model_and_all_signatures(base_path):
    from tensorflow_serving.apis import prediction_log_pb2

    file = os.path.join(base_path, "1", warmup.FILE)
    asked = {}
    for record in tf.data.TFRecordDataset(file):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        assert request.model_spec.name == "electra"
        asked.setdefault(request.model_spec.signature_name, []).append(
            {k: tf.make_ndarray(v).shape for k, v in request.inputs.items()}
        )
    loaded = tf.saved_model.load(os.path.join(base_path, "1"))
    assert asked.keys() == set(loaded.signatures)
    assert asked["detect"] == [{"text": (1,)}, {"text": (2,)}]
    shapes = [set(inputs.values()) for inputs in asked["detect_ids"]]
    rows = tiny.FLAGS["max_position_embeddings"]
    assert shapes == [{(1, 8)}, {(2, rows)}]


@pytest.mark.slow
def test_verify_exits_with_1_where_one_number_is_off(base_path, tmp_path):
    from tensorflow_serving.apis import prediction_log_pb2

    shutil.copytree(os.path.join(base_path, "1"), tmp_path / "1")
    file = str(tmp_path / "1" / warmup.FILE)
    records = [r.numpy() for r in tf.data.TFRecordDataset(file)]
    log = prediction_log_pb2.PredictionLog.FromString(records[-3])
    response = log.predict_log.response.outputs["probabilities"]
    values = tf.make_ndarray(response).copy()
    values.flat[-1] += 2e-5
    response.CopyFrom(tf.make_tensor_proto(values))
    records[-3] = log.SerializeToString()
    with tf.io.TFRecordWriter(file) as writer:
        for record in records:
            writer.write(record)
    finished = tiny.command("verify_saved_model", str(tmp_path / "1"))
    assert finished.code == 1
    lines = finished.out.splitlines()
    assert {line.split()[0] for line in lines[:-1]} == {"function", "session"}
    signature = log.predict_log.request.model_spec.signature_name
    assert f"2.00e-05 ({signature}, probabilities), NOT below" in finished.out


@pytest.mark.parametrize("arguments", [[], ["{empty}"], ["{empty}", "more"]])
def test_verify_refuses_what_is_no_export(arguments, tmp_path):
    arguments = [a.format(empty=tmp_path) for a in arguments]
    tiny.command("verify_saved_model", *arguments).error()


@pytest.mark.parametrize(
    ("expected", "found", "largest"),
    [
        ([1.0, 0.5], [1.0, 1.0], 0.5),
        ([1.0, -2.0], [1.0, 2.0], 2.0),
        ([-1000.0], [-1000.5], 0.0005),
        ([1.0], [1.0, 1.0], np.inf),
        ([1.0], [np.nan], np.inf),
        ([1, 2], [1, 2], 0.0),
        ([1, 2], [1, 3], np.inf),
        (["a", "b"], ["a", "c"], np.inf),
        (np.zeros([0, 3]), np.zeros([0, 3]), 0.0),
    ],
)
def test_distance(expected, found, largest):
    assert distance(np.array(expected), np.array(found)) == largest
    assert distance(np.array(expected), None) == np.inf


def test_without_serving_api_an_export_has_no_warmup(
    tiny_run, tmp_path, monkeypatch
):
    find_spec = warmup.importlib.util.find_spec

    def without(name, *more):
        return None if name == "tensorflow_serving" else find_spec(name, *more)

    monkeypatch.setattr(warmup.importlib.util, "find_spec", without)
    refused = export(tiny_run, tmp_path / "asked", "--warmup")
    assert "[serving]" in refused.error()
    assert not (tmp_path / "asked").exists()
    assert export(tiny_run, tmp_path / "plain").code == 0
    assert not (tmp_path / "plain" / "1" / "assets.extra").exists()


def test_replaying_needs_neither_this_package_nor_keras(tmp_path):
    """What runs in the fresh process finds them missing."""
    from electra_tf.serving import replay

    code = (
        "import runpy, sys\n"
        f"sys.argv = ['replay', 'none', '', '']\n"
        f"try: runpy.run_path({replay.__file__!r}, run_name='__main__')\n"
        "except KeyError: pass\n"
        "for name in ('electra_tf', 'keras'):\n"
        "    try: __import__(name)\n"
        "    except ModuleNotFoundError: continue\n"
        "    raise SystemExit(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
