"""The command that learns a vocabulary."""

import pytest
import tiny

from electra_tf.cli.vocabulary import train_vocab
from electra_tf.data.text import embedded_corpus_path
from electra_tf.data.tokenizers.vocab_file import load_vocab
from electra_tf.errors import InputError


def run(*arguments):
    tiny.call(train_vocab, *arguments)


@pytest.fixture
def text(tmp_path):
    with open(embedded_corpus_path(), encoding="utf-8") as f:
        lines = f.readlines()[::40]
    path = tmp_path / "text" / "a.txt"
    path.parent.mkdir()
    path.write_text("".join(lines) + "Éa Éa Éa\n", encoding="utf-8")
    (path.parent / "b.txt").write_bytes(b"caf\xe9\n")
    return path


def test_writes_a_vocabulary_and_says_how_it_fits(text, tmp_path, capsys):
    output = tmp_path / "new" / "vocab.txt"
    run(
        f"--input={text},{text.parent}",
        f"--output={output}",
        "--vocab_size=300",
    )
    vocab = load_vocab(str(output))
    assert len(vocab) == 300
    assert vocab[0] == "[PAD]"
    assert "e" in vocab
    assert "é" not in vocab
    assert [p.name for p in output.parent.iterdir()] == ["vocab.txt"]
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert f"{output}: 300 pieces; " in out
    assert " % of the words are covered" in out
    assert "b.txt: 1 lines are not UTF-8" in err
    assert "frequency" in err


def test_switches_and_overwriting(text, tmp_path):
    output = tmp_path / "vocab.txt"
    output.write_text("old\n")
    common = (f"--input={text}", f"--output={output}", "--vocab_size=400")
    run(*common, "--nostrip_accents")
    assert "é" in load_vocab(str(output))
    run(*common, "--do_lower_case=false")
    assert {"É", "A"} <= set(load_vocab(str(output)))


def test_short_text_is_said(tmp_path, capsys):
    path = tmp_path / "short.txt"
    path.write_text("ab ab\n")
    run(f"--input={path}", f"--output={tmp_path}/v", "--vocab_size=1000")
    assert "no more than" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input=/missing", "--output=ram://x/v"], "'/missing'"),
        (
            ["--input=", "--output=ram://x/v"],
            "one of --input and --tfds_name must be given",
        ),
        (["--input=/missing", "--output="], "output must be given"),
        (
            ["--input=/missing", "--output=v", "--vocab_size=3"],
            "at least 50; received 3",
        ),
        (
            ["--input=/missing", "--output=v", "--character_coverage=0.9"],
            "must be left to --tokenizer=sentencepiece; received",
        ),
        (
            ["--input=/missing", "--output=v", "--tokenizer=bpe"],
            "must be one of wordpiece, sentencepiece; received 'bpe'",
        ),
    ],
)
def test_mistakes_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        run(*arguments)
