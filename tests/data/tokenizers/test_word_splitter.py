"""Japanese through MeCab and Sudachi: ids, places, records, a run, exports."""

import json

import fugashi
import numpy as np
import pytest
import sudachipy
import tensorflow as tf
import tiny
import unidic_lite

from electra_tf.data.tokenizers import (
    Tokenizer,
    WordPieceTokenizer,
    pack_texts,
)
from electra_tf.data.tokenizers.word_splitter import (
    check_is_split,
    without_splitter,
)
from electra_tf.errors import InputError
from electra_tf.finetune import load_model
from electra_tf.finetune.models.classifiers import Classifier
from electra_tf.finetune.preprocessor import encode_texts
from electra_tf.pretrained import from_pretrained
from electra_tf.scoring import Scorer
from electra_tf.serving.export import export_saved_model

LINES = [
    "雨が降ったので、私は傘を持って駅まで歩いた。",
    "駅前の本屋で新しい辞書を二冊買った。",
    "ガラスの窓から　朝の光が入る。 ＡＢＣとabc、½。",
    "「元気ですか」と彼女は聞いた。。\nはい、元気です👍🏽。",
    "",
    "The state of 東京 is　strong.",
]
TEXTS = tf.constant([line.encode() for line in LINES])


def mecab(text):
    tagger = fugashi.Tagger(f'-d "{unidic_lite.DICDIR}"')
    return [word.surface for word in tagger(text)]


def sudachi(text):
    words = sudachipy.Dictionary(dict="core").tokenizer().tokenize(text)
    return [word.surface() for word in words]


def spaced(cut, line):
    """Words with spaces between, by the library itself."""
    sentences = line.replace("。", "。\n").replace("。\n。", "。。").split("\n")
    words = [word for sentence in sentences for word in cut(sentence)]
    return " ".join(" ".join(words).split())


@pytest.fixture(scope="module")
def vocab() -> list[str]:
    lines = [spaced(mecab, line) for line in LINES]
    options = {"strip_accents": False, "word_borders": "spaces"}
    learnt, words = WordPieceTokenizer.learn(
        LINES, 400, word_splitter="mecab", **options
    )
    plain, same = WordPieceTokenizer.learn(lines, 400, **options)
    assert words == same
    assert learnt.vocab == plain.vocab
    return list(learnt.vocab)


@pytest.mark.parametrize("cut", [mecab, sudachi])
def test_ids_are_those_of_the_words_that_the_library_gives(cut, vocab):
    options = {"strip_accents": False, "word_borders": "spaces"}
    ours = Tokenizer(vocab, word_splitter=cut.__name__, **options)
    plain = Tokenizer(vocab, **options)
    split = [spaced(cut, line) for line in LINES]
    assert split[0].split()[:3] == ["雨", "が", "降っ"]
    expected = plain.tokenize(tf.constant(split))
    assert ours.tokenize(TEXTS).to_list() == expected.to_list()
    inside = tf.function(ours.tokenize)(TEXTS)  # as tf.data calls it
    assert inside.to_list() == expected.to_list()
    # In tokenizer.json, and gone from what an export holds.
    assert ours.settings()["word_splitter"] == cut.__name__
    assert without_splitter(ours).settings() == plain.settings()
    assert Tokenizer.from_config(ours.get_config()).options == ours.options


@pytest.mark.parametrize("name", ["mecab", "sudachi"])
def test_places_are_those_of_the_text_as_it_came(name, vocab):
    tokenizer = Tokenizer(
        vocab, True, False, word_borders="spaces", word_splitter=name
    )
    ids, starts, ends = (
        x.to_list() for x in tokenizer.tokenize_with_offsets(TEXTS)
    )
    for line, *row in zip(LINES, ids, starts, ends, strict=True):
        text, before = line.encode(), 0
        covered = b""
        for token, start, end in zip(*row, strict=True):
            assert before <= start < end
            assert not text[before:start].decode().strip()
            before = end
            piece = tokenizer.text_of(tokenizer.vocab[token])
            found = text[start:end].decode()  # whole characters
            covered += text[start:end]
            assert token == tokenizer.unk_id or found.lower() == piece
        assert covered.decode() == "".join(line.split())


