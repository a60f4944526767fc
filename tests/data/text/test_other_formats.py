"""Files that hold no text as they stand: known by their first bytes."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest
import tiny

from electra_tf.data.text import expand_inputs, read_documents
from electra_tf.errors import InputError

TEXT = b"we the people\n\nof the united states\n"


def zipped(name: str, content: bytes | str = TEXT) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("corpus.txt")
        entry.size = len(TEXT)
        archive.addfile(entry, io.BytesIO(TEXT))
    return file.getvalue()


# What is not made here is given by its first bytes.
FORMATS = {
    "bzip2": bz2.compress(TEXT),
    "bzip2 in gzip": gzip.compress(bz2.compress(TEXT)),
    "lz4": b"\x04\x22\x4d\x18\x64\x40" + TEXT,
    "7z": b"7z\xbc\xaf\x27\x1c\0\4" + TEXT,
    "rar": b"Rar!\x1a\x07\0" + TEXT,
    "tar": tarred(),
    "tar in xz": lzma.compress(tarred()),
    "zip": zipped("corpus.txt"),
    "an Office document": zipped("[Content_Types].xml"),
    "an OpenDocument": zipped("mimetype", "application/epub+zip"),
    "an old Office document": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + TEXT,
    "RTF": rb"{\rtf1\ansi the people}",
    "Arrow": b"ARROW1\0\0\xff\xff\xff\xff" + TEXT,
    "Avro": b"Obj\x01\x04" + TEXT,
    "an SQLite database": b"SQLite format 3\0" + TEXT,
    "a NumPy array": b"\x93NUMPY\1\0v\0" + TEXT,
    "HDF5": b"\x89HDF\r\n\x1a\n" + TEXT,
    "a JSON array": b'[\n  {"text": "we the people"}]',
    "PDF": b"%PDF-1.7\n" + TEXT,
    "a program": b"\x7fELF\2\1\1\0" + TEXT,
    "a PNG picture": b"\x89PNG\r\n\x1a\n\0\0" + TEXT,
    "a JPEG picture": b"\xff\xd8\xff\xe0\0" + TEXT,
    "a GIF picture": b"GIF89a" + TEXT,
    "a TIFF picture": b"II*\0" + TEXT,
    "a WebP picture": b"RIFF\n\0\0\0WEBPVP8 " + TEXT,
    "UTF-16": TEXT.decode().encode("utf-16"),
    "UTF-32": TEXT.decode().encode("utf-32"),
    "binary data": TEXT.decode().encode("utf-16-be"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_refused_by_name_before_any_work(name, tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT)
    path = tmp_path / "b.txt"  # whatever the name says
    path.write_bytes(FORMATS[name])
    match = rf"inputs must be UTF-8 .*; received '{path}', which is {name}.*: "
    with pytest.raises(InputError, match=match + r"\w+"):
        expand_inputs([str(tmp_path)])
    with pytest.raises(InputError, match=match):
        list(read_documents([str(path)]))


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        b"",
        b"\xef\xbb\xbf" + TEXT,
        b"%PD",
        b"PAR1 is here",
        b"PK",
        b"BZh",
        b"{curly} text",
        b"[x] done",
    ],
)
def test_text_is_taken_as_it_was(content, tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    assert expand_inputs([str(path)]) == [str(path)]
    lines = content.decode("utf-8-sig").split("\n")
    found = [
        line for document in read_documents([str(path)]) for line in document
    ]
    assert found == [line for line in lines if line]


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("build_pretraining_data", ["--output_dir={}/out"]),
        (
            "build_pretraining_data",
            ["--output_dir={}/out", "--runner=DirectRunner"],
        ),
        ("train_vocab", ["--output={}/out"]),
    ],
)
def test_every_command_that_reads_text_refuses(command, flags, tmp_path):
    (tmp_path / "corpus.txt").write_bytes(FORMATS["zip"])
    before = tiny.tree(tmp_path)
    given = [flag.format(tmp_path) for flag in flags]
    finished = tiny.command(command, f"--input={tmp_path}", *given)
    assert "corpus.txt', which is zip: unpack it" in finished.error()
    assert tiny.tree(tmp_path) == before


def test_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT)
    with pytest.raises(InputError, match="must be readable; received"):
        list(read_documents([str(tmp_path)]))
