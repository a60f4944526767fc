"""LiteRT files: built-in ops, the Keras model's answers, a quarter the size."""

import numpy as np
import pytest
import tensorflow as tf
import tiny

from electra_tf.serving import litert as tflite

LENGTH = 12


@pytest.fixture(scope="module")
def written(tiny_run, tmp_path_factory):
    """(what the command printed, path) by --quantize."""
    folder = tmp_path_factory.mktemp("tflite")
    found = {}
    for quantize in ("none", "int8"):
        path = folder / f"{quantize}.tflite"
        finished = tiny.command(
            "export_saved_model",
            "--format=litert",
            f"--model_dir={tiny_run.folder}",
            f"--output={path}",
            f"--max_seq_length={LENGTH}",
            f"--quantize={quantize}",
        )
        assert finished.code == 0, finished.out + finished.err
        found[quantize] = finished.out, path
    return found


@pytest.mark.parametrize(("quantize", "bound"), [("none", 1e-6), ("int8", 0.1)])
def test_it_answers_as_the_keras_model(written, tiny_model, quantize, bound):
    interpreter = tflite.Interpreter(written[quantize][1].read_bytes())
    rng = np.random.default_rng(2)
    largest = 0.0
    for length in (LENGTH, 5, 1):
        mask = (np.arange(LENGTH) < length).astype(np.int32)[None]
        ids = rng.integers(5, 40, (1, LENGTH), np.int32) * mask
        segments = (np.arange(LENGTH) > 3).astype(np.int32)[None] * mask
        logits = tiny_model.discriminator(ids, mask, segments)
        expected = tf.sigmoid(logits).numpy() * mask
        found = interpreter(
            input_ids=ids, input_mask=mask, segment_ids=segments
        )
        largest = max(largest, np.abs(found - expected).max())
    assert largest < bound
    # Else nothing was quantised.
    assert quantize == "none" or largest > 1e-6


def test_the_command_prints_size_and_difference(written):
    for out, path in written.values():
        megabytes = path.stat().st_size / 1e6
        assert out.startswith(f"{megabytes:.1f} MB, largest difference of a ")


def test_gelu_is_built_in_and_nothing_needs_tensorflow(written):
    content = written["none"][1].read_bytes()
    run = tf.lite.Interpreter(model_content=content)
    ops = [op["op_name"] for op in run._get_ops_details()]
    # One a block, one in the head.
    assert ops.count("GELU") == tiny.FLAGS["num_hidden_layers"] + 1
    assert not [op for op in ops if op.startswith("Flex")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--output={0}/out"],
        ["--model_dir={run}"],
        ["--model_dir={run}", "--output={0}/none/out"],
        ["--model_dir={run}", "--output={0}/out", "--max_seq_length=1000"],
    ],
)
def test_the_command_refuses(arguments, tiny_run, tmp_path):
    (tmp_path / "none").write_text("")
    given = [a.format(tmp_path, run=tiny_run.folder) for a in arguments]
    tiny.command("export_saved_model", "--format=litert", *given).error()
    assert [path.name for path in tmp_path.iterdir()] == ["none"]