def test_records_are_those_of_text_that_was_split_before(vocab, tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(vocab))
    documents = "\n\n".join("\n".join(LINES[:3] * 3) for _ in range(5))
    split = [" ".join(mecab(line)) for line in documents.split("\n")]
    (tmp_path / "plain.txt").write_text(documents)
    (tmp_path / "split.txt").write_text("\n".join(split))
    for name, flag in (
        ("plain", "--word_splitter=mecab"),
        ("split", "--pretokenized"),
    ):
        finished = tiny.command(
            "build_pretraining_data",
            f"--input={tmp_path}/{name}.txt",
            f"--vocab_file={tmp_path}/vocab.txt",
            f"--output_dir={tmp_path}/{name}",
            "--nostrip_accents",
            "--max_seq_length=16",
            "--num_shards=1",
            flag,
        )
        assert finished.code == 0, finished.err
    ours, theirs = (
        next((tmp_path / name).glob("train-*")).read_bytes()
        for name in ("plain", "split")
    )
    assert ours == theirs
    settings = json.loads((tmp_path / "plain" / "tokenizer.json").read_text())
    assert settings["word_splitter"] == "mecab"
    assert settings["word_borders"] == "spaces"
    finished = tiny.command(
        "build_pretraining_data",
        f"--input={tmp_path}/plain.txt",
        f"--vocab_file={tmp_path}/vocab.txt",
        f"--output_dir={tmp_path}/unsplit",
        "--pretokenized",
    )
    assert "characters without a space" in finished.error()
    assert not (tmp_path / "unsplit").exists()
    # A run says the same; other text than its records' is refused.
    given = {"vocab_size": None, "data_dir": str(tmp_path / "plain")}
    given |= {"strip_accents": "false", "model_dir": str(tmp_path / "run")}
    finished = tiny.pretrain("--pretokenized", "--dry_run", **given)
    assert "word_splitter must be mecab, as of" in finished.error()
    finished = tiny.pretrain("--word_splitter=mecab", "--dry_run", **given)
    assert finished.code == 0, finished.err


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            ["--pretokenized", "--word_borders=bert"],
            "word_borders must be spaces with --pretokenized, or be left out; "
            "received 'bert'",
        ),
        (
            ["--word_splitter=mecab", "--word_borders=bert"],
            "word_borders must be spaces with word_splitter=mecab",
        ),
        (["--word_splitter=juman"], "must be one of none, mecab, sudachi"),
    ],
)
@pytest.mark.parametrize("command", ["pretrain", "build_pretraining_data"])
def test_what_does_not_go_together(command, flags, told, tmp_path):
    if command == "pretrain":
        flags = [*flags, "--dry_run"]
    else:
        (tmp_path / "text.txt").write_text("\n".join(LINES))
        flags = [*flags, f"--input={tmp_path}/text.txt"]
        flags += [f"--output_dir={tmp_path}/records"]
    assert told in tiny.command(command, *flags).error()
    assert not (tmp_path / "records").exists()


def test_a_splitter_that_is_not_installed(vocab, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"sudachipy .*\.\[ja\]"):
        Tokenizer(vocab, word_borders="spaces", word_splitter="sudachi")


@pytest.mark.parametrize("texts", [LINES * 3, TEXTS.numpy().tolist() * 3])
def test_text_that_is_not_split_is_known(texts, vocab):
    options = {"strip_accents": False, "word_borders": "spaces"}
    plain = Tokenizer(vocab, **options)
    scorer = Scorer("rtd", None, plain, 32)
    for ask in (
        lambda: check_is_split(plain, texts),
        lambda: scorer(texts),
        lambda: pack_texts(plain, tf.constant(texts), 16),  # of detect
        lambda: encode_texts(plain, [(text, None) for text in texts], 16),
    ):
        with pytest.raises(InputError, match="must be split into words"):
            ask()
    # Of split text, of little, of a splitter, of other borders: nothing.
    check_is_split(plain, [spaced(mecab, line) for line in LINES * 3])
    check_is_split(plain, texts[:3])
    check_is_split(Tokenizer(vocab, word_splitter="mecab", **options), texts)
    check_is_split(Tokenizer(vocab), texts)


@pytest.mark.slow
def test_from_text_to_an_export_which_takes_split_text(vocab, tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(vocab))
    (tmp_path / "text.txt").write_text("\n\n".join(LINES[:4] * 9))
    records, run = str(tmp_path / "records"), str(tmp_path / "run")
    options = {"strip_accents": False, "word_borders": "spaces"}
    options["word_splitter"] = "mecab"
    text, vocab_file = (str(tmp_path / n) for n in ("text.txt", "vocab.txt"))
    tiny.build(text, records, vocab_file, tiny.LENGTH, **options)
    trained = tiny.pretrain(
        "--word_splitter=mecab",
        "--nostrip_accents",
        data_dir=records,
        model_dir=run,
        num_train_steps=5,
    )
    assert trained.code == 0, trained.err
    model = from_pretrained(run)
    assert model.tokenizer.options["word_splitter"] == "mecab"
    path = str(tmp_path / "electra" / "1")
    export_saved_model(model, path, warmup=False)  # checks its operations
    served = tf.saved_model.load(path).signatures["detect"]
    for line, tokens in zip(LINES[:3], model.detect(LINES[:3]), strict=True):
        text = spaced(mecab, line)
        found = served(text=tf.constant([text]))
        names = [name.decode() for name in found["tokens"][0].numpy()]
        assert names == [token.token for token in tokens]
        np.testing.assert_allclose(
            found["probabilities"][0],
            [token.probability for token in tokens],
            atol=1e-6,
        )
        for token, start, end in zip(
            tokens, found["starts"][0], found["ends"][0], strict=True
        ):
            part = line.encode()[token.start : token.end]
            assert part == text.encode()[start:end]
    # A fine-tuned model splits by itself, from its .keras file as well.
    keras_file = str(tmp_path / "m.keras")
    tuned = Classifier.from_pretrained(
        run, labels=["a", "b"], max_seq_length=16
    )
    tuned.compile(optimizer="adam")
    tuned.fit(LINES[:4], [0, 1, 0, 1], verbose=0)
    tuned.save(keras_file)
    loaded = load_model(keras_file)
    expected = tuned.predict(LINES[:4], verbose=0)
    np.testing.assert_allclose(
        loaded.predict(LINES[:4], verbose=0), expected, atol=1e-6
    )
    finished = tiny.command(
        "export_saved_model",
        f"--model_dir={keras_file}",
        f"--output_dir={tmp_path}/tuned",
        "--nowarmup",
    )
    assert "text must come split, a space between words: by mecab" in (
        finished.out
    )
    served = tf.saved_model.load(str(tmp_path / "tuned" / "1")).signatures
    split = tf.constant([spaced(mecab, line) for line in LINES[:4]])
    scores = served["classify"](text=split)["scores"]
    np.testing.assert_allclose(scores, tf.nn.softmax(expected), atol=1e-5)
