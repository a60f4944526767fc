"""The embedded text, finding inputs, reading documents, sentences."""

import hashlib
from collections import Counter

import pytest
import tensorflow as tf

from electra_tf.data.text import (
    embedded_corpus_path,
    embedded_vocab_path,
    expand_inputs,
    read_documents,
)
from electra_tf.data.text.cutting import split_sentences
from electra_tf.errors import InputError


def test_embedded_corpus():
    documents = list(read_documents([embedded_corpus_path()]))
    lines = [line for document in documents for line in document]
    assert len(documents) == 62
    assert 18_000 < len(lines) < 19_000
    assert 2.0e6 < sum(len(line.encode()) for line in lines) < 2.3e6
    first, last = documents[0], documents[-1]
    assert first[0].startswith("To the Congress of the United States: Once")
    assert last[0] == "Thank you."
    assert all(len(document) > 50 for document in documents)
    lengths = sorted(map(len, lines))
    assert 80 < lengths[len(lines) // 2] < 120
    assert not [line for line in lines if not any(map(str.isalnum, line))]


def test_embedded_vocabulary():
    with open(embedded_vocab_path(), "rb") as f:
        digest = hashlib.md5(f.read()).hexdigest()
    assert digest == "64800d5d8528ce344256daf115d4965e"


@pytest.fixture
def folder(tmp_path):
    for name in ("b.txt", "a.txt", "deep/c.txt", ".hidden", ".git/d.txt"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text\n")
    (tmp_path / "x[1].txt").write_text("text\n")
    (tmp_path / "none").mkdir()
    return tmp_path


def test_expand_inputs(folder):
    def names(*patterns):
        paths = expand_inputs([f"{folder}/{p}" for p in patterns])
        return [path.removeprefix(f"{folder}/") for path in paths]

    everything = ["in/a.txt", "in/b.txt", "in/deep/c.txt"]
    assert names("in") == everything
    assert names("in/") == everything
    assert names("in/*.txt") == everything[:2]
    assert names("i*") == everything
    assert names("in/b.txt", "in/a.txt", "in/*") == everything
    assert names("in/.h*") == ["in/.hidden"]
    assert names("x[1].txt") == ["x[1].txt"]


def test_expand_inputs_elsewhere():
    tf.io.gfile.makedirs("ram://expand/sub")
    for name in ("b", "sub/a"):
        with tf.io.gfile.GFile(f"ram://expand/{name}.txt", "w") as f:
            f.write("text")
    expected = ["ram://expand/b.txt", "ram://expand/sub/a.txt"]
    assert expand_inputs(["ram://expand"]) == expected
    assert expand_inputs(["ram://expand/*.txt"]) == expected[:1]


@pytest.mark.parametrize("pattern", ["missing.txt", "in/*.md", "none"])
def test_inputs_without_a_match_are_refused(folder, pattern):
    with pytest.raises(InputError, match="match a file"):
        expand_inputs([f"{folder}/in/a.txt", f"{folder}/{pattern}"])


def test_no_inputs_are_refused():
    for patterns in ([], ["", " "]):
        with pytest.raises(InputError, match="must name a file"):
            expand_inputs(patterns)
    with pytest.raises(InputError, match="must be a list"):
        expand_inputs("a.txt")


def test_documents_end_at_blank_lines_and_files(tmp_path):
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(b"\n\n one \r\ntwo\r\n \t\r\n\r\nthree\n")
    second.write_bytes("four\u2028still four\n\x0c\nfünf".encode())
    assert list(read_documents([str(first), str(second)])) == [
        ["one", "two"],
        ["three"],
        ["four\u2028still four"],
        ["fünf"],
    ]


def test_invalid_bytes_are_replaced_and_counted(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes(b"caf\xe9 \xe9t\xe9\nfine\n" + "\ufffd honest\n".encode())
    replaced = Counter()
    (document,) = read_documents([str(path)], replaced)
    assert document == ["caf\ufffd \ufffdt\ufffd", "fine", "\ufffd honest"]
    assert replaced == {str(path): 1}


def test_byte_order_marks(tmp_path):
    path = tmp_path / "marked.txt"
    path.write_bytes(b"\xef\xbb\xbfone\n\ntwo")
    assert list(read_documents([str(path)])) == [["one"], ["two"]]
    path.write_bytes("one".encode("utf-16"))
    with pytest.raises(InputError, match="UTF-16: convert"):
        list(read_documents([str(path)]))
    with pytest.raises(InputError, match="does not exist"):
        list(read_documents([str(tmp_path / "gone.txt")]))


def test_files_larger_than_a_block(tmp_path, monkeypatch):
    lines = [f"{'é' * (i % 7)}line {i}" for i in range(100)]
    path = tmp_path / "long.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    for size in (3, 16, 1000):
        monkeypatch.setattr("electra_tf.data.text.reading._READ_BYTES", size)
        assert list(read_documents([str(path)])) == [lines]


SENTENCES = [
    ["Mr. Speaker, it is 3.5 percent.", "Good."],
    ['"We go," he said.', '"And win!"', "Then (at last) they came.)", "So?"],
    ["John F. Kennedy of the U.S. Army spoke.", "We listened."],
    ["We live in the U.S.", "The rest do not."],
    ["Martin Luther King, Jr. Boulevard is long.", "King, Jr.", "He won."],
    ["See No. 4 for it.", "No.", "We refuse!", "It was World War I.", "Yes."],
    ["2. Reform the law.", "IV. Our allies.", "(a) One."],
    ["at 3 p.m. sharp.", "Wait... what?", "Wait…", "Go!"],
    ["in the 1980's.", "DRUGS are bad.", "An . . . ellipsis.", "End"],
    ["आप कैसे हैं।", "मैं ठीक हूँ।"],
    ["هل هذا صحيح؟", "نعم."],
]


@pytest.mark.parametrize("sentences", SENTENCES, ids=lambda s: s[0][:9])
def test_sentences(sentences):
    assert split_sentences(" ".join(sentences)) == sentences


def test_sentences_without_spaces_and_at_the_edges():
    assert split_sentences("彼は言った。「はい。」東京！") == [
        "彼は言った。",
        "「はい。」",
        "東京！",
    ]
    assert split_sentences("  One.\n Two\tthree.  ") == ["One.", "Two three."]
    assert split_sentences(" \n") == []
    assert split_sentences("...") == ["..."]
