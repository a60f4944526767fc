"""One text in every form that --input takes: the same documents."""

import gzip
import lzma
from collections import Counter

import pyarrow as pa
import pytest
import tensorflow as tf
import tiny
from corpus_forms import PACK, all_forms, json_lines, parquet

from electra_tf.data.text import expand_inputs, read_documents, reading, rows
from electra_tf.data.text.cutting import cut_files
from electra_tf.errors import InputError

DOCUMENTS = [
    ["the cat sat on the mat", "it ran: “été” \U0001f408"],
    ["one line"],
    [f"sentence {number}" for number in range(40)],
    ["a\u2028b", "the end"],
]
TEXTS = ["\n".join(document) for document in DOCUMENTS]
FORMS = all_forms("\n\n".join(TEXTS))
TXT = FORMS["txt"]


@pytest.mark.parametrize("name", FORMS)
def test_every_form_has_the_same_documents(name, monkeypatch, tmp_path):
    remote = f"ram://rows/{name}/a.bin"  # where no name tells what it is
    with tf.io.gfile.GFile(remote, "wb") as file:
        file.write(FORMS[name])
    local = tmp_path / "a.pdf"
    local.write_bytes(FORMS[name])
    for path in (remote, str(local)):
        read = []
        assert expand_inputs([path]) == [path]
        found = list(read_documents([path], on_read=read.append))
        assert found == DOCUMENTS
        assert sum(read) == len(FORMS[name])
    monkeypatch.setattr(reading, "_READ_BYTES", 7)
    monkeypatch.setattr(reading, "_PIECE_BYTES", 3)
    monkeypatch.setattr(rows, "_ROWS_AT_ONCE", 2)
    assert list(read_documents([str(local)])) == DOCUMENTS
    ranges = cut_files([str(local)], 50)
    assert len(ranges) == (-(-len(TXT) // 50) if name == "txt" else 1)


ODD_ROWS = ["", " \n\t\n", None, "\n one \n\n two\r\n", "three"]
OF_ODD_ROWS = [["one", "two"], ["three"]]


@pytest.mark.parametrize(
    ("content", "replaced"),
    [
        (json_lines(ODD_ROWS, "body").replace(b"\n", b"\r\n \n"), 0),
        (b"\xef\xbb\xbf" + json_lines(ODD_ROWS, "body"), 0),
        (parquet(ODD_ROWS, "body"), 0),
        (parquet(ODD_ROWS, "body", pa.large_string()), 0),
        (parquet(ODD_ROWS, "body", pa.dictionary(pa.int32(), pa.string())), 0),
        (json_lines(ODD_ROWS, "body").replace(b"three", b"three\xe9"), 1),
        (json_lines(ODD_ROWS, "body").replace(b"three", b"three\\ud83d"), 0),
        (parquet([*ODD_ROWS[:4], b"three\xe9"], "body", pa.binary()), 1),
        (parquet([], "body", pa.string()), None),
    ],
)
def test_rows_with_blanks_nulls_and_bad_bytes(content, replaced, tmp_path):
    path = tmp_path / "rows"
    path.write_bytes(content)
    counts = Counter()
    [path] = expand_inputs([str(path)], "body")
    found = list(read_documents([path], counts, "body"))
    lines = [[line.rstrip("\ufffd") for line in lines] for lines in found]
    assert lines == ([] if replaced is None else OF_ODD_ROWS)
    assert counts.total() == (replaced or 0)


@pytest.mark.parametrize("name", PACK)
def test_members_one_behind_the_other_are_one_text(name, tmp_path):
    path = tmp_path / "members"
    pack = PACK[name]
    middle = len(TXT) // 2
    content = pack(TXT[:middle]) + b"\0" * 8 + pack(TXT[middle:]) + b"\0" * 4
    if name == "zst":  # as pzstd writes them
        content = b"\x50\x2a\x4d\x18\2\0\0\0ab" + content
    path.write_bytes(content)
    assert list(read_documents(expand_inputs([str(path)]))) == DOCUMENTS
    path.write_bytes(pack(b""))
    assert not list(read_documents(expand_inputs([str(path)])))


def flipped(content):
    """With one bit changed in the midst."""
    middle = len(content) // 2
    bad = bytes([content[middle] ^ 16])
    return content[:middle] + bad + content[middle + 1 :]


@pytest.mark.parametrize("name", [n for n in FORMS if "." in n])
def test_a_packed_file_that_is_damaged(name, tmp_path):
    path = tmp_path / "packed"
    whole = FORMS[name]
    for content in (whole[:-1], whole[: len(whole) // 2], flipped(whole)):
        path.write_bytes(content)
        rule = r"must be whole; received '.*packed', damaged (at|before) byte"
        with pytest.raises(InputError, match=rule):
            list(read_documents([str(path)]))
    path.write_bytes(whole + b"more")
    with pytest.raises(InputError, match="must be whole"):
        list(read_documents([str(path)]))


# What can be told of a file before any work.
AT_ONCE = {
    "is cut off": FORMS["txt.xz"][:-20],
    "Parquet must be whole; received .*damaged at its end": parquet(TEXTS)[:-9],
    "column of text called 'text' .*; received .* with n, body": parquet(
        TEXTS, "body"
    ),
    "column of text called 'text'; .*, where it holds int64": parquet([1, 2]),
    "received line 1 of .* with n, body: give --text_field": json_lines(
        TEXTS, "body"
    ),
    "received line 1 of .* which is not JSON": b'{"text": "a\nb"}\n',
    r"received line 1 of .* with \[1, 2\] there": json_lines([[1, 2]]),
    "which is not JSON: maximum recursion": b'{"text":' + b"[" * 10**5,
    "which is Parquet in gzip: unpack it": gzip.compress(parquet(TEXTS)),
    "which is packed twice in xz": lzma.compress(FORMS["txt.gz"]),
}
LATER = {
    "received line 3 of .*: 5$": b'{"text": "a"}\n{"text": "b"}\n5\n',
    "received line 3 of .* with body: give": b'{"text": ""}\n\n{"body": ""}',
    "received line 2 of .* not JSON: Expecting": b'{"text": "a"}\n{"text": ',
    "damaged behind row 0": parquet(
        TEXTS,
        write_page_checksum=True,
        compression="none",
    ).replace(b"the cat", b"the car", 1),
}


@pytest.mark.parametrize("rule", [*AT_ONCE, *LATER])
def test_rows_that_cannot_be_read_are_told_by_place(rule, tmp_path):
    path = tmp_path / "rows"
    path.write_bytes({**AT_ONCE, **LATER}[rule])
    with pytest.raises(InputError, match=rule):
        list(read_documents([str(path)]))
    if rule in AT_ONCE:
        with pytest.raises(InputError, match=rule):
            expand_inputs([str(path)])
    else:
        expand_inputs([str(path)])


@pytest.mark.parametrize(
    ("module", "name", "cure"),
    [
        ("zstandard", "txt.zst", r"which is zstd, needs zstandard, .*\[zstd\]"),
        ("pyarrow", "parquet", r"is Parquet, needs pyarrow, .*\[parquet\]"),
    ],
)
def test_a_package_that_is_missing_is_told_at_once(
    module, name, cure, tmp_path, monkeypatch
):
    find = "importlib.util.find_spec"
    monkeypatch.setattr(find, lambda name: None if name == module else name)
    (tmp_path / "corpus").write_bytes(FORMS[name])
    with pytest.raises(InputError, match=cure):
        expand_inputs([str(tmp_path)])


def test_a_small_file_that_unpacks_to_much_is_read_in_parts(tmp_path):
    path = tmp_path / "blanks"
    path.write_bytes(PACK["zst"](b" " * (128 << 20)))
    assert path.stat().st_size < 5000
    sizes = [len(b) for b in reading.read_blocks(str(path), reading.ZSTD)]
    assert sum(sizes) == 128 << 20
    assert max(sizes) < 40 << 20


@pytest.mark.parametrize("command", ["build_pretraining_data", "train_vocab"])
def test_commands_leave_nothing_of_damaged_input(command, tmp_path):
    (tmp_path / "a.txt").write_bytes(TXT)
    (tmp_path / "b.zst").write_bytes(FORMS["jsonl.zst"][:-9])
    before = tiny.tree(tmp_path)
    output = "output" if command == "train_vocab" else "output_dir"
    finished = tiny.command(
        command, f"--input={tmp_path}", f"--{output}={tmp_path}/out"
    )
    assert "zstd must be whole; received" in finished.error()
    assert tiny.tree(tmp_path) == before
