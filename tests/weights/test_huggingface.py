"""Hugging Face's folders against traces of its own classes, and back."""

import json
import os
import pathlib
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tiny

from electra_tf import Classifier, Regressor, SpanQA, Tagger
from electra_tf.errors import InputError
from electra_tf.pretrained import pretrained_of
from electra_tf.weights import open_weights, pairs, save_weights
from electra_tf.weights.names import encoder_names, head_names

GOLDEN = pathlib.Path(
    os.environ.get(
        "ELECTRA_GOLDEN_DIR", pathlib.Path(__file__).parents[1] / "golden"
    )
)
HF = GOLDEN / "hf_electra"
FILES = ("model.safetensors", "tf_model.h5", "pytorch_model.bin")
NETWORKS = ("discriminator", "generator")
TOLERANCE = 1e-5


def copied(name, folder, file="model.safetensors"):
    """A golden model with a vocabulary of as many pieces as it has ids."""
    source = HF / name
    folder.mkdir(parents=True)
    for each in ("config.json", file):
        shutil.copy(source / each, folder)
    size = json.loads((source / "config.json").read_text())["vocab_size"]
    write_vocab(folder, size)
    return folder


def write_vocab(folder, size):
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces += [f"piece{number}" for number in range(size - len(pieces))]
    (folder / "vocab.txt").write_text("\n".join(pieces))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """File's name -> a folder of both networks in that format."""
    made = {}
    for file in FILES:
        made[file] = tmp_path_factory.mktemp("hf")
        for name in NETWORKS:
            copied(name, made[file] / name, file)
    return made


@pytest.fixture(scope="module")
def pair(folders):
    return open_weights(folders[FILES[0]])


@pytest.fixture(scope="module")
def trace():
    return dict(np.load(HF / "trace.npz"))


def text_of(trace):
    names = ("input_ids", "input_mask", "segment_ids")
    return [tf.constant(trace[name]) for name in names]


@pytest.mark.parametrize("file", FILES[1:])
def test_hf_electra_is_the_same_in_every_format(file, folders, pair):
    other = open_weights(folders[file])
    assert other.config == pair.config
    assert other.arrays.keys() == pair.arrays.keys()
    for name, array in pair.arrays.items():
        np.testing.assert_array_equal(other.arrays[name], array, err_msg=name)


def test_hf_electra_answers_as_its_trace(pair, folders, trace):
    model, text = pretrained_of(pair), text_of(trace)
    rows, length = trace["input_ids"].shape
    everywhere = tf.tile(tf.range(length)[None], [rows, 1])
    alone = pretrained_of(open_weights(folders[FILES[0]] / "generator"))
    for found, name in (
        (model.discriminator(*text), "disc_logits"),
        (model.encoder(*text), "disc_hidden"),
        (model.generator(*text, everywhere), "mlm_logits"),
        (alone.generator(*text, everywhere), "mlm_logits"),
    ):
        difference = np.abs(found.numpy() - trace[name]).max()
        assert difference < TOLERANCE, name


def test_each_variable_has_one_name_everywhere():
    names = encoder_names(3, has_projection=True)
    names += [*head_names("discriminator"), *head_names("generator")]
    for column in ("ours", "huggingface"):
        found = [getattr(name, column) for name in names]
        assert len(set(found)) == len(found)
    hubs = [name.keras_hub for name in names if name.keras_hub]
    assert len(set(hubs)) == len(hubs) == 7 + 3 * 16


def test_what_is_written_is_read_back(pair, tmp_path):
    for to in ("huggingface", "electra_tf"):
        save_weights(pair, str(tmp_path / to), to)
        again = open_weights(tmp_path / to)
        assert again.config.model == pair.config.model
        assert again.arrays.keys() == pair.arrays.keys()
        for name, array in pair.arrays.items():
            np.testing.assert_array_equal(again.arrays[name], array)
    written = json.loads(
        (tmp_path / "huggingface/discriminator/config.json").read_text()
    )
    theirs = json.loads((HF / "discriminator/config.json").read_text())
    for name in ("architectures", "hidden_size", "layer_norm_eps"):
        assert written[name] == theirs[name]


