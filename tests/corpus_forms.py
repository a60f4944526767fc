"""One text in every form that --input takes."""

import gzip
import io
import json
import lzma
import pathlib
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

PACK = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}
ROWS_A_GROUP = 3


def json_lines(texts: Iterable[Any], field: str = "text") -> bytes:
    """A line a text, with another key before it."""
    lines = [json.dumps({"n": 1, field: text}) + "\n" for text in texts]
    return "".join(lines).encode()


def parquet(
    texts: list[Any], field: str = "text", kind: Any = None, **options: Any
) -> bytes:
    """A row a text, with another column before it."""
    texts = pa.array(texts, kind)
    table = pa.table({"n": [0] * len(texts), field: texts})
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=ROWS_A_GROUP, **options)
    return file.getvalue()


def all_forms(text: str, field: str = "text") -> dict[str, bytes]:
    """Name's ending -> content; documents are separated by blank lines."""
    texts = text.strip().split("\n\n")
    forms = {"txt": text.encode(), "jsonl": json_lines(texts, field)}
    for ending in list(forms):
        for name, pack in PACK.items():
            forms[f"{ending}.{name}"] = pack(forms[ending])
    return {**forms, "parquet": parquet(texts, field)}


def write_spread(text: str, folder: pathlib.Path, field: str = "text") -> str:
    """Shares a text's documents out to files, each of another form."""
    texts = text.strip().split("\n\n")
    forms = list(all_forms(""))
    folder.mkdir()
    for i, ending in enumerate(forms):
        first, last = (len(texts) * n // len(forms) for n in (i, i + 1))
        part = all_forms("\n\n".join(texts[first:last]), field)[ending]
        (folder / f"{i}.{ending}").write_bytes(part)
    return str(folder)
