"""from_pretrained: whatever the weights come from, the same answers."""

import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tiny

from electra_tf.errors import InputError
from electra_tf.pretrained import from_pretrained
from electra_tf.weights import open_weights, save_weights

GOLDEN = pathlib.Path(__file__).parent / "golden"
TEXTS = ["The state of the union is strong.", "", "My fellow citizens: 1961!"]


def probabilities(model, texts=TEXTS):
    return [[t.probability for t in found] for found in model.detect(texts)]


@pytest.fixture(scope="module", params=["float32", "float16"])
def folder(request, tiny_run, tmp_path_factory):
    """A folder of convert_weights, and its precision."""
    path = str(tmp_path_factory.mktemp("native") / "model")
    finished = tiny.command(
        "convert_weights",
        f"--input={tiny_run.folder}",
        f"--output={path}",
        f"--dtype={request.param}",
    )
    assert finished.code == 0, finished.err
    return path, request.param


def test_a_folder_of_weights_holds_the_runs_weights(folder, tiny_run):
    path, dtype = folder
    ours, theirs = (open_weights(p).arrays for p in (path, tiny_run.folder))
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert ours[name].dtype == np.float32
        expected = value.astype(dtype).astype(np.float32)
        np.testing.assert_array_equal(ours[name], expected, err_msg=name)
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=1e-3)


def test_a_folder_of_weights_answers_as_the_run(folder, tiny_model):
    path, dtype = folder
    found = from_pretrained(path)
    for ours, theirs in zip(
        probabilities(found), probabilities(tiny_model), strict=True
    ):
        tolerance = 0 if dtype == "float32" else 1e-3
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)


