"""Makes pre-training records of text."""

from collections.abc import Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.errors import InputError

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the command's flags."""
    _define_text_flags()
    _define_example_flags()
    _define_output_flags()


def _define_text_flags() -> None:
    flags.DEFINE_list(
        "input",
        [],
        "Text files, globs or directories, separated by commas. A blank line "
        "ends a document.",
    )
    flags.DEFINE_string(
        "tfds_name",
        None,
        'In place of --input: a TensorFlow Dataset with a feature "text", '
        "such as wikipedia/20230601.en; each record is a document.",
    )
    flags.DEFINE_string(
        "tfds_data_dir", None, "Where prepared TensorFlow Datasets lie."
    )
    flags.DEFINE_string(
        "vocab_file",
        None,
        "WordPiece vocabulary; BERT's uncased English one by default.",
    )
    flags.DEFINE_boolean("do_lower_case", True, "Whether to lower-case text.")
    flags.DEFINE_boolean(
        "strip_accents",
        None,
        "Whether to strip accents; as --do_lower_case where not given.",
    )


def _define_example_flags() -> None:
    flags.DEFINE_integer(
        "max_seq_length", 128, "Tokens an example, with [CLS] and [SEP]."
    )
    flags.DEFINE_float(
        "eval_fraction", 0.02, "Fraction of the documents to hold out."
    )
    flags.DEFINE_integer("seed", 0, "Seed of the examples' random choices.")
    flags.DEFINE_boolean(
        "split_long_lines",
        True,
        "Split lines that are longer than an example at sentence ends, rather "
        "than cut them as the authors' builder does.",
    )


def _define_output_flags() -> None:
    flags.DEFINE_string("output_dir", None, "The records folder to make.")
    flags.DEFINE_integer("num_shards", 8, "Files of the train split.")
    flags.DEFINE_integer(
        "num_processes",
        0,
        "Processes; 0 chooses by the amount of text. The records do not "
        "depend on it.",
    )
    flags.DEFINE_boolean(
        "overwrite", False, "Replace records that are in --output_dir."
    )
    flags.DEFINE_string(
        "runner",
        None,
        "Build on Apache Beam with this runner: DirectRunner, DataflowRunner, "
        "FlinkRunner, SparkRunner, ... The records are the same.",
    )
    flags.DEFINE_string(
        "beam_options",
        "",
        "Further options for Beam, in quotes and separated by spaces: "
        '--beam_options="--project=p --region=r".',
    )


def main(argv: Sequence[str]) -> None:
    """Builds the records."""
    del argv
    # Imported here, so that a mistyped flag is told of at once.
    from electra_tf.data.records.build import build_records
    from electra_tf.data.text.files import embedded_vocab_path
    from electra_tf.data.text.tfds import tfds_documents
    from electra_tf.data.tokenizers.tokenizer import Tokenizer

    if not FLAGS.output_dir:
        raise InputError("--output_dir must be given.")
    if bool(FLAGS.input) == bool(FLAGS.tfds_name):
        raise InputError(
            "One of --input and --tfds_name must be given. Received: --input="
            f"{','.join(FLAGS.input)} --tfds_name={FLAGS.tfds_name or ''}"
        )
    _check_runner()
    tokenizer = Tokenizer.from_file(
        FLAGS.vocab_file or embedded_vocab_path(),
        FLAGS.do_lower_case,
        FLAGS.strip_accents,
    )
    if FLAGS.runner:
        _build_on_beam(tokenizer)
        return
    inputs = FLAGS.input
    if FLAGS.tfds_name:
        inputs = tfds_documents(FLAGS.tfds_name, FLAGS.tfds_data_dir)
    build_records(
        inputs,
        FLAGS.output_dir,
        tokenizer,
        FLAGS.max_seq_length,
        seed=FLAGS.seed,
        eval_fraction=FLAGS.eval_fraction,
        num_shards=FLAGS.num_shards,
        num_processes=FLAGS.num_processes or None,
        split_long_lines=FLAGS.split_long_lines,
        overwrite=FLAGS.overwrite,
    )


def _check_runner() -> None:
    if FLAGS.runner and FLAGS.tfds_name:
        raise InputError(
            "--runner reads text files only. Received: --tfds_name="
            f"{FLAGS.tfds_name}; leave --runner away, or write the dataset "
            "out as text and give --input."
        )
    if FLAGS.runner and FLAGS.num_processes:
        raise InputError(
            "--num_processes is for a build without --runner. Received: "
            f"{FLAGS.num_processes}; say it in --beam_options, for "
            "DirectRunner --direct_num_workers=N "
            "--direct_running_mode=multi_processing."
        )
    if FLAGS.beam_options and not FLAGS.runner:
        raise InputError(
            "--beam_options needs --runner. Received: "
            f"{FLAGS.beam_options!r} without it."
        )


def _build_on_beam(tokenizer) -> None:
    try:
        from electra_tf.data.cluster.beam import build_records_on_beam
    except ImportError as e:
        if (e.name or "").partition(".")[0] != "apache_beam":
            raise
        raise InputError(
            "--runner needs Apache Beam: pip install 'electra_tf[beam]'"
        ) from None
    from electra_tf.data.records.build_settings import BuildSettings

    settings = BuildSettings(
        tokenizer,
        FLAGS.max_seq_length,
        FLAGS.seed,
        FLAGS.eval_fraction,
        FLAGS.split_long_lines,
    )
    build_records_on_beam(
        FLAGS.input,
        FLAGS.output_dir,
        settings,
        FLAGS.runner,
        FLAGS.beam_options,
        FLAGS.num_shards,
        FLAGS.overwrite,
    )


def entry() -> None:
    """The command."""
    run(define_flags, main)
