"""Text -> a records folder on Apache Beam: what `build_records` makes."""

import contextlib
import functools
import io
import logging
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    PipelineOptions,
    StandardOptions,
)
from apache_beam.runners.runner import PipelineState

from electra_tf.data.cluster import (
    NumberedRange,
    Numbering,
    count_documents,
    number_documents,
    pack_range,
    write_shard,
)
from electra_tf.data.cluster.shared import (
    SharedBuild,
    numbered_ranges,
    shared_build,
)
from electra_tf.data.records.build import finish_build
from electra_tf.data.records.packer import Counted
from electra_tf.data.records.settings import BuildSettings
from electra_tf.data.text.cutting import TEXT_FIELD
from electra_tf.errors import InputError, require

COUNTED = "counted"
# Beam's "DirectRunner" would download the Prism runner's program.
_DIRECT_RUNNERS = ("direct", "directrunner")
_IN_PROCESS_RUNNER = "FnApiRunner"
# It logs what a step raises, with the way there; we raise it as well.
logging.getLogger("apache_beam.runners.worker.bundle_processor").setLevel(
    logging.CRITICAL
)


def build_records_on_beam(
    inputs: Sequence[str],
    output_dir: str,
    settings: BuildSettings,
    runner: str,
    beam_options: str = "",
    num_shards: int = 8,
    overwrite: bool = False,
    progress: bool = True,
    text_field: str = TEXT_FIELD,
) -> dict[str, Any]:
    """Makes pre-training records of text files by a Beam pipeline.

    Examples, their order, stats and fingerprint are those of `build_records`
    on the same files. A shard holds a run of that order, where the local
    builder deals examples out in turn.

    Args:
      inputs: paths of files, globs, or directories, which all workers
        can read.
      output_dir: the records folder, which all workers can write.
      settings: what the examples depend on.
      runner: of Beam, such as "DirectRunner" or "DataflowRunner".
      beam_options: for Beam's PipelineOptions, as on a command line.
      num_shards: files of the train split.
      overwrite: replace records that are in output_dir.
      progress: print what came out.
      text_field: where rows of JSON lines and Parquet have their text.

    Returns:
      The manifest.

    Raises:
      InputError: as `build_records`; a runner or options that Beam refuses.
    """
    options = _parse_options(runner, beam_options)
    ranges = numbered_ranges(inputs, text_field)
    with shared_build(output_dir, num_shards, overwrite) as build:
        counts_path = os.path.join(build.scratch, "counts.json")
        shards = BuildShards(settings, build, counts_path)
        _run_pipeline(options, ranges, shards)
        return finish_build(
            build.folder, settings, Counted.load(counts_path), progress
        )


class BuildShards(beam.PTransform):
    """Text ranges -> shards under temporary names, and a file of counts.

    Args:
      settings: what the examples depend on.
      build: the shards to write; files in its scratch folder may go once all
        has run.
      counts_path: where the sum of the counts is written.
    """

    def __init__(
        self, settings: BuildSettings, build: SharedBuild, counts_path: str
    ):
        super().__init__()
        self._settings, self._shards = settings, build.shards()
        self._scratch, self._splits = build.scratch, list(build.splits)
        self._counts_path = counts_path

    def expand(self, ranges):
        numbering = (
            ranges
            | "count documents" >> beam.Map(count_documents)
            | "gather counts" >> beam.combiners.ToList()
            | "number documents" >> beam.Map(number_documents)
        )
        packed = ranges | "pack" >> beam.ParDo(
            PackRange(self._settings, self._scratch, self._splits),
            beam.pvalue.AsSingleton(numbering),
        ).with_outputs(COUNTED, main="parts")
        parts = (
            packed.parts
            | "gather parts" >> beam.combiners.ToList()
            | "sort parts" >> beam.Map(sorted)
        )
        written = (
            ranges.pipeline
            | "shards" >> beam.Create(self._shards)
            | "spread shards" >> beam.Reshuffle()
            | "write shards"
            >> beam.Map(write_shard, beam.pvalue.AsSingleton(parts))
        )
        summed = (
            packed[COUNTED]
            | "sum"
            >> beam.CombineGlobally(
                sum_counted, self._settings.tokenizer.vocab_size
            )
            | "write sum" >> beam.Map(Counted.save, self._counts_path)
        )
        return written, summed


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
        part, counted = pack_range(
            element,
            numbering,
            self._settings,
            self._pack,
            self._scratch,
            self._splits,
        )
        yield part
        yield beam.pvalue.TaggedOutput(COUNTED, counted)


def sum_counted(all_counted: Iterable[Counted], vocab_size: int) -> Counted:
    """The sum, of counts or of sums of them."""
    return functools.reduce(
        Counted.add, all_counted, Counted.nothing(vocab_size)
    )


def _parse_options(runner: str, beam_options: str) -> PipelineOptions:
    if runner.lower() in _DIRECT_RUNNERS:
        runner = _IN_PROCESS_RUNNER
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            options = PipelineOptions(
                [f"--runner={runner}", *shlex.split(beam_options)]
            )
            options.get_all_options()
    except (SystemExit, ValueError) as e:
        reason = (printed.getvalue() or str(e)).strip().splitlines()[-1]
        raise InputError(
            "--beam_options must be options of Beam; received "
            f"{beam_options!r} ({reason})"
        ) from None
    named = options.view_as(StandardOptions).runner
    require(
        not named.lower().endswith("daskrunner"),
        "--runner must not be Beam's DaskRunner, which cannot run this build: "
        "for Dask give --runner=dask and --dask_scheduler",
        named,
    )
    return options


def _make_pipeline(options: PipelineOptions) -> beam.Pipeline:
    try:
        return beam.Pipeline(options=options)
    except (ValueError, ImportError, AttributeError) as e:
        raise InputError(
            "--runner and --beam_options must be what Beam accepts; received "
            f"what it refuses: {e}"
        ) from None


def _run_pipeline(
    options: PipelineOptions,
    ranges: Sequence[NumberedRange],
    shards: BuildShards,
) -> None:
    with _naming_input_errors():
        pipeline = _make_pipeline(options)
        (
            pipeline
            | "ranges" >> beam.Create(ranges)
            | "spread ranges" >> beam.Reshuffle()
            | shards
        )
        state = pipeline.run().wait_until_finish()
    if state != PipelineState.DONE:
        raise InputError(f"the pipeline must run to its end; received {state}")


@contextlib.contextmanager
def _naming_input_errors() -> Iterator[None]:
    """Raises as it was what a worker raised as an InputError.

    Between processes Beam hands on the text of an error alone, and puts the
    name of the step behind.
    """
    try:
        yield
    except Exception as e:
        text = str(e)
        if not isinstance(e, InputError):
            found = re.search(r"^.*\bInputError: (.*)$", text, re.MULTILINE)
            if not found:
                raise
            text = found[1]
        text = re.sub(r" \[while running .*", "", text, flags=re.DOTALL)
        raise InputError(text) from None
