"""Learning a vocabulary of text."""

import dataclasses
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tqdm import tqdm

from electra_tf.cli.app import command
from electra_tf.cli.records import TextOptions
from electra_tf.config import FACTOR, GIVEN, at_least, at_most, field
from electra_tf.errors import require, require_packages

TOKENIZERS = ("wordpiece", "sentencepiece")
_SECONDS_BETWEEN_REPORTS = 5.0


@dataclasses.dataclass(frozen=True)
class VocabOptions(TextOptions):
    """Which text gives which vocabulary.

    Attributes:
      tokenizer: the kind of vocabulary; sentencepiece needs the extra of that
        name, here alone.
      output: the vocabulary file to write; of sentencepiece ".model" is put
        behind it.
      vocab_size: number of pieces, the special ones included.
      character_coverage: of sentencepiece: share of the text's characters
        that are to have a piece (default: 0.9995; 1 for small alphabets).
    """

    tokenizer: str = field(TOKENIZERS[0], choices=TOKENIZERS)
    output: str = field("", GIVEN)
    vocab_size: int = field(30522, at_least(50), at_most(2**24))
    character_coverage: float | None = field(None, FACTOR)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.character_coverage is None or self.tokenizer != TOKENIZERS[0],
            "character_coverage must be left to --tokenizer=sentencepiece",
            f"--tokenizer={self.tokenizer}",
        )

    @property
    def path(self) -> str:
        """Of the file."""
        if self.tokenizer == TOKENIZERS[0]:
            return self.output
        return self.output.removesuffix(".model") + ".model"

    @property
    def tokenizer_options(self) -> dict[str, Any]:
        found = super().tokenizer_options
        if self.character_coverage is not None:
            found["character_coverage"] = self.character_coverage
        return found


@command(VocabOptions)
def train_vocab(options: VocabOptions) -> None:
    """Learns the pieces of text, writes them, prints how they fit."""
    from electra_tf.data.tokenizers import KINDS
    from electra_tf.data.tokenizers.learning import describe_fit
    from electra_tf.files import try_output, write_bytes

    try_output("output", options.path)
    if options.tokenizer != TOKENIZERS[0]:
        require_packages(
            "--tokenizer=sentencepiece needs",
            ("sentencepiece",),
            "sentencepiece",
        )
    replaced: Counter[str] = Counter()
    tokenizer, words = KINDS[options.tokenizer].learn(
        _lines(options, replaced),
        options.vocab_size,
        log=_log,
        **options.tokenizer_options,
    )
    for file, count in replaced.items():
        _log(f"{file}: {count} lines are not UTF-8; bad bytes were left out")
    write_bytes(options.path, tokenizer.content())
    if tokenizer.vocab_size < options.vocab_size:
        _log(
            f"the text has no more than {tokenizer.vocab_size} pieces "
            f"(--vocab_size={options.vocab_size})"
        )
    print(f"{options.path}: {describe_fit(tokenizer, words)}")


def _lines(options: VocabOptions, replaced: Counter[str]) -> Iterator[str]:
    """All lines of the text; a bar says how far it is."""
    from electra_tf.data.text import expand_inputs, read_documents

    sources = {options.tfds_name: options.dataset()}
    if not options.tfds_name:
        files = expand_inputs(options.input, options.text_field)
        field = options.text_field
        sources = {f: read_documents([f], replaced, field) for f in files}
    with tqdm(unit=" lines", mininterval=_SECONDS_BETWEEN_REPORTS) as bar:
        for number, (name, documents) in enumerate(sources.items(), 1):
            bar.set_description(f"{name} ({number} of {len(sources)})")
            for document in documents:
                bar.update(len(document))
                yield from document


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
