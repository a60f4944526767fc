"""The steps of a build on Apache Beam; each holds one range or one list.

ranges -> documents in each -> number of each range's first document
ranges, first numbers -> parts, counts
parts -> shards            counts -> their sum
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import apache_beam as beam

from electra_tf.data.cluster.counted import Counted
from electra_tf.data.cluster.parts import Part, PartShards, PartWriter
from electra_tf.data.records.build_settings import BuildSettings
from electra_tf.data.text.ranges import TextRange, read_range

NumberedRange = tuple[int, TextRange]
COUNTED = "counted"


class Numbering(NamedTuple):
    """Numbers of each range's first document, and how many there are."""

    firsts: list[int]
    num_documents: int


class BuildShards(beam.PTransform):
    """Text ranges -> shards under temporary names, and a file of counts.

    Args:
      settings: what the examples depend on.
      splits: the shards to write.
      scratch: an existing folder; its files may go once all has run.
      counts_path: where the sum of the counts is written.
    """

    def __init__(
        self,
        settings: BuildSettings,
        splits: Mapping[str, PartShards],
        scratch: str,
        counts_path: str,
    ):
        super().__init__()
        self._settings, self._splits = settings, splits
        self._scratch, self._counts_path = scratch, counts_path

    def expand(self, ranges):
        numbering = (
            ranges
            | "count documents" >> beam.Map(count_documents)
            | "gather counts" >> beam.combiners.ToList()
            | "number documents" >> beam.Map(number_documents)
        )
        packed = ranges | "pack" >> beam.ParDo(
            PackRange(self._settings, self._scratch, list(self._splits)),
            beam.pvalue.AsSingleton(numbering),
        ).with_outputs(COUNTED, main="parts")
        parts = (
            packed.parts
            | "gather parts" >> beam.combiners.ToList()
            | "sort parts" >> beam.Map(sorted)
        )
        shards = [
            (split, shard)
            for split, planned in self._splits.items()
            for shard in range(len(planned.paths))
        ]
        written = (
            ranges.pipeline
            | "shards" >> beam.Create(shards)
            | "spread shards" >> beam.Reshuffle()
            | "write shards"
            >> beam.Map(
                write_shard, self._splits, beam.pvalue.AsSingleton(parts)
            )
        )
        summed = (
            packed[COUNTED]
            | "sum"
            >> beam.CombineGlobally(Sum(self._settings.tokenizer.vocab_size))
            | "write sum" >> beam.Map(Counted.save, self._counts_path)
        )
        return written, summed


def count_documents(element: NumberedRange) -> tuple[int, int]:
    """(number of the range, how many documents are in it)."""
    number, part = element
    return number, sum(1 for _ in read_range(part))


def number_documents(counts: Sequence[tuple[int, int]]) -> Numbering:
    """Numbers documents as reading one range after the other would."""
    sizes = [size for _, size in sorted(counts)]
    *firsts, total = itertools.accumulate(sizes, initial=0)
    return Numbering(firsts, total)


class PackRange(beam.DoFn):
    """A range of the text -> a part, and what was counted."""

    def __init__(
        self, settings: BuildSettings, scratch: str, splits: Sequence[str]
    ):
        super().__init__()
        self._settings, self._scratch = settings, scratch
        self._splits = splits

    def setup(self) -> None:
        self._pack = self._settings.pack_function()

    def process(self, element: NumberedRange, numbering: Numbering):
        number, text = element
        counted = Counted.nothing(self._settings.tokenizer.vocab_size)
        tasks = self._settings.tasks(
            read_range(text, counted.replaced),
            numbering.num_documents,
            numbering.firsts[number],
        )
        with PartWriter(self._scratch, number, self._splits) as writer:
            for task in tasks:
                packed = self._pack(task)
                writer.write(packed)
                counted.token_counts += packed.token_counts
                counted.stats.add(packed.stats)
        yield writer.part()
        yield beam.pvalue.TaggedOutput(COUNTED, counted)


def write_shard(
    element: tuple[str, int],
    splits: Mapping[str, PartShards],
    parts: Sequence[Part],
) -> None:
    """Writes the shard (split, number)."""
    split, shard = element
    splits[split].write(shard, parts)


class Sum(beam.CombineFn):
    """Sums `Counted`s."""

    def __init__(self, vocab_size: int):
        super().__init__()
        self._vocab_size = vocab_size

    def create_accumulator(self) -> Counted:
        return Counted.nothing(self._vocab_size)

    def add_input(self, accumulator: Counted, counted: Counted) -> Counted:
        accumulator.add(counted)
        return accumulator

    def merge_accumulators(self, accumulators) -> Counted:
        total = self.create_accumulator()
        for accumulator in accumulators:
            total.add(accumulator)
        return total

    def extract_output(self, accumulator: Counted) -> Counted:
        return accumulator