def test_one_network_is_read_alone(folders):
    weights = open_weights(folders[FILES[0]] / "discriminator")
    assert weights.networks == ("discriminator",)
    assert pretrained_of(weights).generator is None


def test_tables_that_are_equal_are_shared(tmp_path):
    opened = open_weights("tiny")
    save_weights(opened, str(tmp_path / "hf"), "huggingface")
    again = open_weights(tmp_path / "hf")
    assert again.config.model.tying == "embeddings"
    assert again.arrays.keys() == opened.arrays.keys()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_written_and_read(dtype, pair, tmp_path):
    save_weights(pair, str(tmp_path / "half"), "huggingface", dtype)
    stored = tf.dtypes.as_dtype(dtype).as_numpy_dtype
    again = open_weights(tmp_path / "half")
    for name, array in pair.arrays.items():
        np.testing.assert_array_equal(
            again.arrays[name], array.astype(stored).astype(np.float32)
        )


def changed_config(folder, **changed):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"model_type": "bert"}, "model_type in .* must be electra.*'bert'"),
        ({"hidden_act": "relu"}, "hidden_act in .* must be gelu.*'relu'"),
        ({"layer_norm_eps": 1e-5}, "layer_norm_eps"),
        ({"vocab_size": 12}, "must be that of the vocabulary beside it"),
        ({"hidden_size": "32"}, "hidden_size in .* must be a number"),
        ({"num_hidden_layers": 3}, "missing: electra.encoder.layer.2"),
        ({"num_hidden_layers": 1}, "unknown: electra.encoder.layer.1"),
        ({"intermediate_size": 65}, r"must have the shape \(.*65.*64"),
        ({"architectures": ["BertModel"]}, "architectures in .*'BertModel'"),
        ({"architectures": ["ElectraForMaskedLM"]}, "generator_lm_head.bias"),
    ],
)
def test_a_config_that_does_not_fit_is_one_line(changed, told, tmp_path):
    if HF.parent != pathlib.Path(__file__).parents[1] / "golden":
        pytest.skip("written for the sizes of tests/golden")
    folder = copied("discriminator", tmp_path / "model")
    changed_config(folder, **changed)
    finished = tiny.command(
        "convert_weights", f"--input={folder}", f"--output={tmp_path}/out"
    )
    line = finished.error()
    assert re.search(told, line), line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "tokenizer_config.json",
            {"tokenizer_class": "BertJapaneseTokenizer"},
            "'BertJapaneseTokenizer'",
        ),
        ("tokenizer.json", {"model": {"type": "Unigram"}}, "'Unigram'"),
        (
            "tokenizer_config.json",
            {"tokenize_chinese_chars": False},
            "tokenize_chinese_chars",
        ),
    ],
)
def test_other_tokenizers_are_refused_by_name(name, content, told, tmp_path):
    folder = copied("discriminator", tmp_path / "model")
    (folder / name).write_text(json.dumps(content))
    with pytest.raises(InputError, match=told):
        open_weights(folder)


