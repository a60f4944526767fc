r"""From text to records and from records to batches, in megabytes a second.

    python benchmarks/data.py --text="books/*.txt"

Building records (the package's builder, all cores, nothing else) beside
tokenising alone, with this package's tokenizers in tf.data on all cores and
with Hugging Face's `tokenizers` (Rust) where it is installed, turn about on
the same text. Then batches of the records just made, as a run of ELECTRA-Small
reads them. The figure beside a rate is the least and the most of the rounds.
"""

import argparse
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable

import psutil
import tensorflow as tf
from turns import check_quiet

from electra_tf.data.records import open_records
from electra_tf.data.records.batches import train_batches
from electra_tf.data.records.build import build_records
from electra_tf.data.text import (
    embedded_vocab_path,
    expand_inputs,
    read_documents,
)
from electra_tf.data.tokenizers import Tokenizer

LINES_AT_ONCE, BATCH, NUM_BATCHES = 512, 16, 2000


def seconds_of(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of the processor, children included."""
    process = psutil.Process()

    def processor() -> float:
        times = process.cpu_times()
        return sum(times[:4])  # user, system, and those of ended children

    begin, used = time.perf_counter(), processor()
    call()
    return time.perf_counter() - begin, processor() - used


def tokenizing(tokenizer: Tokenizer, lines: list[str]) -> Callable[[], None]:
    """Ids of all lines by the package's tokenizer, in tf.data."""
    texts = tf.constant(lines)

    def run() -> None:
        data = tf.data.Dataset.from_tensor_slices(texts).batch(LINES_AT_ONCE)
        data = data.map(tokenizer.tokenize, num_parallel_calls=tf.data.AUTOTUNE)
        for _ in data.map(lambda ids: ids.row_splits[-1]):
            pass

    return run


def rust_tokenizing(vocab_file: str, lines: list[str]) -> Callable[[], None]:
    """The same by `tokenizers`, which spreads a batch over the cores."""
    from tokenizers import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(vocab_file, lowercase=True)
    return lambda: tokenizer.encode_batch(lines, add_special_tokens=False)


def building(files: list[str], tokenizer: Tokenizer) -> Callable[[], None]:
    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            build_records(files, folder, tokenizer, progress=False)

    return run


def batches(files: list[str], tokenizer: Tokenizer) -> float:
    """Sequences a second of a run's input, 16 x 128."""
    with tempfile.TemporaryDirectory() as folder:
        build_records(files, folder, tokenizer, progress=False)
        records = open_records(folder, "train", 128)
        begin = time.perf_counter()
        for _ in train_batches(records, BATCH, 0, 0, NUM_BATCHES):
            pass
        return BATCH * NUM_BATCHES / (time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", required=True)
    parser.add_argument("--vocab_file", default=embedded_vocab_path())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--even_so", action="store_true")
    given = parser.parse_args()
    check_quiet(given.even_so)
    files = expand_inputs(given.text.split(","))
    megabytes = sum(pathlib.Path(file).stat().st_size for file in files) / 1e6
    lines = [line for document in read_documents(files) for line in document]
    tokenizer = Tokenizer.from_file(given.vocab_file)
    works = {
        "text to records": building(files, tokenizer),
        "tokenising alone": tokenizing(tokenizer, lines),
    }
    try:
        works["tokenising alone, tokenizers (Rust)"] = rust_tokenizing(
            given.vocab_file, lines
        )
    except ImportError:
        print("without `tokenizers`: it is not installed")
    found = {name: [] for name in works}
    for _ in range(given.rounds):
        for name, work in works.items():
            found[name].append(seconds_of(work))
    print(f"{megabytes:.1f} MB of text, {given.rounds} rounds\n")
    print(
        "| | MB/s | least … most | cores busy |\n| --- | ---: | ---: | ---: |"
    )
    for name, rounds in found.items():
        rates = [megabytes / seconds for seconds, _ in rounds]
        busy = statistics.median(used / seconds for seconds, used in rounds)
        print(
            f"| {name} | {statistics.median(rates):.1f} | {min(rates):.1f} … "
            f"{max(rates):.1f} | {busy:.1f} |"
        )
    print(
        f"\nbatches of 16 x 128: {batches(files, tokenizer):,.0f} sequences/s"
    )


if __name__ == "__main__":
    main()
