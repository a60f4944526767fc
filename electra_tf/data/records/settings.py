"""What the examples of a text depend on, and what is said of them."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from electra_tf.data.records.examples import MIN_TARGET
from electra_tf.data.records.packer import (
    Document,
    DocumentPacker,
    Packed,
    Stats,
)
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.data.tokenizers.word_splitter import check_is_split
from electra_tf.errors import InputError

HEAD = 100
_MIN_DOCUMENTS = 3
_WARN_DROPPED, _WARN_UNKNOWN = 5.0, 2.0  # per cent
_TASK_CHARACTERS = 1 << 20


@dataclasses.dataclass(frozen=True)
class BuildSettings:
    """The settings that decide which examples a text becomes.

    Attributes:
      tokenizer: its settings and vocabulary are kept in the folder.
      max_seq_length: tokens an example, with [CLS] and [SEP].
      seed: of the examples' random choices and of the held-out documents.
      eval_fraction: of the documents, held out: see `HeldOut`.
      split_long_lines: see `ExampleBuilder`.

    Raises:
      InputError: a setting out of range.
    """

    tokenizer: Tokenizer
    max_seq_length: int = 128
    seed: int = 0
    eval_fraction: float = 0.02
    split_long_lines: bool = True

    def __post_init__(self):
        if self.max_seq_length < MIN_TARGET:
            raise InputError(
                f"max_seq_length must be at least {MIN_TARGET}; received "
                f"{self.max_seq_length}"
            )
        if not 0 <= self.eval_fraction < 1:
            raise InputError(
                "eval_fraction must be in [0, 1); received "
                f"{self.eval_fraction}"
            )

    def pack_function(self) -> Callable[[Sequence[Document]], Packed]:
        """A function that makes the records of some documents."""
        return DocumentPacker(
            self.tokenizer,
            self.max_seq_length,
            self.seed,
            self.split_long_lines,
        ).pack

    def tasks(
        self,
        documents: Iterable[Sequence[str]],
        num_documents: int,
        first: int = 0,
    ) -> Iterator[list[Document]]:
        """Documents with their numbers, some megabytes at a time.

        Args:
          documents: lines of each, in order.
          num_documents: of the whole text; HEAD stands for any more.
          first: number of the first of `documents`.

        Raises:
          InputError: the first of them are not split as the tokenizer needs.
        """
        documents = iter(documents)
        head = list(itertools.islice(documents, HEAD))
        check_is_split(self.tokenizer, itertools.chain(*head))
        held_out = HeldOut(
            self.seed, self.eval_fraction, min(num_documents, HEAD)
        )
        task, characters = [], 0
        for number, lines in enumerate(itertools.chain(head, documents), first):
            task.append(Document(number, lines, held_out(number)))
            characters += sum(map(len, lines))
            if characters >= _TASK_CHARACTERS:
                yield task
                task, characters = [], 0
        if task:
            yield task

    def about(self) -> dict[str, Any]:
        """What the manifest tells of them."""
        return {
            "seed": self.seed,
            "eval_fraction": self.eval_fraction,
            "split_long_lines": self.split_long_lines,
        }


class HeldOut:
    """Chooses held-out documents by (seed, number), before they are read.

    Each document has a number in [0, 1) drawn from (seed, its number), and is
    held out if that lies below the fraction. Among the first hundred, or all
    if there are fewer, the lowest ones are taken instead: as many as the
    fraction says, but at least three (of 30 documents or more), or one in
    ten (of fewer), or one (of two or more). So a small corpus has a held-out
    part too.

    Args:
      seed: of the build.
      fraction: in [0, 1); 0 holds out nothing.
      head: how many documents there are, or HEAD if there are more.
    """

    def __init__(self, seed: int, fraction: float, head: int):
        self._seed = seed
        self._fraction = fraction
        self._head = head
        count = 0
        if fraction > 0 and head > 1:
            count = max(
                1, round(fraction * head), min(_MIN_DOCUMENTS, head // 10)
            )
        draws = [self._draw(number) for number in range(head)]
        self._first = set(np.argsort(draws, kind="stable")[:count].tolist())

    def __call__(self, number: int) -> bool:
        """Whether the document of that number is held out."""
        if number < self._head:
            return number in self._first
        return self._draw(number) < self._fraction

    def _draw(self, number: int) -> float:
        # Apart from the stream that builds the document's examples.
        key = np.random.SeedSequence((self._seed % 2**64, number, 1))
        return int(key.generate_state(1, np.uint64)[0]) * 2.0**-64


def summarize(total: Stats, max_seq_length: int) -> dict[str, Any]:
    """The manifest's "stats".

    Raises:
      InputError: there is nothing to train on.
    """
    if not total.train_examples:
        raise InputError(
            "the text must have tokens to train on; received "
            f"{total.bytes} bytes, {total.documents} document(s)"
        )
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


def print_report(stats: Mapping[str, Any], output_dir: str) -> None:
    """Prints the stats on one line."""
    print(
        f"{output_dir}: {stats['documents']:,} documents, "
        f"{stats['examples']:,} examples "
        f"({stats['eval_examples']:,} held out), "
        f"{stats['tokens_kept']:,} tokens kept, "
        f"{stats['dropped_percent']:.2f} % dropped, "
        f"{stats['padding_percent']:.2f} % padding, "
        f"{stats['unknown_percent']:.2f} % [UNK]"
    )


def warn_of_losses(stats: Mapping[str, Any]) -> None:
    """Warns of many dropped or unknown tokens."""
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


def warn_of_replaced(replaced: Mapping[str, int]) -> None:
    """Warns of lines with bytes that are not UTF-8, by file."""
    for file, count in replaced.items():
        logging.warning(
            "%s: %d lines are not UTF-8; bad bytes were left out.", file, count
        )
