"""What a user names as text: files, or TensorFlow Datasets, as documents."""

import functools
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import tensorflow as tf

from electra_tf.data.text.cutting import (
    FILES_AT_ONCE,
    TEXT_FIELD,
    TextRange,
    check_file,
    lines_of,
    read_range,
)
from electra_tf.data.text.reading import OnRead
from electra_tf.errors import InputError, require

_ASSETS = Path(__file__).resolve().parents[2] / "assets"


# What is embedded, a sentence a line: language -> file, what it is.
_CORPORA = {
    "en": ("sotu/sotu.txt", "State of the Union addresses, 1961-2021"),
    "ja": ("ja/ja.txt", "simple Japanese"),
}


def embedded_corpus_path(corpus: str = "en") -> str:
    """The file of an embedded corpus, "en" or "ja"."""
    return str(_ASSETS / _CORPORA[corpus][0])


def about_embedded_corpus(corpus: str) -> str:
    """What is in it."""
    return _CORPORA[corpus][1]


def embedded_vocab_path() -> str:
    """BERT's uncased English vocabulary, 30,522 pieces."""
    return str(_ASSETS / "bert_uncased" / "vocab.txt")


def expand_inputs(
    patterns: Sequence[str], text_field: str = TEXT_FIELD
) -> list[str]:
    """Finds the files that patterns stand for.

    Args:
      patterns: files, globs, or directories (all files in and below them, but
        for names that begin with a dot).
      text_field: that rows of JSON lines and Parquet must have.

    Returns:
      the paths, sorted, each once.

    Raises:
      InputError: there is no pattern, one of them matches no file, or a file
        has no documents, as far as that shows at once (zip, PDF, ..., a
        missing field, a damaged end).
    """
    if isinstance(patterns, str):
        raise InputError(
            f"inputs must be a list of paths; received the text {patterns!r}"
        )
    patterns = [pattern.strip() for pattern in patterns]
    if not any(patterns):
        raise InputError(
            "inputs must name a file, a glob or a directory; received nothing"
        )
    files: set[str] = set()
    for pattern in filter(None, patterns):
        found = _matches(pattern)
        if not found:
            raise InputError(
                "each input must match a file; received "
                f"{pattern!r}, which matches none"
            )
        files.update(found)
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        check = functools.partial(check_file, text_field=text_field)
        list(pool.map(check, sorted(files)))
    return sorted(files)


def _matches(pattern: str) -> list[str]:
    # A file may have a name that reads as a glob.
    if tf.io.gfile.exists(pattern):
        if not tf.io.gfile.isdir(pattern):
            return [pattern]
        return _files_below(pattern)
    found: list[str] = []
    for path in tf.io.gfile.glob(pattern):
        # As in shells, "*" does not find hidden names; TensorFlow's does.
        if _is_hidden(os.path.basename(path)) and not _is_hidden(
            os.path.basename(pattern)
        ):
            continue
        found += _files_below(path) if tf.io.gfile.isdir(path) else [path]
    return found


def _files_below(folder: str) -> list[str]:
    return [
        os.path.join(parent, name)
        for parent, _, names in tf.io.gfile.walk(folder)
        for name in names
        if not _is_hidden(os.path.relpath(os.path.join(parent, name), folder))
    ]


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split(os.sep))


def read_documents(
    files: Sequence[str],
    replaced: Counter[str] | None = None,
    text_field: str = TEXT_FIELD,
    on_read: OnRead | None = None,
) -> Iterator[list[str]]:
    """Reads files as documents; see `read_range`.

    Args:
      files: paths, as `expand_inputs` returns them.
      replaced: counts, for each file, the lines with replaced bytes.
      text_field: where rows of JSON lines and Parquet have their text.
      on_read: told the bytes of the files as they are read.
    """
    for file in files:
        whole = TextRange(file, text_field=text_field)
        yield from read_range(whole, replaced, on_read)


def open_tfds(
    name: str,
    features: Sequence[str],
    data_dir: str | None = None,
    split: str = "train",
) -> tuple[Any, Iterable[Mapping[str, Any]]]:
    """A split of a dataset, downloaded where it is not there yet.

    Args:
      name: of the dataset, as "wikipedia/20230601.en" or "mine:1.0.0".
      features: those it must have.
      data_dir: where prepared datasets lie; None means the default place.
      split: of the dataset.

    Returns:
      its `DatasetInfo`, and its records, in file order, as NumPy values.

    Raises:
      InputError: an unknown name or split, a missing feature, no network, or
        a package that is missing.
    """
    try:
        import tensorflow_datasets as tfds  # slow, so only where needed

        builder = tfds.builder(name, data_dir=data_dir)
        _require(name, features, builder.info.features or {})
        builder.download_and_prepare()
        # In file order, whatever the machine.
        records = builder.as_dataset(
            split=split,
            read_config=tfds.ReadConfig(interleave_cycle_length=1),
            shuffle_files=False,
        )
        return builder.info, tfds.as_numpy(records)
    except InputError:
        raise
    except ImportError as e:
        raise InputError(
            "TensorFlow Datasets needs a package that is missing; received no "
            f"{e.name}: pip install {e.name}"
        ) from None
    except Exception as e:  # each layer of tfds raises its own
        reason = (str(e).strip() or type(e).__name__).splitlines()[0]
        reason = reason.rstrip(".")
        raise InputError(
            f"a dataset must be there or be downloaded; received {name!r}, "
            f"which cannot be had: {reason}. Check its name and the network, "
            "or prepare it elsewhere and give --tfds_data_dir"
        ) from None


def tfds_documents(
    name: str,
    data_dir: str | None = None,
    split: str = "train",
    text_field: str = TEXT_FIELD,
) -> Iterator[list[str]]:
    """Yields the lines of each record's text, one document a record.

    Args:
      name, data_dir, split: see `open_tfds`.
      text_field: the feature that is the text.

    Raises:
      InputError: as `open_tfds`; a feature that is no text.
    """
    _, records = open_tfds(name, [text_field], data_dir, split)
    for record in records:
        value = record[text_field]
        rule = f"the feature {text_field!r} of {name} must be a text"
        require(isinstance(value, bytes), rule, type(value).__name__)
        text = value.decode("utf-8", errors="replace")
        if lines := lines_of(text):
            yield lines


def _require(
    name: str, features: Sequence[str], found: Mapping[str, Any]
) -> None:
    if missing := sorted(set(features) - set(found)):
        raise InputError(
            f"the dataset {name} must have the features {list(features)}; "
            f"received {sorted(found)}, without {missing}"
        )
