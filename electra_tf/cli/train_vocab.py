"""Learns a WordPiece vocabulary of text files."""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from absl import flags

if TYPE_CHECKING:
    from electra_tf.data.tokenizers.learning import Coverage

FLAGS = flags.FLAGS
_SECONDS_BETWEEN_REPORTS = 5.0


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_list(
        "input",
        None,
        "text files, globs or directories, with commas between",
        required=True,
    )
    flags.DEFINE_string(
        "output", None, "the vocabulary file to write", required=True
    )
    flags.DEFINE_integer(
        "vocab_size", 30522, "number of pieces, the special ones included"
    )
    flags.DEFINE_boolean("do_lower_case", True, "whether to lower-case text")
    flags.DEFINE_boolean(
        "strip_accents",
        None,
        "whether to strip accents; where not given, as --do_lower_case",
    )


def main(argv: list[str]) -> None:
    """Counts words, learns the pieces, writes them, prints how they fit."""
    del argv
    import tensorflow as tf

    from electra_tf.data.text.files import expand_inputs
    from electra_tf.data.tokenizers import learning
    from electra_tf.data.tokenizers.vocab_file import save_vocab
    from electra_tf.errors import InputError

    if not FLAGS.output:
        raise InputError("--output must name a file. Received: nothing.")
    learning.check_vocab_size(FLAGS.vocab_size)
    files = expand_inputs(FLAGS.input)
    replaced: Counter[str] = Counter()
    words = learning.count_words(
        _lines(files, replaced), FLAGS.do_lower_case, FLAGS.strip_accents
    )
    for file, count in replaced.items():
        _log(f"{file}: {count} lines are not UTF-8; bad bytes were left out")
    _log(f"{words.total()} words, {len(words)} different ones")
    vocab = learning.learn_wordpiece(words, FLAGS.vocab_size, _log)
    tf.io.gfile.makedirs(os.path.dirname(FLAGS.output) or ".")
    save_vocab(vocab, FLAGS.output)
    _print_result(vocab, learning.measure_coverage(vocab, words))


def _lines(files: list[str], replaced: Counter[str]) -> Iterator[str]:
    """All lines of the files; says from time to time how far it is."""
    from electra_tf.data.text.files import read_documents

    reported = time.monotonic()
    for number, file in enumerate(files, 1):
        _log(f"reading {file} ({number} of {len(files)})")
        num_lines = 0
        for document in read_documents([file], replaced):
            num_lines += len(document)
            yield from document
            if time.monotonic() - reported > _SECONDS_BETWEEN_REPORTS:
                reported = time.monotonic()
                _log(f"  {num_lines} lines")


def _print_result(vocab: list[str], fit: "Coverage") -> None:
    if len(vocab) < FLAGS.vocab_size:
        _log(
            f"the text has no more than {len(vocab)} pieces "
            f"(--vocab_size={FLAGS.vocab_size})"
        )
    print(
        f"{FLAGS.output}: {len(vocab)} pieces; "
        f"{100 * (1 - fit.num_unknown / fit.num_words):.3f} % of the words "
        f"are covered, at {fit.num_pieces / fit.num_words:.3f} pieces a word"
    )


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def entry() -> None:
    """The console command `electra-train-vocab`."""
    from electra_tf.cli.app import run

    run(define_flags, main)
