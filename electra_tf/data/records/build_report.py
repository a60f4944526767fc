"""What came out of a build: for the manifest, and for who started it."""

from collections.abc import Mapping
from typing import Any

from absl import logging

from electra_tf.data.records.document_packer import Stats
from electra_tf.errors import InputError

_WARN_DROPPED, _WARN_UNKNOWN = 5.0, 2.0  # per cent


def summarize(total: Stats, max_seq_length: int) -> dict[str, Any]:
    """The manifest's "stats".

    Raises:
      InputError: there is nothing to train on.
    """
    if not total.train_examples:
        raise InputError(
            "The text has no tokens to train on. Received: "
            f"{total.bytes} bytes, {total.documents} document(s)."
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
