"""Files that hold no text as they stand: known by their first bytes."""

import bz2
import gzip
import io
import lzma
import zipfile

import pytest
import tiny

from electra_tf.data.text import expand_inputs, read_documents
from electra_tf.errors import InputError

TEXT = b"we the people\n\nof the united states\n"


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("corpus.txt", TEXT)
    return file.getvalue()


# What this Python cannot write is given by its first bytes.
FORMATS = {
    "gzip": gzip.compress(TEXT),
    "bzip2": bz2.compress(TEXT),
    "xz": lzma.compress(TEXT),
    "zstd": b"\x28\xb5\x2f\xfd\x04\x58" + TEXT,
    "lz4": b"\x04\x22\x4d\x18\x64\x40" + TEXT,
    "7z": b"7z\xbc\xaf\x27\x1c\0\4" + TEXT,
    "zip": zipped(),
    "Parquet": b"PAR1\x15\x04\x15\x12" + TEXT,
    "Arrow": b"ARROW1\0\0\xff\xff\xff\xff" + TEXT,
    "PDF": b"%PDF-1.7\n" + TEXT,
    "UTF-16": TEXT.decode().encode("utf-16"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_refused_by_name_before_any_work(name, tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT)
    path = tmp_path / "b.txt"  # whatever the name says
    path.write_bytes(FORMATS[name])
    match = rf"text must be UTF-8; received '{path}', which is {name}: \w+"
    with pytest.raises(InputError, match=match):
        expand_inputs([str(tmp_path)])
    with pytest.raises(InputError, match=match):
        list(read_documents([str(path)]))


@pytest.mark.parametrize(
    "content",
    [TEXT, b"", b"\xef\xbb\xbf" + TEXT, b"%PD", b"PAR1 is here", b"PK", b"BZh"],
)
def test_text_is_taken_as_it_was(content, tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    assert expand_inputs([str(path)]) == [str(path)]
    list(read_documents([str(path)]))


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
    (tmp_path / "corpus.txt").write_bytes(FORMATS["gzip"])
    before = tiny.tree(tmp_path)
    given = [flag.format(tmp_path) for flag in flags]
    finished = tiny.command(command, f"--input={tmp_path}", *given)
    assert "corpus.txt', which is gzip: unpack it" in finished.error()
    assert tiny.tree(tmp_path) == before


def test_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT)
    with pytest.raises(InputError, match="must be readable; received"):
        list(read_documents([str(tmp_path)]))