def test_a_folder_of_weights_holds_no_pickles(folder):
    with np.load(f"{folder[0]}/weights.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype == folder[1] for name in arrays.files)
    assert {path.name for path in pathlib.Path(folder[0]).iterdir()} == {
        "config.json", "vocab.txt", "tokenizer.json", "weights.npz",
    }  # fmt: skip


def test_a_runs_folder_has_its_latest_weights(tiny_run, tiny_model):
    stored = tiny.checkpoint(tiny_run.folder)
    end = "/.ATTRIBUTES/VARIABLE_VALUE"
    for network in (tiny_model.discriminator, tiny_model.generator):
        for variable in network.variables:
            name = f"model/{variable.path.replace('/', '.S')}{end}"
            np.testing.assert_array_equal(variable.numpy(), stored[name])


def test_an_authors_checkpoint_gives_the_authors_tensors():
    """The trace's tensors of step 0 are those of the checkpoint 0."""
    trace = np.load(GOLDEN / "electra_tied" / "trace.npz")
    model = from_pretrained(GOLDEN / "electra_tied" / "model.ckpt-0")
    mask, segments = (
        tf.constant(trace[name][0], tf.int32)
        for name in ("input_mask", "segment_ids")
    )
    corrupted = tf.constant(trace["corrupted_ids"][0], tf.int32)
    inputs = (corrupted, mask, segments)
    found = {
        "step0_disc_probs": tf.sigmoid(model.discriminator(*inputs)),
        "step0_disc_hidden": model.encoder(*inputs),
        "step0_mlm_logits": model.generator(
            tf.constant(trace["masked_input_ids"][0], tf.int32),
            mask,
            segments,
            tf.constant(trace["masked_positions"][0], tf.int32),
        ),
    }
    for name, value in found.items():
        np.testing.assert_allclose(value, trace[name], rtol=0, atol=1e-5)


def test_a_later_authors_checkpoint_has_other_weights():
    first, last = (
        from_pretrained(str(GOLDEN / "electra_tied" / f"model.ckpt-{step}"))
        for step in (0, 8)
    )
    assert first.tokenizer.vocab == last.tokenizer.vocab
    (before,), (after,) = (
        probabilities(m, ["hello world"]) for m in (first, last)
    )
    assert np.abs(np.subtract(before, after)).max() > 1e-3


def test_an_authors_mlm_checkpoint_has_no_discriminator():
    model = from_pretrained(str(GOLDEN / "mlm" / "model.ckpt-8"))
    assert model.generator is not None
    with pytest.raises(InputError, match="no discriminator"):
        _ = model.discriminator


def test_a_missing_part_is_one_clear_error(mlm_run):
    model = from_pretrained(mlm_run.folder)
    with pytest.raises(ValueError, match="no discriminator"):
        _ = model.discriminator
    with pytest.raises(ValueError, match="no discriminator"):
        model.detect(["text"])
    ids = tf.constant([[2, 10, 3]])
    states = model.encoder(ids, tf.ones_like(ids), tf.zeros_like(ids))
    assert states.shape == (1, 3, tiny.FLAGS["hidden_size"])
    assert len(model.fill_mask("the [MASK] of the union")) == 5


def test_what_is_no_model_is_refused(tmp_path):
    for path in ("tinny", str(tmp_path), str(tmp_path / "model.ckpt-8")):
        with pytest.raises(InputError) as error:
            from_pretrained(path)
        assert path in str(error.value)


def test_an_authors_checkpoint_without_its_vocabulary(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(GOLDEN / "electra_tied", folder)
    shutil.copy(GOLDEN / "vocab.txt", folder)
    (folder / "vocab.txt").unlink()
    with pytest.raises(InputError, match=r"vocab\.txt"):
        from_pretrained(str(folder / "model.ckpt-8"))


@pytest.mark.parametrize("content", ["", "[]", '{"vocab_size": "many"}', "{"])
def test_an_authors_checkpoint_with_a_broken_config(content, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(GOLDEN / "electra_tied", folder)
    shutil.copy(GOLDEN / "vocab.txt", folder)
    (folder / "config.json").write_text(content)
    with pytest.raises(InputError):
        from_pretrained(str(folder / "model.ckpt-8"))


def test_weights_that_do_not_fit_their_config(folder, tmp_path):
    path = tmp_path / "model"
    shutil.copytree(folder[0], path)
    config = json.loads((path / "config.json").read_text())
    config["model"]["intermediate_size"] = 96
    (path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"shape \(32, 96\)|shape \(96"):
        from_pretrained(str(path))


def test_weights_with_pickles_are_refused(folder, tmp_path):
    path = tmp_path / "model"
    shutil.copytree(folder[0], path)
    np.savez(path / "weights.npz", a=np.array([{}], object))
    with pytest.raises(InputError, match="weights"):
        dict(open_weights(path).arrays)


# ---------------------------------------------------------------------------
# Asking.


def test_detect_gives_a_probability_for_each_token(tiny_model):
    text = "The état of the union, née 1961."
    (found,) = tiny_model.detect([text])
    ids = tiny_model.tokenizer.tokenize(tf.constant([text]))[0].numpy()
    assert [t.token for t in found] == tiny_model.tokenizer.tokens(ids)
    cls, sep = tiny_model.tokenizer.cls_id, tiny_model.tokenizer.sep_id
    row = tf.constant([[cls, *ids, sep]], tf.int32)
    logits = tiny_model.discriminator(row, row * 0 + 1, row * 0)
    expected = tf.sigmoid(logits)[0, 1:-1]
    np.testing.assert_allclose(
        [t.probability for t in found], expected, rtol=0, atol=1e-6
    )
    content = text.encode()
    words = [content[t.start : t.end].decode().lower() for t in found]
    plain = [t.token.removeprefix("##") for t in found]
    assert [w.replace("é", "e") for w in words] == plain


def test_detect_does_not_depend_on_the_other_texts(tiny_model):
    alone = [
        found for text in TEXTS for found in probabilities(tiny_model, [text])
    ]
    for ours, theirs in zip(probabilities(tiny_model), alone, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_detect_takes_none_empty_and_overlong_texts(tiny_model):
    assert tiny_model.detect([]) == []
    rows = tiny.FLAGS["max_position_embeddings"]
    empty, long = tiny_model.detect(["", "the " * 500])
    assert empty == []
    assert len(long) == rows - 2
    with pytest.raises(InputError, match="list of texts"):
        tiny_model.detect("one text")


def test_fill_mask_gives_the_generators_best(tiny_model):
    found = tiny_model.fill_mask("the state of the [MASK].", top_k=7)
    assert len(found) == 7
    values = [probability for _, probability in found]
    assert values == sorted(values, reverse=True)
    assert 0 < sum(values) <= 1
    tokenizer = tiny_model.tokenizer
    words = ["[CLS]", "the", "state", "of", "the", "[MASK]", ".", "[SEP]"]
    row = tf.constant([[tokenizer.vocab.index(word) for word in words]])
    logits = tiny_model.generator(
        row, row * 0 + 1, row * 0, tf.constant([[5]])
    )[0, 0]
    best = tf.nn.softmax(logits)
    order = np.argsort(-best.numpy())[:7]
    assert [token for token, _ in found] == tokenizer.tokens(order)
    np.testing.assert_allclose(values, best.numpy()[order], rtol=1e-5)


@pytest.mark.parametrize("count", [0, 2])
def test_fill_mask_needs_one_mask(tiny_model, count):
    with pytest.raises(InputError, match="exactly once"):
        tiny_model.fill_mask("a " + "[MASK] " * count)


def test_fill_mask_refuses_what_the_model_cannot_hold(tiny_model):
    with pytest.raises(InputError, match="at most 30 tokens; received 101"):
        tiny_model.fill_mask("the " * 100 + "[MASK]")
    for top_k in (0, -1, tiny_model.tokenizer.vocab_size + 1):
        with pytest.raises(InputError, match=f"received {top_k}"):
            tiny_model.fill_mask("[MASK]", top_k)


# ---------------------------------------------------------------------------
# Other file systems than the local one.


def copy_to_ram(folder: str, target: str) -> None:
    for path in sorted(pathlib.Path(folder).rglob("*")):
        name = f"{target}/{path.relative_to(folder)}"
        if path.is_dir():
            tf.io.gfile.makedirs(name)
        elif "tensorboard" not in name:
            tf.io.gfile.makedirs(name.rpartition("/")[0])
            with tf.io.gfile.GFile(name, "wb") as file:
                file.write(path.read_bytes())


def test_a_runs_folder_on_another_file_system(tiny_run, tiny_model):
    copy_to_ram(tiny_run.folder, "ram://pretrained/run")
    model = from_pretrained("ram://pretrained/run")
    for ours, theirs in zip(
        probabilities(model), probabilities(tiny_model), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_on_another_file_system(tiny_run, tiny_model):
    path = "ram://pretrained/weights"
    save_weights(open_weights(tiny_run.folder), path)
    assert sorted(tf.io.gfile.listdir(path)) == [
        "config.json", "tokenizer.json", "vocab.txt", "weights.npz",
    ]  # fmt: skip
    model = from_pretrained(path)
    for ours, theirs in zip(
        probabilities(model), probabilities(tiny_model), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_a_run_on_another_file_system(tiny_run, records_dir):
    """Reads and writes all of its files there."""
    copy_to_ram(records_dir, "ram://whole/data")
    for steps in (7, 24):
        # The second goes on from the first, which could not know the end.
        finished = tiny.pretrain(
            model_dir="ram://whole/run",
            data_dir="ram://whole/data",
            num_train_steps=steps,
        )
        assert finished.code == 0, finished.err
    assert "going on from the checkpoint of step 7" in finished.err
    with tf.io.gfile.GFile("ram://whole/run/metrics.jsonl") as file:
        steps = [json.loads(line)["step"] for line in file.read().splitlines()]
    assert steps == [5, 7, 7, 10, 12, 15, 20, 24, 24]
