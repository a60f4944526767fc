"""What the examples of a text depend on, whoever builds them."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from electra_tf.data.records.document_packer import (
    Document,
    DocumentPacker,
    Packed,
)
from electra_tf.data.records.examples import MIN_TARGET
from electra_tf.data.records.held_out import HEAD, HeldOut
from electra_tf.data.tokenizers.tokenizer import Tokenizer
from electra_tf.errors import InputError

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

    def __post_init__(self) -> None:
        if self.max_seq_length < MIN_TARGET:
            raise InputError(
                f"max_seq_length must be at least {MIN_TARGET}. "
                f"Received: {self.max_seq_length}."
            )
        if not 0 <= self.eval_fraction < 1:
            raise InputError(
                "eval_fraction must be in [0, 1). "
                f"Received: {self.eval_fraction}."
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
        """
        held_out = HeldOut(
            self.seed, self.eval_fraction, min(num_documents, HEAD)
        )
        task, characters = [], 0
        for number, lines in enumerate(documents, first):
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
