"""Documents from TensorFlow Datasets, such as wikipedia/20230601.en."""

from collections.abc import Iterator

from electra_tf.errors import InputError

TEXT_FEATURE = "text"


def tfds_documents(
    name: str, data_dir: str | None = None, split: str = "train"
) -> Iterator[list[str]]:
    """Yields the lines of each record's "text", one document a record.

    Args:
      name: of the dataset, as "wikipedia/20230601.en" or "mine:1.0.0".
      data_dir: where prepared datasets lie; None means the default place.
        What is missing there is downloaded.
      split: of the dataset.

    Raises:
      InputError: an unknown name, no network, no feature "text", or a package
        that is missing.
    """
    try:
        import tensorflow_datasets as tfds  # slow, so only where needed

        builder = tfds.builder(name, data_dir=data_dir)
        if TEXT_FEATURE not in (builder.info.features or {}):
            raise InputError(
                f"--tfds_name must be a dataset with a feature "
                f"{TEXT_FEATURE!r}. Received: {name}, which has "
                f"{sorted(builder.info.features or {})}."
            )
        builder.download_and_prepare()
        # In file order, whatever the machine.
        records = builder.as_dataset(
            split=split,
            read_config=tfds.ReadConfig(interleave_cycle_length=1),
            shuffle_files=False,
        )
    except InputError:
        raise
    except ImportError as e:
        raise InputError(
            f"--tfds_name needs the package {e.name}: pip install {e.name}."
        ) from None
    except Exception as e:  # each layer of tfds raises its own
        reason = (str(e).strip() or type(e).__name__).splitlines()[0]
        reason = reason.rstrip(".")
        raise InputError(
            f"The dataset {name} (--tfds_name) cannot be had: {reason}. Check "
            "its name and the network, or prepare it elsewhere and give "
            "--tfds_data_dir."
        ) from None
    for record in tfds.as_numpy(records):
        text = record[TEXT_FEATURE].decode("utf-8", errors="replace")
        lines = [line.strip() for line in text.split("\n")]
        if any(lines):
            yield [line for line in lines if line]
