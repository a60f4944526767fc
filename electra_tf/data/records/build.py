"""Text -> a records folder, in parallel; the bytes tell nothing of that."""

import collections
import concurrent.futures
import functools
import itertools
import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import tensorflow as tf
from tqdm import tqdm

from electra_tf.data.records.folder import RecordsFolder, RecordWriter
from electra_tf.data.records.packer import Counted
from electra_tf.data.records.settings import (
    HEAD,
    BuildSettings,
    print_report,
    summarize,
    warn_of_losses,
    warn_of_replaced,
)
from electra_tf.data.text import expand_inputs, read_documents
from electra_tf.data.text.cutting import TEXT_FIELD
from electra_tf.data.text.reading import OnRead
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.endings import start_child
from electra_tf.errors import InputError, require

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
# Below this much text for each, starting processes costs more than they give.
_BYTES_A_PROCESS = 40 << 20
_WAITING = 2  # tasks a process, so that a corpus is never in memory whole

_function = None  # in a process of the pool: what it calls


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
    text_field: str = TEXT_FIELD,
) -> dict[str, Any]:
    """Makes pre-training records of text.

    What is written depends on the documents, the tokenizer, max_seq_length,
    seed, eval_fraction, num_shards and split_long_lines alone.

    Args:
      inputs: paths of files, globs, or directories, of which `read_range`
        says what their documents are; or documents, each a list of lines.
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
      text_field: where rows of JSON lines and Parquet have their text.

    Returns:
      The manifest; its "stats" hold what was counted.

    Raises:
      InputError: no text, a folder that cannot be written or holds records,
        a full disk, a setting out of range. Nothing half-written is left.
    """
    settings = BuildSettings(
        tokenizer, max_seq_length, seed, eval_fraction, split_long_lines
    )
    holds = num_processes is None or num_processes >= 1
    require(holds, "num_processes must be at least 1", num_processes)
    shards = {"train": num_shards, "eval": 1}
    counted = Counted.nothing(tokenizer.vocab_size)
    read, size = _open_inputs(inputs, text_field)
    processes = num_processes or _processes_for(size)
    with RecordWriter(output_dir, shards, overwrite) as writer:
        with _progress_bar(size, progress) as bar:
            documents = read(replaced=counted.replaced, on_read=bar.update)
            head = list(itertools.islice(documents, HEAD))
            tasks = settings.tasks(itertools.chain(head, documents), len(head))
            packed = ordered_map(settings.pack_function, tasks, processes)
            for part in packed:
                writer.write(part)
                counted.add(part.counted)
        return finish_build(writer, settings, counted, progress)


def finish_build(
    folder: RecordsFolder,
    settings: BuildSettings,
    counted: Counted,
    progress: bool,
) -> dict[str, Any]:
    """Makes what was written a records folder, and tells what came out."""
    stats = summarize(counted.stats, settings.max_seq_length)
    manifest = folder.finish(
        settings.tokenizer,
        settings.max_seq_length,
        counted.token_counts,
        {**settings.about(), "stats": stats},
    )
    if progress:
        print_report(stats, folder.path)
    warn_of_replaced(counted.replaced)
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


def _open_inputs(
    inputs: Sequence[str] | Iterable[Sequence[str]], text_field: str
) -> tuple[Callable[..., Iterator[Sequence[str]]], int | None]:
    """(what reads the documents, bytes to be read or None if unknown)."""
    if isinstance(inputs, str):
        inputs = [inputs]
    if not isinstance(inputs, Sequence):
        return functools.partial(_read_given, inputs), None
    if not all(isinstance(item, str) for item in inputs):
        size = sum(map(_size, inputs))
        return functools.partial(_read_given, inputs), size
    files = expand_inputs(inputs, text_field)
    size = sum(tf.io.gfile.stat(file).length for file in files)
    read = functools.partial(read_documents, files, text_field=text_field)
    return read, size


def _read_given(
    documents: Iterable[Sequence[str]],
    replaced: collections.Counter[str],
    on_read: OnRead,
) -> Iterator[Sequence[str]]:
    for document in documents:
        on_read(_size(document))
        yield document


def _size(document: Sequence[str]) -> int:
    return sum(len(line.encode()) for line in document)


def _processes_for(size: int | None) -> int:
    cores = len(os.sched_getaffinity(0))
    if size is None:
        return cores
    return max(1, min(cores, size // _BYTES_A_PROCESS + 1))


def ordered_map(
    make_function: Callable[[], Callable[[_Task], _Result]],
    tasks: Iterable[_Task],
    num_processes: int,
) -> Iterator[_Result]:
    """Yields function(task) for each task, in order.

    Args:
      make_function: called once in each process (so it must be picklable),
        gives the function.
      tasks: taken only as fast as results are.
      num_processes: 1 runs in this process.

    Raises:
      InputError: a process was killed, as happens where memory runs out;
        anything that a task raises.
    """
    if num_processes == 1:
        yield from map(make_function(), tasks)
        return
    # A forked child of a process that has run TensorFlow hangs.
    pool = concurrent.futures.ProcessPoolExecutor(
        num_processes,
        multiprocessing.get_context("spawn"),
        start_child,
        # Pickled by us, to be unpickled after TensorFlow is set up there.
        (pickle.dumps(functools.partial(_start, pickle.dumps(make_function))),),
    )
    waiting: collections.deque[concurrent.futures.Future[Any]] = (
        collections.deque()
    )
    try:
        for task in tasks:
            waiting.append(pool.submit(_call, task))
            if len(waiting) >= _WAITING * num_processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise InputError(
            "processes must live until their work is done; received the end "
            f"of one of {num_processes} (is memory short?): try a smaller "
            "--num_processes"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start(pickled_make_function: bytes) -> None:
    global _function
    # One core a process, and no GPU: the parent may need it.
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    _function = pickle.loads(pickled_make_function)()


def _call(task):
    return _function(task)
