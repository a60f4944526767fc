"""Text -> a records folder, in parallel; the bytes tell nothing of that."""

import collections
import functools
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging
from tqdm import tqdm

from electra_tf.data.corpus import expand_inputs, read_documents
from electra_tf.data.document_packer import (
    Document,
    DocumentPacker,
    Packed,
    Stats,
)
from electra_tf.data.examples import MIN_TARGET
from electra_tf.data.held_out import HEAD, HeldOut
from electra_tf.data.parallel import ordered_map
from electra_tf.data.record_writer import RecordWriter
from electra_tf.data.tokenizer import Tokenizer
from electra_tf.errors import InputError

_TASK_CHARACTERS = 1 << 20
# Below this much text for each, starting processes costs more than they give.
_BYTES_A_PROCESS = 40 << 20
_WARN_DROPPED, _WARN_UNKNOWN = 5.0, 2.0  # per cent


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
    _check(max_seq_length, eval_fraction, num_processes)
    documents, size = _open_inputs(inputs)
    if num_processes is None:
        num_processes = _processes_for(size)
    make_packer = functools.partial(
        _make_packer, tokenizer, max_seq_length, seed, split_long_lines
    )
    shards = {"train": num_shards, "eval": 1}
    with (
        RecordWriter(output_dir, shards, overwrite) as writer,
        tqdm(
            total=size,
            desc="building records",
            unit="B",
            unit_scale=True,
            disable=None if progress else True,
        ) as bar,
    ):
        tasks = _tasks(documents, seed, eval_fraction)
        packed = ordered_map(make_packer, tasks, num_processes)
        counts, total = _write_all(packed, writer, bar, tokenizer.vocab_size)
        stats = _summary(total, max_seq_length)
        about = {
            "seed": seed,
            "eval_fraction": eval_fraction,
            "split_long_lines": split_long_lines,
            "stats": stats,
        }
        manifest = writer.finish(tokenizer, max_seq_length, counts, about)
    _report(stats, output_dir, progress)
    return manifest


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
    if not total.train_examples:
        raise InputError(
            "The text has no tokens to train on. Received: "
            f"{total.bytes} bytes, {total.documents} document(s)."
        )
    return counts, total


def _make_packer(*arguments: Any):
    return DocumentPacker(*arguments).pack


def _check(
    max_seq_length: int, eval_fraction: float, num_processes: int | None
) -> None:
    if max_seq_length < MIN_TARGET:
        raise InputError(
            f"max_seq_length must be at least {MIN_TARGET}. "
            f"Received: {max_seq_length}."
        )
    if not 0 <= eval_fraction < 1:
        raise InputError(
            f"eval_fraction must be in [0, 1). Received: {eval_fraction}."
        )
    if num_processes is not None and num_processes < 1:
        raise InputError(
            f"num_processes must be at least 1. Received: {num_processes}."
        )


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
    for file, count in replaced.items():
        logging.warning(
            "%s: %d lines are not UTF-8; bad bytes were left out.", file, count
        )


def _processes_for(size: int | None) -> int:
    cores = len(os.sched_getaffinity(0))
    if size is None:
        return cores
    return max(1, min(cores, size // _BYTES_A_PROCESS + 1))


def _tasks(
    documents: Iterator[Sequence[str]], seed: int, eval_fraction: float
) -> Iterator[list[Document]]:
    """Documents with their numbers, some megabytes at a time."""
    head = list(itertools.islice(documents, HEAD))
    held_out = HeldOut(seed, eval_fraction, len(head))
    task, characters = [], 0
    for number, lines in enumerate(itertools.chain(head, documents)):
        task.append(Document(number, lines, held_out(number)))
        characters += sum(map(len, lines))
        if characters >= _TASK_CHARACTERS:
            yield task
            task, characters = [], 0
    if task:
        yield task


def _summary(total: Stats, max_seq_length: int) -> dict[str, Any]:
    """What the manifest tells of the build."""
    examples = total.train_examples + total.eval_examples
    dropped = total.tokens_seen - total.tokens_kept

    def percent(part: int, whole: int) -> float:
        return round(100 * part / max(whole, 1), 3)

    return {
        "bytes": total.bytes,
        "documents": total.documents,
        "examples": examples,
        "train_examples": total.train_examples,
        "eval_examples": total.eval_examples,
        "tokens_seen": total.tokens_seen,
        "tokens_kept": total.tokens_kept,
        "tokens_dropped": dropped,
        "dropped_percent": percent(dropped, total.tokens_seen),
        "padding_percent": percent(total.padding, examples * max_seq_length),
        "unknown_percent": percent(total.unknown, total.tokens_seen),
    }


def _report(stats: dict[str, Any], output_dir: str, progress: bool) -> None:
    if progress:
        print(
            f"{output_dir}: {stats['documents']:,} documents, "
            f"{stats['examples']:,} examples "
            f"({stats['eval_examples']:,} held out), "
            f"{stats['tokens_kept']:,} tokens kept, "
            f"{stats['dropped_percent']:.2f} % dropped, "
            f"{stats['padding_percent']:.2f} % padding, "
            f"{stats['unknown_percent']:.2f} % [UNK]"
        )
    if stats["dropped_percent"] > _WARN_DROPPED:
        logging.warning(
            "%.1f %% of the tokens were dropped, since lines are longer than "
            "an example: --split_long_lines keeps them.",
            stats["dropped_percent"],
        )
    if stats["unknown_percent"] > _WARN_UNKNOWN:
        logging.warning(
            "%.1f %% of the tokens are [UNK]: is the vocabulary for this "
            "language, and are --do_lower_case and --strip_accents right?",
            stats["unknown_percent"],
        )
