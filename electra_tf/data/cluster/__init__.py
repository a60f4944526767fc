"""A build shared out to workers, whatever runs them, as plain functions.

    count_documents    of each range of the text
    number_documents   all counts -> the number of each range's first document
    pack_range         a range -> a part, and what was counted there
    write_shard        all parts -> a shard; `Counted.add` sums the counts

The parts of a text, in order, hold the records that one process would write,
in its order. Each shard is a run of that sequence, so a worker makes it of
few parts, knowing only how many records each has; and record i of a split is
the same one as in a folder built by one process.
"""

import itertools
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from electra_tf.data.records.format import (
    IndexBuilder,
    RecordIndex,
    load_index,
    save_index,
)
from electra_tf.data.records.packer import Counted, Document, Packed
from electra_tf.data.records.settings import BuildSettings
from electra_tf.data.records.shards import Shards
from electra_tf.data.text.cutting import TextRange, read_range
from electra_tf.files import naming_write_errors

NumberedRange = tuple[int, TextRange]


class Numbering(NamedTuple):
    """Numbers of each range's first document, and how many there are."""

    firsts: list[int]
    num_documents: int


class Part(NamedTuple):
    """The records of one range of the text.

    Attributes:
      number: of the range, in the order of the text.
      paths: {split: file}.
      records: {split: how many}.
    """

    number: int
    paths: dict[str, str]
    records: dict[str, int]


class PartWriter:
    """Writes a part, under names that no other attempt at it has.

    Args:
      folder: an existing folder.
      number: of the range.
      splits: names of the splits.
    """

    def __init__(self, folder: str, number: int, splits: Sequence[str]):
        self._folder = folder
        stem = os.path.join(folder, f"{number:08d}-{uuid.uuid4().hex}")
        self._part = Part(
            number,
            {split: f"{stem}-{split}" for split in splits},
            dict.fromkeys(splits, 0),
        )
        self._files: dict[str, tf.io.TFRecordWriter] = {}

    def __enter__(self) -> "PartWriter":
        with naming_write_errors(self._folder):
            for split, path in self._part.paths.items():
                self._files[split] = tf.io.TFRecordWriter(path)
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        with naming_write_errors(self._folder):
            for file in self._files.values():
                file.close()

    def write(self, packed: Packed) -> None:
        """Appends the records of some documents."""
        with naming_write_errors(self._folder):
            for split, file in self._files.items():
                records = getattr(packed, split)
                self._part.records[split] += len(records)
                for record in records:
                    file.write(record)

    def part(self) -> Part:
        """What was written."""
        return self._part


class PartShards(Shards):
    """The shards of a split, each written by a worker from the parts.

    Args:
      folder, split, num_shards: as for `Shards`.
      scratch: an existing folder for what is not finished, with room for the
        indexes.
    """

    def __init__(self, folder: str, split: str, num_shards: int, scratch: str):
        super().__init__(folder, split, num_shards)
        self._split, self._scratch = split, scratch

    def write(self, shard: int, parts: Sequence[Part]) -> None:
        """Writes one shard and its index; again does no harm.

        Args:
          shard: its number.
          parts: all of them, in the order of their numbers.
        """
        path = self.paths[shard]
        scratch = os.path.join(self._scratch, uuid.uuid4().hex)
        builder = IndexBuilder()
        with naming_write_errors(self._scratch):
            with tf.io.TFRecordWriter(scratch) as file:
                file.flush()  # An empty shard is a file too.
                for record in self._records_of(shard, parts):
                    file.write(record)
                    builder.add(shard, record)
            save_index(scratch + ".index", builder.build(), None)
            _rename(scratch + ".index", self._index_of(shard))
            _rename(scratch, path)

    def close(self) -> RecordIndex:
        """Joins the indexes of all shards."""
        indexes = [
            load_index(self._index_of(shard))[0]
            for shard in range(len(self.paths))
        ]
        return RecordIndex(
            *(
                np.concatenate([getattr(index, column) for index in indexes])
                for column in RecordIndex.__dataclass_fields__
            )
        )

    def _records_of(self, shard: int, parts: Sequence[Part]) -> Iterator[bytes]:
        """The run of records that is the shard's."""
        num_shards, split = len(self.paths), self._split
        counts = [part.records[split] for part in parts]
        first, last = (
            sum(counts) * border // num_shards for border in (shard, shard + 1)
        )
        for part, start in zip(
            parts, itertools.accumulate(counts, initial=0), strict=False
        ):
            skip = max(0, first - start)
            stop = min(part.records[split], last - start)
            if skip < stop:
                records = tf.data.TFRecordDataset(part.paths[split])
                records = records.skip(skip).take(stop - skip)
                yield from records.as_numpy_iterator()

    def _index_of(self, shard: int) -> str:
        name = os.path.basename(self.paths[shard])
        return os.path.join(self._scratch, name + ".index")


def write_shard(element: tuple[PartShards, int], parts: Sequence[Part]) -> None:
    """Writes the shard of that number."""
    shards, number = element
    shards.write(number, parts)


def count_documents(element: NumberedRange) -> tuple[int, int]:
    """(number of the range, how many documents are in it)."""
    number, text = element
    return number, sum(1 for _ in read_range(text))


def number_documents(counts: Sequence[tuple[int, int]]) -> Numbering:
    """Numbers documents as reading one range after the other would."""
    sizes = [size for _, size in sorted(counts)]
    *firsts, total = itertools.accumulate(sizes, initial=0)
    return Numbering(firsts, total)


def pack_range(
    element: NumberedRange,
    numbering: Numbering,
    settings: BuildSettings,
    pack: Callable[[Sequence[Document]], Packed],
    scratch: str,
    splits: Sequence[str],
) -> tuple[Part, Counted]:
    """Writes the records of a range as a part; counts what they hold.

    Args:
      element: the range, with its number.
      numbering: of all ranges.
      settings: what the examples depend on.
      pack: what `settings.pack_function()` gave in this process.
      scratch: an existing folder for the part.
      splits: names of the splits.
    """
    number, text = element
    counted = Counted.nothing(settings.tokenizer.vocab_size)
    tasks = settings.tasks(
        read_range(text, counted.replaced),
        numbering.num_documents,
        numbering.firsts[number],
    )
    with PartWriter(scratch, number, splits) as writer:
        for task in tasks:
            packed = pack(task)
            writer.write(packed)
            counted.add(packed.counted)
    return writer.part(), counted


def _rename(source: str, target: str) -> None:
    tf.io.gfile.rename(source, target, overwrite=True)
