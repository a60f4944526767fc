"""The SavedModel, in a process that knows neither electra_tf nor Keras."""

import json
import pathlib

import bare_process
import numpy as np
import pytest
import tensorflow as tf
import tiny

from electra_tf.errors import InputError
from electra_tf.pretrained import from_pretrained
from electra_tf.serving import export

ROWS = tiny.FLAGS["max_position_embeddings"]
TEXTS = [
    "The state of the union is strong.",
    "",
    "the " * 1000,
    "emoji \U0001f600 and \U0001f468\u200d\U0001f469\u200d\U0001f467 here",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 union",
    "nul\x00inside \u00c9tat",
    "[MASK] [CLS] [PAD]",
    "the people of the [MASK] states",
    "the people [MASK] the " + "union " * 100,
    "one [MASK] and one more [MASK]",
]
CLIENT = """
model = tf.saved_model.load(sys.argv[1])
arrays = dict(np.load(sys.argv[2]))
texts = json.loads(arrays.pop("texts").item())
ids = {name: tf.constant(a) for name, a in arrays.items()}
out = {}

def call(label, name, **inputs):
    for key, value in model.signatures[name](**inputs).items():
        out[f"{label}/{key}"] = value.numpy()

def text(values):
    return tf.constant([v.encode() for v in values], tf.string, [len(values)])

for name in model.signatures:
    if name in ("detect", "embed", "fill_mask"):
        call(name, name, text=text(texts))
        call(f"{name}-none", name, text=text([]))
        for row, value in enumerate(texts):
            call(f"{name}-{row}", name, text=text([value]))
    else:
        call(name, name, **ids)
        call(f"{name}-none", name, **{k: v[:0] for k, v in ids.items()})
for name in ("detect", "fill_mask"):
    out[f"{name}/tokens"] = np.array(
        json.dumps([[t.decode() for t in r] for r in out[f"{name}/tokens"]])
    )
out = {k: v for k, v in out.items() if v.dtype != object}
out["signatures"] = np.array(json.dumps(sorted(model.signatures)))
np.savez(sys.argv[3], **out)
"""


def ask(model_dir, folder) -> dict[str, np.ndarray]:
    """What the exported model answers in a fresh process."""
    np.savez(folder / "in.npz", texts=json.dumps(TEXTS), **id_batch())
    files = (folder / "in.npz", folder / "out.npz")
    bare_process.run(CLIENT, model_dir, *files, cwd=folder)
    return dict(np.load(folder / "out.npz"))


def id_batch():
    rng = np.random.default_rng(5)
    ids = rng.integers(5, len(tiny.vocab()), (3, 12))
    mask = (np.arange(12) < np.array([[12], [7], [1]])).astype(np.int64)
    segments = (np.arange(12) > 5).astype(np.int64) * mask
    return {
        "input_ids": ids * mask,
        "input_mask": mask,
        "segment_ids": segments,
    }


