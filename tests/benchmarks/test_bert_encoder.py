"""The BERT benchmark's own parts: the folder it writes, and its table."""

import importlib
import json
import pathlib
import re

import numpy as np
import pytest
import reference_encoder as reference
import tiny
from safetensors.numpy import save_file

import electra_tf

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"
WIDTH, WIDE, ROWS, LAYERS, HEADS = 8, 16, 12, 2, 2


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("bert_encoder")


def dense(name, outputs, inputs):
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm(name):
    return {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}


def bert_tensors(num_pieces):
    """A BertModel's tensors by their names, at random."""
    shapes = {
        "embeddings.word_embeddings.weight": (num_pieces, WIDTH),
        "embeddings.position_embeddings.weight": (ROWS, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        **norm("embeddings.LayerNorm"),
        **dense("pooler.dense", WIDTH, WIDTH),
    }
    for number in range(LAYERS):
        scope = f"encoder.layer.{number}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= dense(f"{scope}.attention.{part}", WIDTH, WIDTH)
        shapes |= dense(f"{scope}.intermediate.dense", WIDE, WIDTH)
        shapes |= dense(f"{scope}.output.dense", WIDTH, WIDE)
        shapes |= norm(f"{scope}.attention.output.LayerNorm")
        shapes |= norm(f"{scope}.output.LayerNorm")
    rng = np.random.default_rng(0)
    return {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def write_bert(folder, pieces):
    folder.mkdir()
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": len(pieces),
        "hidden_size": WIDTH,
        "intermediate_size": WIDE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": ROWS,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(pieces))
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    tensors = bert_tensors(len(pieces))
    counter = {"embeddings.position_ids": np.arange(ROWS)[None]}
    save_file({**tensors, **counter}, folder / "model.safetensors")
    return tensors


def for_numpy(tensors):
    """Names and kernels as tests/reference_encoder.py has them."""
    found = {}
    for name, array in tensors.items():
        path = re.sub(r"layer\.(\d+)", r"layer_\1", name).replace(".", "/")
        scope, _, kind = path.rpartition("/")
        if scope.endswith("_embeddings"):
            path = scope
        elif "LayerNorm" in scope:
            path = scope + {"weight": "/gamma", "bias": "/beta"}[kind]
        elif kind == "weight":
            path, array = f"{scope}/kernel", array.T
        found[f"bert/{path}"] = array.astype(float)
    return found


def test_a_bert_encoder_is_an_electra(benchmark, tmp_path):
    pieces = tiny.vocab()
    tensors = write_bert(tmp_path / "bert", pieces)
    benchmark.rename(tmp_path / "bert", tmp_path / "electra")
    rng = np.random.default_rng(1)
    ids = rng.integers(5, len(pieces), (3, ROWS))
    mask = (np.arange(ROWS) < [[5], [9], [12]]).astype(int)
    segments = (np.arange(ROWS) > 4).astype(int) * mask
    text = (ids * mask, mask, segments)
    found = electra_tf.from_pretrained(tmp_path / "electra").encoder(
        *(part.astype(np.int32) for part in text)
    )
    expected = reference.encoder(
        *text,
        HEADS,
        LAYERS,
        for_numpy(tensors),
        scope="bert",
        tables="bert/embeddings",
    )
    real = mask.astype(bool)
    np.testing.assert_allclose(found.numpy()[real], expected[real], atol=1e-5)


def test_the_table(benchmark):
    columns = {"a": [90.0, 91.0, 95.0], "b": [1.0, 2.0, 3.0]}
    head, _, *rows = benchmark.table(columns).splitlines()
    assert head == "| SST-2, dev | a | b |"
    assert rows[1] == "| seed 1 | 91.00 | 2.00 |"
    assert rows[3:] == [
        "| mean | 92.00 | 2.00 |",
        "| deviation | 2.65 | 1.00 |",
    ]
