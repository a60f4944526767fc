"""Text -> a records folder, in parallel; the bytes tell nothing of that."""

import collections
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from electra_tf.data.records.build_report import (
    print_report,
    summarize,
    warn_of_losses,
    warn_of_replaced,
)
from electra_tf.data.records.build_settings import BuildSettings
from electra_tf.data.records.document_packer import Packed, Stats
from electra_tf.data.records.held_out import HEAD
from electra_tf.data.records.parallel import ordered_map
from electra_tf.data.records.record_writer import RecordWriter
from electra_tf.data.text.files import expand_inputs, read_documents
from electra_tf.data.tokenizers.tokenizer import Tokenizer
from electra_tf.errors import InputError

# Below this much text for each, starting processes costs more than they give.
_BYTES_A_PROCESS = 40 << 20


def build_records(
    inputs: Sequence[str] | Iterable[Sequence[str]],
    output_dir: str,
    tokenizer: Tokenizer,
    max_seq_length: int = 128,
    seed: int = 0,
    eval_fraction: float = 0.02,
    num_shards: int = 8,
    num_processes: int | None = None,
    split_long_lines: bool = True,
    overwrite: bool = False,
    progress: bool = True,
) -> dict[str, Any]:
    """Makes pre-training records of text.

    What is written depends on the text, the tokenizer, max_seq_length, seed,
    eval_fraction, num_shards and split_long_lines alone.

    Args:
      inputs: paths of text files, globs, or directories (documents are
        separated by blank lines); or documents, each a list of lines.
      output_dir: the records folder.
      tokenizer: its settings and vocabulary are kept in the folder.
      max_seq_length: tokens an example, with [CLS] and [SEP].
      seed: of the examples' random choices and of the held-out documents.
      eval_fraction: of the documents, held out: see `HeldOut`.
      num_shards: files of the train split.
      num_processes: None chooses by the amount of text; 1 is this process.
      split_long_lines: see `ExampleBuilder`.
      overwrite: replace records that are in output_dir.
      progress: show a bar, and print what came out.

    Returns:
      The manifest; its "stats" hold what was counted.

    Raises:
      InputError: no text, a folder that cannot be written or holds records,
        a full disk, a setting out of range. Nothing half-written is left.
    """
    settings = BuildSettings(
        tokenizer, max_seq_length, seed, eval_fraction, split_long_lines
    )
    if num_processes is not None and num_processes < 1:
        raise InputError(
            f"num_processes must be at least 1. Received: {num_processes}."
        )
    documents, size = _open_inputs(inputs)
    if num_processes is None:
        num_processes = _processes_for(size)
    shards = {"train": num_shards, "eval": 1}
    with (
        RecordWriter(output_dir, shards, overwrite) as writer,
        _progress_bar(size, progress) as bar,
    ):
        head = list(itertools.islice(documents, HEAD))
        tasks = settings.tasks(itertools.chain(head, documents), len(head))
        packed = ordered_map(settings.pack_function, tasks, num_processes)
        counts, total = _write_all(packed, writer, bar, tokenizer.vocab_size)
        stats = summarize(total, max_seq_length)
        about = {**settings.about(), "stats": stats}
        manifest = writer.finish(tokenizer, max_seq_length, counts, about)
    if progress:
        print_report(stats, output_dir)
    warn_of_losses(stats)
    return manifest


def _progress_bar(size: int | None, wanted: bool) -> tqdm:
    return tqdm(
        total=size,
        desc="building records",
        unit="B",
        unit_scale=True,
        disable=None if wanted else True,  # None: on a terminal alone
    )


def _write_all(
    packed: Iterable[Packed], writer: RecordWriter, bar: tqdm, vocab_size: int
) -> tuple[np.ndarray, Stats]:
    """Writes what the packers give, in order; sums what they counted."""
    counts, total = np.zeros(vocab_size, np.int64), Stats()
    for part in packed:
        for split in ("train", "eval"):
            for record in getattr(part, split):
                writer.write(split, record)
        counts += part.token_counts
        total.add(part.stats)
        bar.update(part.stats.bytes)
    return counts, total


def _open_inputs(
    inputs: Sequence[str] | Iterable[Sequence[str]],
) -> tuple[Iterator[Sequence[str]], int | None]:
    """(documents, bytes of text or None where that is unknown)."""
    if isinstance(inputs, str):
        inputs = [inputs]
    if not isinstance(inputs, Sequence):
        return iter(inputs), None
    if not all(isinstance(item, str) for item in inputs):
        return iter(inputs), sum(
            len(line.encode()) for document in inputs for line in document
        )
    files = expand_inputs(inputs)
    size = sum(tf.io.gfile.stat(file).length for file in files)
    return _read_files(files), size


def _read_files(files: Sequence[str]) -> Iterator[list[str]]:
    replaced = collections.Counter()
    yield from read_documents(files, replaced)
    warn_of_replaced(replaced)


def _processes_for(size: int | None) -> int:
    cores = len(os.sched_getaffinity(0))
    if size is None:
        return cores
    return max(1, min(cores, size // _BYTES_A_PROCESS + 1))