@pytest.fixture(scope="module")
def model_dir(tiny_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "electra"
    finished = tiny.command(
        "export_saved_model",
        f"--model_dir={tiny_run.folder}",
        f"--output_dir={path}",
    )
    assert finished.code == 0, finished.err
    assert finished.out.startswith(f"{path}/1: ")
    assert [p.name for p in path.iterdir()] == ["1"]
    return str(path / "1")


@pytest.fixture(scope="module")
def answers(model_dir, tmp_path_factory):
    return ask(model_dir, tmp_path_factory.mktemp("client"))


def test_the_signatures_are_those_promised(answers):
    assert json.loads(answers["signatures"].item()) == [
        "detect", "detect_ids", "embed", "embed_ids", "fill_mask",
        "serving_default",
    ]  # fmt: skip


def test_ids_in_probabilities_out(answers, tiny_model):
    inputs = [tf.constant(v, tf.int32) for v in id_batch().values()]
    expected = tf.sigmoid(tiny_model.discriminator(*inputs)).numpy()
    expected *= id_batch()["input_mask"]
    for name in ("serving_default", "detect_ids"):
        found = answers[f"{name}/probabilities"]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_ids_in_states_out(answers, tiny_model):
    inputs = [tf.constant(v, tf.int32) for v in id_batch().values()]
    states = tiny_model.encoder(*inputs).numpy()
    real = id_batch()["input_mask"].astype(bool)
    found = answers["embed_ids/sequence_output"]
    np.testing.assert_allclose(found[real], states[real], rtol=0, atol=1e-5)
    pooled = answers["embed_ids/pooled"]
    np.testing.assert_allclose(pooled, states[:, 0], rtol=0, atol=1e-5)
    rows = zip(states, real, strict=True)
    means = [states[kept].mean(0) for states, kept in rows]
    found = answers["embed_ids/mean"]
    np.testing.assert_allclose(found, means, rtol=0, atol=1e-5)


def test_detect_answers_as_the_keras_model(answers, tiny_model):
    expected = tiny_model.detect(TEXTS)
    tokens = json.loads(answers["detect/tokens"].item())
    for row, found in enumerate(expected):
        count = answers["detect/num_tokens"][row]
        assert count == len(found)
        assert tokens[row][:count] == [t.token for t in found]
        assert set(tokens[row][count:]) <= {""}
        columns = {
            "probabilities": [t.probability for t in found],
            "starts": [t.start for t in found],
            "ends": [t.end for t in found],
        }
        for name, values in columns.items():
            ours = answers[f"detect/{name}"][row]
            np.testing.assert_allclose(ours[:count], values, rtol=0, atol=1e-5)
            assert not ours[count:].any()


def test_offsets_are_bytes_of_the_original_text(answers):
    tokens = json.loads(answers["detect/tokens"].item())
    content = TEXTS[5].encode()
    starts, ends = answers["detect/starts"][5], answers["detect/ends"][5]
    count = answers["detect/num_tokens"][5]
    parts = [content[a:b] for a, b in zip(starts, ends, strict=True)][:count]
    deleted = b" \x00"  # white space, and what normalising deletes
    assert b"".join(parts) == content.translate(None, deleted)
    assert parts[-1].decode().endswith("tat"[-len(parts[-1]) :])
    assert "".join(t.removeprefix("##") for t in tokens[5]) == "nulinsideetat"


def test_only_what_was_cut_is_called_truncated(answers):
    found = answers["detect/truncated"].tolist()
    assert found == [len(text) > 500 for text in TEXTS]
    assert answers["detect/num_tokens"][2] == ROWS - 2
    assert answers["detect/num_tokens"][1] == 0


def test_embed_answers_as_the_keras_model(answers, tiny_model):
    tokenizer = tiny_model.tokenizer
    for row, text in enumerate(TEXTS):
        ids = tokenizer.tokenize(tf.constant([text]))[0].numpy()[: ROWS - 2]
        ids = tf.constant([[tokenizer.cls_id, *ids, tokenizer.sep_id]])
        states = tiny_model.encoder(ids, ids * 0 + 1, ids * 0).numpy()[0]
        found = answers["embed/sequence_output"][row, : len(states)]
        np.testing.assert_allclose(found, states, rtol=0, atol=1e-5)
        np.testing.assert_allclose(
            answers["embed/pooled"][row], states[0], rtol=0, atol=1e-5
        )
        mean = tiny_model.embed([text], normalize=False)[0]
        np.testing.assert_allclose(mean, states.mean(0), rtol=0, atol=1e-5)
        found = answers["embed/mean"][row]
        np.testing.assert_allclose(found, mean, rtol=0, atol=1e-5)


def test_fill_mask_answers_as_the_keras_model(answers, tiny_model):
    tokens = json.loads(answers["fill_mask/tokens"].item())
    num_masks = answers["fill_mask/num_masks"].tolist()
    assert num_masks == [text.count("[MASK]") for text in TEXTS]
    for row, text in enumerate(TEXTS):
        probabilities = answers["fill_mask/probabilities"][row]
        if num_masks[row] != 1:
            assert set(tokens[row]) == {""}
            assert not probabilities.any()
            continue
        if answers["fill_mask/truncated"][row]:  # to 27 tokens behind
            text = " ".join(text.split()[: ROWS - 2])
        expected = tiny_model.fill_mask(text, top_k=10)
        assert tokens[row] == [token for token, _ in expected]
        values = [probability for _, probability in expected]
        np.testing.assert_allclose(probabilities, values, rtol=0, atol=1e-5)


def test_rows_do_not_depend_on_their_batch_mates(answers):
    for row in range(len(TEXTS)):
        alone = answers[f"detect-{row}/probabilities"][0]
        together = answers["detect/probabilities"][row][: len(alone)]
        np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5)
        np.testing.assert_allclose(
            answers[f"embed-{row}/pooled"][0],
            answers["embed/pooled"][row],
            rtol=0,
            atol=1e-5,
        )


def test_a_batch_of_nothing_gives_nothing(answers):
    width = tiny.FLAGS["hidden_size"]
    assert answers["embed-none/pooled"].shape == (0, width)
    assert answers["embed_ids-none/pooled"].shape == (0, width)
    assert answers["detect_ids-none/probabilities"].shape == (0, 12)
    for name in ("probabilities", "starts", "num_tokens", "truncated"):
        assert len(answers[f"detect-none/{name}"]) == 0


def test_the_vocabulary_travels_with_the_model(model_dir):
    asset = pathlib.Path(model_dir, "assets", "vocab.txt")
    assert asset.read_text(encoding="utf-8").splitlines() == tiny.vocab()


def test_a_model_without_discriminator_embeds(mlm_run, tmp_path):
    path = str(tmp_path / "model")
    names = export.export_saved_model(from_pretrained(mlm_run.folder), path)
    assert sorted(names) == [
        "embed", "embed_ids", "fill_mask", "serving_default",
    ]  # fmt: skip
    loaded = tf.saved_model.load(path)
    found = loaded.signatures["embed"](text=tf.constant(["the union"]))
    assert found["pooled"].shape == (1, tiny.FLAGS["hidden_size"])


def test_an_existing_folder_is_refused(tiny_model, tmp_path):
    (tmp_path / "file").write_text("mine")
    before = tiny.tree(tmp_path)
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(InputError, match="must not exist"):
            export.export_saved_model(tiny_model, str(path))
    assert tiny.tree(tmp_path) == before


@pytest.mark.parametrize(
    "failure", [tf.errors.ResourceExhaustedError(None, None, "No space left")]
)
def test_a_failed_save_leaves_nothing(
    failure, tiny_model, tmp_path, monkeypatch
):
    save = tf.saved_model.save

    def fail(module, path, **named):
        save(module, path, **named)
        raise failure

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(InputError, match="No space left"):
        export.export_saved_model(tiny_model, str(tmp_path / "model"))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_refused(tiny_model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        export.export_saved_model(tiny_model, str(tmp_path / "file" / "model"))
    assert tiny.tree(tmp_path).keys() == {"file"}
