"""Ranges of a file share out its documents, wherever they are cut."""

import itertools
from collections import Counter

import pytest

from electra_tf.data.text import reading
from electra_tf.data.text.cutting import TextRange, cut_files, read_range
from electra_tf.errors import InputError

TEXTS = {
    "plain": b"one\ntwo\n\nthree\n\nfour",
    "blank at both ends": b"\n\n\none\n\n\n\ntwo\nthree\n\n\n",
    "carriage returns": b"one\r\ntwo\r\n\r\nthree\r\n \t\r\n\r\nfour\r\n",
    "odd blanks": "a\n\x0c\nb\n\u3000\nc\n\u2028\nd\u2028e\n".encode(),
    "byte order mark": "\ufeffone\n\ntwo\n\nthree".encode(),
    "blank behind the mark": "\ufeff\n\none\n\ntwo".encode(),
    "not UTF-8": b"caf\xe9\n\n\xe9t\xe9\nfine\n\n" + "\ufffd\n".encode(),
    "one document": b"a line\n" * 9,
    "without a line": b"x" * 30,
    "blank": b"\n \n\n",
    "empty": b"",
}


def expected_documents(content: bytes) -> list[list[str]]:
    """By grouping the lines of the whole text."""
    text = content.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = [line.strip() for line in text.split("\n")]
    return [list(g) for full, g in itertools.groupby(lines, bool) if full]


@pytest.mark.parametrize("name", TEXTS)
def test_every_document_is_in_one_range(tmp_path, name, monkeypatch):
    path = tmp_path / "text.txt"
    path.write_bytes(TEXTS[name])
    expected = expected_documents(TEXTS[name])
    bad_lines = 2 if name == "not UTF-8" else 0
    for block in (5, 1 << 22):
        monkeypatch.setattr(reading, "_READ_BYTES", block)
        for size in (*range(1, 12), 25, 1000):
            ranges = cut_files([str(path)], size)
            assert len(ranges) == max(1, -(-len(TEXTS[name]) // size))
            replaced = Counter()
            found = [d for r in ranges for d in read_range(r, replaced)]
            assert found == expected, (size, block)
            assert replaced.total() == bad_lines


def test_a_range_stops_reading_behind_its_documents(tmp_path, monkeypatch):
    """No range reads on to the end of a file that is not its own."""
    path = tmp_path / "text.txt"
    path.write_bytes(b"one\n\n" + b"a long document\n" * 1000)
    monkeypatch.setattr(reading, "_READ_BYTES", 16)
    split_lines = reading._split_lines
    read = []

    def spy(*arguments):
        for line in split_lines(*arguments):
            read.append(line)
            yield line

    monkeypatch.setattr(reading, "_split_lines", spy)
    assert not list(read_range(TextRange(str(path), 100, 200)))
    assert 0 < len(read) < 10


def test_only_the_beginning_of_a_file_tells_utf16(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("one\n\ntwo".encode("utf-16"))
    with pytest.raises(InputError, match="UTF-16"):
        list(read_range(TextRange(str(path), 0, 4)))
