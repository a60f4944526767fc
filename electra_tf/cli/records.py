"""From text to records: build, verify."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from electra_tf.cli.app import command
from electra_tf.cli.runners import RunnerOptions
from electra_tf.config import (
    GIVEN,
    NOT_NEGATIVE,
    PROBABILITY,
    Options,
    at_least,
    at_most,
    field,
)
from electra_tf.config.pretraining import (
    TOKENIZER_OPTIONS,
    UNICODE_NORMALIZATIONS,
    WORD_BORDERS,
    WORD_SPLITTERS,
    borders_of,
)
from electra_tf.errors import require


@dataclasses.dataclass(frozen=True)
class TextOptions(Options):
    """What text is read, and how.

    Attributes:
      input: files, globs or directories, with commas between: text, where a
        blank line ends a document; JSON lines or Parquet, a document a row;
        packed (gzip, xz, zstd) or not. First bytes tell which, not names.
      tfds_name: in place of --input: a TensorFlow Dataset, such as
        wikipedia/20230601.en; each record is a document, its text the feature
        of --text_field.
      tfds_data_dir: where prepared TensorFlow Datasets lie.
      text_field: where rows of JSON lines and Parquet have their text.
      do_lower_case: whether to lower-case text.
      strip_accents: whether to strip accents (default: as --do_lower_case).
      word_borders: where words end: bert: at white space, punctuation and
        Chinese characters; punctuation: not at the latter; spaces: at white
        space alone, of text that was split already (default: bert, or what
        word_splitter needs). Of WordPiece alone.
      word_splitter: what splits text without spaces, with word_borders=spaces:
        mecab (fugashi with unidic-lite) or sudachi, extra ja.
      unicode_normalization: NFKC makes one of full-width and half-width forms
        and the like, behind lower-casing (default: none for WordPiece, NFKC
        for SentencePiece, where a trained model has its own).
    """

    input: tuple[str, ...] = field(())
    tfds_name: str = field("")
    tfds_data_dir: str = field("")
    text_field: str = field("text", GIVEN)
    do_lower_case: bool = field(True)
    strip_accents: bool | None = field(None)
    word_borders: str | None = field(None, choices=WORD_BORDERS)
    word_splitter: str = field(WORD_SPLITTERS[0], choices=WORD_SPLITTERS)
    unicode_normalization: str | None = field(
        None, choices=UNICODE_NORMALIZATIONS
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            bool(self.input) != bool(self.tfds_name),
            "one of --input and --tfds_name must be given",
            f"--input={','.join(self.input)} --tfds_name={self.tfds_name}",
        )

    def dataset(self) -> Iterator[list[str]]:
        """The documents of --tfds_name: lines of each."""
        from electra_tf.data.text import tfds_documents

        return tfds_documents(
            self.tfds_name,
            self.tfds_data_dir or None,
            text_field=self.text_field,
        )

    @property
    def tokenizer_options(self) -> dict[str, Any]:
        """What decides the ids beside the vocabulary."""
        options = {name: getattr(self, name) for name in TOKENIZER_OPTIONS}
        if self.word_borders is None:
            del options["word_borders"]
        return borders_of(self.word_splitter) | options


@dataclasses.dataclass(frozen=True)
class BuildOptions(TextOptions, RunnerOptions):
    """Which text becomes which records.

    Attributes:
      vocab_file: a WordPiece vocabulary, or a SentencePiece .model (default:
        BERT's uncased English vocabulary).
      max_seq_length: tokens an example, with [CLS] and [SEP].
      eval_fraction: fraction of the documents to hold out.
      seed: of the examples' random choices.
      split_long_lines: split lines that are longer than an example at sentence
        ends, rather than cut them as the authors' builder does.
      output_dir: the records folder to make.
      num_shards: files of the train split.
      num_processes: processes; 0 chooses by the amount of text. The records do
        not depend on it.
      overwrite: replace records that are in --output_dir.
    """

    vocab_file: str = field("")
    max_seq_length: int = field(128, at_least(5))
    eval_fraction: float = field(0.02, PROBABILITY)
    seed: int = field(0, NOT_NEGATIVE)
    split_long_lines: bool = field(True)
    output_dir: str = field("", GIVEN)
    num_shards: int = field(8, at_least(1), at_most(500))
    num_processes: int = field(0, NOT_NEGATIVE, at_most(1024))
    overwrite: bool = field(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.runner:
            return
        require(
            not self.tfds_name,
            "--runner reads files only: --tfds_name must be left out, or "
            "the dataset written out as text",
            self.tfds_name,
        )
        require(
            not self.num_processes,
            "--num_processes must be left to a build without --runner: start "
            "as many Dask workers, or say it in --beam_options, for "
            "DirectRunner --direct_num_workers=N "
            "--direct_running_mode=multi_processing",
            self.num_processes,
        )


@command(BuildOptions)
def build_pretraining_data(options: BuildOptions) -> None:
    """Makes pre-training records of text."""
    # Imported here, so that a mistyped flag is told of at once.
    from electra_tf.data.records.build import build_records
    from electra_tf.data.records.settings import BuildSettings
    from electra_tf.data.text import embedded_vocab_path
    from electra_tf.data.tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(
        options.vocab_file or embedded_vocab_path(), **options.tokenizer_options
    )
    source = options.vocab_file or "BERT's uncased English, by default"
    print(f"vocabulary: {source}, {tokenizer.vocab_size:,} pieces")

    def named(*names: str) -> dict[str, Any]:
        return {name: getattr(options, name) for name in names}

    examples = named(
        "max_seq_length", "seed", "eval_fraction", "split_long_lines"
    )
    output = named("output_dir", "num_shards", "overwrite")
    if options.runner:
        settings = BuildSettings(tokenizer, **examples)
        options.build_records(
            options.input, settings, text_field=options.text_field, **output
        )
        return
    inputs: Any = options.input
    if options.tfds_name:
        inputs = options.dataset()
    build_records(
        inputs,
        tokenizer=tokenizer,
        text_field=options.text_field,
        num_processes=options.num_processes or None,
        **examples,
        **output,
    )


@dataclasses.dataclass(frozen=True)
class VerifyOptions(Options):
    """Which records.

    Attributes:
      data_dir: records folder, or a glob of TFRecords.
    """

    data_dir: str = field("", GIVEN)


@command(VerifyOptions)
def verify_records(options: VerifyOptions) -> None:
    """Reads every record; says what is there, or what is wrong."""
    from electra_tf.data import records

    counts = records.verify_records(options.data_dir)
    found = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    print(f"{options.data_dir}: {found} records, all good")
