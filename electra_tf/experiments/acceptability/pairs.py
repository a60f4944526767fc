"""Minimal pairs: an acceptable text and one that differs in little."""

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping

import tensorflow as tf

from electra_tf.config.scoring import SuiteOptions
from electra_tf.data.text import open_tfds
from electra_tf.errors import InputError, require
from electra_tf.finetune.tasks.lines import read_lines
from electra_tf.finetune.tasks.tables import (
    json_records,
    read_table,
)

_TABLES = (".tsv", ".csv", ".jsonl")
# Ours -> BLiMP's, in its own files and in TensorFlow Datasets.
_BLIMP = {
    "paradigm": "UID",
    "term": "linguistics_term",
    "good": "sentence_good",
    "bad": "sentence_bad",
}


@dataclasses.dataclass(frozen=True)
class Pair:
    """One of them.

    Attributes:
      paradigm: the contrast that it shows.
      term: the phenomenon that the paradigm belongs to; "" for none.
      good: the acceptable text.
      bad: the other.
    """

    paradigm: str
    term: str
    good: str
    bad: str


def read_pairs(suite: SuiteOptions) -> list[Pair]:
    """The pairs of a suite, in the order of its files.

    Raises:
      InputError: no such file or dataset, one without pairs, a row that is
        none (its line is named), lines of an odd number, or a paradigm under
        two terms.
    """
    path = suite.input
    if not path:
        pairs = list(_of_tfds(suite.tfds_data_dir or None))
    elif tf.io.gfile.isdir(path):
        pairs = list(_of_folder(path))
    else:
        pairs = list(_of_file(path))
    require(bool(pairs), f"{path!r} must hold pairs", "none")
    terms: dict[str, str] = {}
    for pair in pairs:
        term = terms.setdefault(pair.paradigm, pair.term)
        rule = f"paradigm {pair.paradigm} must have one term, {term!r}"
        require(term == pair.term, rule, pair.term)
    return pairs


def _of_tfds(data_dir: str | None) -> Iterator[Pair]:
    for paradigm in tfds_paradigms():
        name = f"blimp/{paradigm}"
        _, records = open_tfds(name, list(_BLIMP.values()), data_dir)
        for record in records:
            texts = {n: record[n].decode("utf-8") for n in _BLIMP.values()}
            yield _pair(texts, name)


def tfds_paradigms() -> list[str]:
    """BLiMP's paradigms, as TensorFlow Datasets has them."""
    import tensorflow_datasets as tfds  # slow, so only where needed

    return [each.name for each in tfds.builder_cls("blimp").BUILDER_CONFIGS]


def _of_folder(folder: str) -> Iterator[Pair]:
    names = sorted(tf.io.gfile.listdir(folder))
    names = [name for name in names if name.endswith(".jsonl")]
    require(bool(names), "a folder of BLiMP must hold .jsonl files", folder)
    for name in names:
        for where, record in json_records(os.path.join(folder, name)):
            yield _pair(record, where)


def _pair(record: Mapping[str, object], where: str) -> Pair:
    """Of an object with BLiMP's names."""
    values = {}
    for name, key in _BLIMP.items():
        value = record.get(key)
        good = isinstance(value, str) and bool(value.strip())
        require(good, f"{where}: {key} must be a text", value)
        values[name] = str(value)
    return Pair(**values)


def _of_file(path: str) -> Iterator[Pair]:
    lines = read_lines(path)
    require(bool(lines), f"{path!r} must hold pairs", "an empty file")
    ending = os.path.splitext(path.removesuffix(".gz"))[1]
    if ending not in _TABLES and "\t" not in lines[0]:
        yield from _in_turn(path, lines)
        return
    table = read_table(path)
    if set(_BLIMP.values()) <= set(table.columns):
        for row in table.rows:
            yield _pair(row.values, row.where)
        return
    table.require(["good", "bad"])
    names = [n for n in ("paradigm", "term") if n in table.columns]
    table.require(names)
    only = {"paradigm": _stem(path), "term": ""}
    for row in table.rows:
        texts = {name: row.text(name) for name in (*names, "good", "bad")}
        yield Pair(**{**only, **texts})


def _in_turn(path: str, lines: list[str]) -> Iterator[Pair]:
    """Of a file whose odd lines are wrong and whose even lines are right."""
    for number, line in enumerate(lines, 1):
        rule = f"{path}, line {number}: must be a text"
        require(bool(line.strip()), rule, line)
    if len(lines) % 2:
        raise InputError(
            f"{path!r} must have a right line after each wrong one (or be a "
            f"table with the columns paradigm, good, bad); received "
            f"{len(lines)} lines"
        )
    for bad, good in zip(lines[::2], lines[1::2], strict=True):
        yield Pair(_stem(path), "", good, bad)


def _stem(path: str) -> str:
    return pathlib.PurePath(path.removesuffix(".gz")).stem