def test_the_tokenizer_s_settings_are_read(tmp_path):
    folder = copied("discriminator", tmp_path / "model")
    size = json.loads((folder / "config.json").read_text())["vocab_size"]
    vocab = (folder / "vocab.txt").read_text().split("\n")
    vocab[4] = "<mask>"
    (folder / "vocab.txt").unlink()
    whole = {
        "model": {
            "type": "WordPiece",
            "vocab": {piece: i for i, piece in enumerate(vocab[:-1])},
        },
        "added_tokens": [{"id": size - 1, "content": "added"}],
        "normalizer": {"lowercase": False, "strip_accents": None},
    }
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    settings = {"mask_token": {"content": "<mask>"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    tokenizer = open_weights(folder).tokenizer
    assert tokenizer.mask_id == 4
    assert tokenizer.vocab[-1] == "added"
    assert (tokenizer.do_lower_case, tokenizer.strip_accents) == (False, False)


def test_wrapped_and_old_names_are_known(tmp_path):
    from safetensors.numpy import load_file, save_file

    folder = copied("discriminator", tmp_path / "model")
    path = folder / "model.safetensors"
    tensors = load_file(path)
    expected = dict(open_weights(folder).arrays)
    old = {
        "module."
        + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): array
        for name, array in tensors.items()
    }
    old["module.electra.embeddings.position_ids"] = np.arange(4)[None]
    save_file(old, path)
    found = open_weights(folder).arrays
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
    old["module.pooler.weight"] = np.zeros(2, np.float32)
    save_file(old, path)
    with pytest.raises(InputError, match=r"unknown: pooler\.weight"):
        open_weights(folder)


def test_a_bare_encoder(folders, tmp_path):
    from safetensors.numpy import load_file, save_file

    folder = copied("discriminator", tmp_path / "model")
    path = folder / "model.safetensors"
    bare = {
        name.removeprefix("electra."): array
        for name, array in load_file(path).items()
        if name.startswith("electra.")
    }
    save_file(bare, path)
    changed_config(folder, architectures=["ElectraModel"])
    weights = open_weights(folder)
    assert weights.networks == ()
    save_weights(weights, str(tmp_path / "out"), "huggingface")
    assert load_file(tmp_path / "out/model.safetensors").keys() == {
        f"electra.{name}" for name in bare
    }


def test_a_generator_that_does_not_fit_is_refused(folders, tmp_path):
    folder = copied("generator", tmp_path / "generator")
    write_vocab(folder, 113)
    other = tmp_path / "generator" / "vocab.txt"
    other.write_text(other.read_text().replace("piece0\n", "other\n"))
    with pytest.raises(InputError, match="one vocabulary"):
        pairs.pair(
            open_weights(folders[FILES[0]] / "discriminator"),
            open_weights(folder),
        )


def test_a_dry_run_lists_every_tensor_with_its_source(folders, tmp_path):
    finished = tiny.command(
        "convert_weights",
        f"--input={folders[FILES[1]]}",
        f"--output={tmp_path}/out",
        "--to=huggingface",
        "--dry_run",
    )
    assert finished.code == 0, finished.err
    weights = open_weights(folders[FILES[1]])
    rows = [r for r in finished.out.splitlines() if "  <-  " in r]
    assert len(rows) == len(weights.arrays)  # nothing is shared here
    assert any(
        row.startswith("generator: generator_lm_head.bias  <-  tf_electra_for")
        for row in rows
    )
    assert not (tmp_path / "out").exists()


FINETUNED = {
    "sequence_classification": (
        Classifier,
        ("negative", "neutral", "positive"),
    ),
    "multi_label": (Classifier, None),
    "regression": (Regressor, None),
    "token_classification": (Tagger, None),
    "question_answering": (SpanQA, None),
}


@pytest.mark.parametrize("name", FINETUNED)
def test_hf_electra_fine_tuned_models_give_their_logits(name, tmp_path):
    folder = copied(name, tmp_path / "model")
    kind, labels = FINETUNED[name]
    model = kind.from_pretrained(folder, max_seq_length=16)
    trace = dict(np.load(HF / name / "trace.npz"))
    names = ("input_ids", "input_mask", "segment_ids")
    text = {each: tf.constant(trace[each]) for each in names}
    if kind is SpanQA:
        found = model.span_logits(text)
        expected = [trace["start_logits"], trace["end_logits"]]
    else:
        expected = trace["logits"]
        found = tf.reshape(model(text), expected.shape)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)
    if labels:
        assert model.labels == labels
    # And back: what Hugging Face's class would load.
    weights = open_weights(folder)
    save_weights(weights, str(tmp_path / "out"), "huggingface")
    again = open_weights(tmp_path / "out")
    assert again.labels == weights.labels
    assert again.head.arrays.keys() == weights.head.arrays.keys()
    for path, array in weights.head.arrays.items():
        np.testing.assert_array_equal(again.head.arrays[path], array)
    written, theirs = (
        json.loads((place / "config.json").read_text())
        for place in (tmp_path / "out", folder)
    )
    for key in ("architectures", "id2label", "hidden_size"):
        assert written.get(key) == theirs.get(key), key


def test_a_head_that_they_lack_is_refused(tmp_path):
    model = Classifier.from_pretrained("tiny", labels=("bad", "good"))
    model.save(tmp_path / "model.keras")
    with pytest.raises(InputError, match="must be of head=huggingface"):
        save_weights(
            open_weights(tmp_path / "model.keras"),
            str(tmp_path / "out"),
            "huggingface",
        )
    assert not (tmp_path / "out").exists()
