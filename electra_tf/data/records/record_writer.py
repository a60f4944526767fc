"""Writes the records of a folder in this process."""

from collections.abc import Mapping

from electra_tf.data.records.folder import RecordsFolder
from electra_tf.data.records.shards import ShardWriter
from electra_tf.files import naming_write_errors


class RecordWriter(RecordsFolder):
    """Collects records under temporary names; `finish` makes them a folder.

    Args:
      folder: made if missing.
      num_shards: {split: number of files}.
      overwrite: as for `RecordsFolder`.

    Raises:
      InputError: as for `RecordsFolder`; too many shards. The methods raise
        it for a full disk.
    """

    def __init__(
        self, folder: str, num_shards: Mapping[str, int], overwrite: bool
    ):
        splits = {
            split: ShardWriter(folder, split, count)
            for split, count in num_shards.items()
        }
        super().__init__(folder, splits, overwrite)

    def _open(self) -> None:
        with naming_write_errors(self._folder):
            for shards in self._splits.values():
                shards.open()

    def write(self, split: str, record: bytes) -> None:
        """Appends one serialised example."""
        with naming_write_errors(self._folder):
            self._splits[split].write(record)
