"""A small model of Japanese text, from its pieces to what a server answers."""

import json
import os
import pathlib
import sys

import numpy as np
import pytest
import tiny

from electra_tf import from_pretrained
from electra_tf.data.tokenizers import SentencePieceTokenizer, Tokenizer
from electra_tf.demo import LocalModel
from electra_tf.serving.saved_model import check_ops, graph_ops

pytestmark = pytest.mark.slow
PAGES = str(pathlib.Path(__file__).parents[1] / "data" / "tokenizers")
TEXT = "昨日、東京まで電車で行きました。㈱ミドリ商会でｺｰﾋｰを飲みました。"
CASED = "--do_lower_case=false"


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    sys.path.append(PAGES)
    import pages

    sys.path.remove(PAGES)
    path = tmp_path_factory.mktemp("japanese") / "text.txt"
    lines = pages.page("ja")
    documents = ["".join(lines[i : i + 5]) for i in range(0, len(lines), 5)]
    path.write_text("\n\n".join(documents * 4) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def run(text) -> str:
    """The folder of a short run; its pieces and records lie beside it."""
    folder = os.path.dirname(text)
    learnt = tiny.command(
        "train_vocab",
        "--tokenizer=sentencepiece",
        f"--input={text}",
        f"--output={folder}/ja",
        "--vocab_size=500",
        "--character_coverage=1",
        CASED,
    )
    assert learnt.code == 0, learnt.err
    assert "the text has no more than" in learnt.err
    assert f"{folder}/ja.model: " in learnt.out
    assert " 0.000 % of them [UNK]; longest: " in learnt.out
    built = tiny.command(
        "build_pretraining_data",
        f"--input={text}",
        f"--vocab_file={folder}/ja.model",
        f"--output_dir={folder}/records",
        "--max_seq_length=32",
        "--num_processes=1",
        "--eval_fraction=0.2",
        CASED,
    )
    assert built.code == 0, built.err
    assert "0.00 % dropped" in built.out
    trained = tiny.pretrain(
        CASED,
        f"--vocab_file={folder}/ja.model",
        data_dir=f"{folder}/records",
        model_dir=f"{folder}/run",
        max_seq_length=32,
        max_position_embeddings=64,
        num_train_steps=4,
        masking="whole_word",
    )
    assert trained.code == 0, trained.err
    assert "too many to be masked whole" in trained.out + trained.err
    return f"{folder}/run"


def test_what_was_served_is_what_was_trained(run, tmp_path):
    model = from_pretrained(run)
    assert isinstance(model.tokenizer, SentencePieceTokenizer)
    assert not os.path.exists(f"{run}/vocab.txt")
    exported = tiny.command(
        "export_saved_model",
        f"--model_dir={run}",
        f"--output_dir={tmp_path}/ja",
        "--warmup=false",
    )
    assert exported.code == 0, exported.err
    check_ops(f"{tmp_path}/ja/1")
    assert "SentencepieceOp" in graph_ops(f"{tmp_path}/ja/1")
    served = LocalModel(f"{tmp_path}/ja")

    def ask(signature, text):
        request = {"signature_name": signature, "inputs": {"text": [text]}}
        return served.predict(json.dumps(request).encode())["outputs"]

    found, expected = ask("detect", TEXT), model.detect([TEXT])[0]
    assert found["tokens"][0] == [token.token for token in expected]
    np.testing.assert_allclose(
        found["probabilities"][0], [t.probability for t in expected], atol=1e-5
    )
    assert found["starts"][0] == [token.start for token in expected]
    assert found["ends"][0] == [token.end for token in expected]
    data = TEXT.encode()
    spans = zip(found["starts"][0], found["ends"][0], strict=True)
    assert "".join(data[start:end].decode() for start, end in spans) == TEXT
    masked = TEXT.replace("東京", "[MASK]")
    best = model.fill_mask(masked, top_k=10)
    filled = ask("fill_mask", masked)
    assert filled["tokens"][0] == [token for token, _ in best]
    np.testing.assert_allclose(
        filled["probabilities"][0], [p for _, p in best], atol=1e-5
    )


def test_it_goes_to_hugging_face_and_back(run, tmp_path):
    converted = tiny.command(
        "convert_weights",
        f"--input={run}",
        f"--output={tmp_path}/hf",
        "--to=huggingface",
    )
    assert converted.code == 0, converted.err
    assert os.path.exists(f"{tmp_path}/hf/discriminator/spiece.model")
    model, again = from_pretrained(run), from_pretrained(f"{tmp_path}/hf")
    assert again.tokenizer.settings() == model.tokenizer.settings()
    for ours, theirs in zip(
        model.detect([TEXT])[0], again.detect([TEXT])[0], strict=True
    ):
        assert (ours.token, ours.start) == (theirs.token, theirs.start)
        assert abs(ours.probability - theirs.probability) < 1e-6
    for other in ("tf1", "keras_hub"):
        refused = tiny.command(
            "convert_weights",
            f"--input={run}",
            f"--output={tmp_path}/{other}",
            f"--to={other}",
        )
        assert "must be of the kind wordpiece" in refused.error()


def test_records_of_one_kind_and_pieces_of_another(run, vocab_file, tmp_path):
    folder = os.path.dirname(run)
    refused = tiny.pretrain(
        CASED,
        f"--vocab_file={vocab_file}",
        data_dir=f"{folder}/records",
        model_dir=f"{tmp_path}/other",
        max_seq_length=32,
    )
    told = refused.error()
    assert "vocab_file must be of the kind sentencepiece" in told
    assert not os.path.exists(tmp_path / "other")
    started = tiny.pretrain(
        f"--init_checkpoint={run}",
        f"--vocab_file={vocab_file}",
        model_dir=f"{tmp_path}/other",
        max_position_embeddings=64,
    )
    assert "must be of the kind sentencepiece" in started.error()
    path = Tokenizer.find_file(run)
    cut = pathlib.Path(tmp_path, "cut.model")
    cut.write_bytes(pathlib.Path(path).read_bytes()[:-7])
    built = tiny.command(
        "build_pretraining_data",
        f"--input={folder}/text.txt",
        f"--vocab_file={cut}",
        f"--output_dir={tmp_path}/records",
    )
    assert "must be a file that its trainer wrote" in built.error()
    assert not os.path.exists(tmp_path / "records")
