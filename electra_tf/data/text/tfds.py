"""Records and documents from TensorFlow Datasets (wikipedia, glue/sst2)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from electra_tf.errors import InputError

TEXT_FEATURE = "text"


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
            f"TensorFlow Datasets needs the package {e.name}: pip install "
            f"{e.name}."
        ) from None
    except Exception as e:  # each layer of tfds raises its own
        reason = (str(e).strip() or type(e).__name__).splitlines()[0]
        reason = reason.rstrip(".")
        raise InputError(
            f"The dataset {name} cannot be had: {reason}. Check its "
            "name and the network, or prepare it elsewhere and give "
            "--tfds_data_dir."
        ) from None


def tfds_documents(
    name: str, data_dir: str | None = None, split: str = "train"
) -> Iterator[list[str]]:
    """Yields the lines of each record's "text", one document a record.

    Args:
      name, data_dir, split: see `open_tfds`.

    Raises:
      InputError: as `open_tfds`.
    """
    _, records = open_tfds(name, [TEXT_FEATURE], data_dir, split)
    for record in records:
        text = record[TEXT_FEATURE].decode("utf-8", errors="replace")
        lines = [line.strip() for line in text.split("\n")]
        if any(lines):
            yield [line for line in lines if line]


def _require(
    name: str, features: Sequence[str], found: Mapping[str, Any]
) -> None:
    if missing := sorted(set(features) - set(found)):
        raise InputError(
            f"The dataset {name} must have the features {list(features)}. "
            f"Received: {sorted(found)}, without {missing}."
        )
