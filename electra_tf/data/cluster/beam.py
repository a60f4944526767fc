"""Text -> a records folder on Apache Beam: what `build_records` makes."""

import contextlib
import io
import logging
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState

from electra_tf.data.cluster.beam_steps import BuildShards
from electra_tf.data.cluster.counted import Counted
from electra_tf.data.cluster.parts import PartShards, scratch_folder
from electra_tf.data.records.build_report import (
    print_report,
    summarize,
    warn_of_losses,
    warn_of_replaced,
)
from electra_tf.data.records.build_settings import BuildSettings
from electra_tf.data.records.folder import RecordsFolder
from electra_tf.data.records.shards import TEMPORARY
from electra_tf.data.text.files import expand_inputs
from electra_tf.data.text.ranges import TextRange, cut_files
from electra_tf.errors import InputError

_RANGE_BYTES = 32 << 20
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
) -> dict[str, Any]:
    """Makes pre-training records of text files by a Beam pipeline.

    Examples, their order, stats and fingerprint are those of `build_records`
    on the same files. A shard holds a run of that order, where the local
    builder deals examples out in turn.

    Args:
      inputs: paths of text files, globs, or directories, which all workers
        can read.
      output_dir: the records folder, which all workers can write.
      settings: what the examples depend on.
      runner: of Beam, such as "DirectRunner" or "DataflowRunner".
      beam_options: for Beam's PipelineOptions, as on a command line.
      num_shards: files of the train split.
      overwrite: replace records that are in output_dir.
      progress: print what came out.

    Returns:
      The manifest.

    Raises:
      InputError: as `build_records`; a runner or options that Beam refuses.
    """
    options = _parse_options(runner, beam_options)
    ranges = cut_files(expand_inputs(inputs), _RANGE_BYTES)
    scratch = os.path.join(output_dir, "parts" + TEMPORARY)
    splits = {
        "train": PartShards(output_dir, "train", num_shards, scratch),
        "eval": PartShards(output_dir, "eval", 1, scratch),
    }
    counts_path = os.path.join(scratch, "counts.json")
    with (
        RecordsFolder(output_dir, splits, overwrite) as folder,
        scratch_folder(scratch),
    ):
        shards = BuildShards(settings, splits, scratch, counts_path)
        _run_pipeline(options, ranges, shards)
        counted = Counted.load(counts_path)
        stats = summarize(counted.stats, settings.max_seq_length)
        manifest = folder.finish(
            settings.tokenizer,
            settings.max_seq_length,
            counted.token_counts,
            {**settings.about(), "stats": stats},
        )
    if progress:
        print_report(stats, output_dir)
    warn_of_replaced(counted.replaced)
    warn_of_losses(stats)
    return manifest


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
            f"--beam_options must be options of Beam. Received: "
            f"{beam_options!r} ({reason})."
        ) from None
    return options


def _make_pipeline(options: PipelineOptions) -> beam.Pipeline:
    try:
        return beam.Pipeline(options=options)
    except (ValueError, ImportError, AttributeError) as e:
        raise InputError(
            "--runner and --beam_options must be what Beam accepts. "
            f"Received what it refuses: {e}"
        ) from None


def _run_pipeline(
    options: PipelineOptions, ranges: Sequence[TextRange], shards: BuildShards
) -> None:
    with _naming_input_errors():
        pipeline = _make_pipeline(options)
        (
            pipeline
            | "ranges" >> beam.Create(list(enumerate(ranges)))
            | "spread ranges" >> beam.Reshuffle()
            | shards
        )
        state = pipeline.run().wait_until_finish()
    if state != PipelineState.DONE:
        raise InputError(f"The Beam pipeline ended early: {state}.")


@contextlib.contextmanager
def _naming_input_errors() -> Iterator[None]:
    """Raises as it was what a worker raised as an InputError.

    Between processes Beam hands on the text of an error alone.
    """
    try:
        yield
    except InputError as e:
        raise InputError(_own_text(str(e))) from None
    except Exception as e:
        found = re.search(r"^.*\bInputError: (.*)$", str(e), re.MULTILINE)
        if not found:
            raise
        raise InputError(_own_text(found[1])) from None


def _own_text(message: str) -> str:
    """Without the name of the step that Beam puts behind."""
    return re.sub(r" \[while running .*", "", message, flags=re.DOTALL)
