"""A kind of tokenizer from outside, through all commands that need one."""

import importlib
import json
import os
import pickle
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
import tiny

from electra_tf import TextPreprocessor, from_pretrained
from electra_tf.data.tokenizers import (
    KINDS,
    SETTINGS_NAME,
    Tokenizer,
    register,
)
from electra_tf.errors import InputError

HERE = os.path.dirname(__file__)
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PLUGIN = "--plugin=toy_plugin"


@pytest.fixture(scope="module")
def kind():
    """The plugin's class, known while these tests run."""
    sys.path.append(HERE)
    yield importlib.import_module("toy_plugin").WholeWords
    sys.path.remove(HERE)
    del sys.modules["toy_plugin"], KINDS["whole_words"]


@pytest.fixture(scope="module")
def words():
    found = Counter(tiny.text().lower().split())
    return [*SPECIALS, *(word for word, _ in found.most_common(120))]


@pytest.fixture(scope="module")
def run(kind, words, tmp_path_factory):
    """A folder with text, vocabulary, records and a run of that kind."""
    folder = tmp_path_factory.mktemp("own_kind")
    (folder / "text.txt").write_text(tiny.text())
    (folder / "words.txt").write_text("".join(f"{w}\n" for w in words))
    built = tiny.command(
        "build_pretraining_data",
        PLUGIN,
        f"--input={folder}/text.txt",
        f"--vocab_file={folder}/words.txt",
        f"--output_dir={folder}/records",
        "--max_seq_length=16",
        "--num_processes=1",
    )
    assert built.code == 0, built.err
    trained = tiny.pretrain(
        PLUGIN,
        data_dir=f"{folder}/records",
        model_dir=f"{folder}/run",
        num_train_steps=2,
    )
    assert trained.code == 0, trained.err
    return folder


def test_text_is_split_its_way(kind, words):
    tokenizer = kind(words)
    texts = tf.constant(["The  würld of", "É the"])
    ids, starts, ends = tokenizer.tokenize_with_offsets(texts)
    of, the = words.index("of"), words.index("the")
    assert ids.to_list() == [[the, 1, of], [1, the]]
    assert starts.to_list() == [[0, 5, 12], [0, 3]]
    assert ends.to_list() == [[3, 11, 14], [2, 6]]
    assert tokenizer.starts_word.all()
    assert tokenizer.words[of] == "of"
    assert tokenizer.words[:5] == ("",) * 5
    for copy in (
        pickle.loads(pickle.dumps(tokenizer)),
        Tokenizer.from_config(json.loads(json.dumps(tokenizer.get_config()))),
        TextPreprocessor.from_config(
            TextPreprocessor(tokenizer, 8).get_config()
        ).tokenizer,
    ):
        assert type(copy) is kind
        assert copy.settings() == tokenizer.settings()


@pytest.mark.slow
def test_its_files_are_found_and_tell_the_kind(run, kind, words):
    for name in ("records", "run"):
        folder = str(run / name)
        assert not os.path.exists(f"{folder}/vocab.txt")
        assert type(Tokenizer.from_folder(folder)) is kind
        path = Tokenizer.find_file(folder)
        assert path == f"{folder}/words.txt"
        assert Tokenizer.from_file(path).vocab == tuple(words)


@pytest.mark.slow
def test_its_model_detects_at_home_and_exported(run, kind):
    model = from_pretrained(str(run / "run"))
    assert type(model.tokenizer) is kind
    text = "the people of this würld"
    tokens = model.detect([text])[0]
    assert [text[t.start : t.end] for t in tokens] == text.split()
    exported = tiny.command(
        "export_saved_model",
        PLUGIN,
        f"--model_dir={run}/run",
        f"--output_dir={run}/export",
        "--warmup=false",
    )
    assert exported.code == 0, exported.err
    detect = tf.saved_model.load(f"{run}/export/1").signatures["detect"]
    found = detect(text=tf.constant([text]))
    assert [t.decode() for t in found["tokens"].numpy()[0]] == [
        t.token for t in tokens
    ]
    np.testing.assert_allclose(
        found["probabilities"][0], [t.probability for t in tokens], atol=1e-5
    )


@pytest.mark.slow
def test_a_folder_of_a_kind_that_is_not_there(run):
    """Nothing that a folder says is imported."""
    code = (
        "from electra_tf import Tokenizer\n"
        f"Tokenizer.from_folder({str(run / 'records')!r})"
    )
    failed = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, HERE])},
        stderr=subprocess.PIPE,
        text=True,
    )
    there = ", ".join(name for name in KINDS if name != "whole_words")
    assert (
        f"must be one of {there} (or of a plugin, by --plugin=MODULE); "
        f"received 'whole_words' in '{run}/records/{SETTINGS_NAME}'"
    ) in failed.stderr


def test_two_kinds_of_one_name_are_refused(kind):
    with pytest.raises(InputError, match=r"must be new; .*whole_words"):
        register(kind)


def test_a_kind_need_not_be_learnt_here(kind):
    with pytest.raises(InputError, match="received whole_words"):
        kind.learn(["a b"], 60)
