"""What was counted over the text, as a sum that is saved and added to."""

import dataclasses
import json
from collections import Counter

import numpy as np

from electra_tf.data.records.document_packer import Stats
from electra_tf.files import read_json, write_text


@dataclasses.dataclass
class Counted:
    """What was counted over some ranges.

    Attributes:
      token_counts: int64 [V], over the train split.
      stats: over all examples.
      replaced: lines that are not UTF-8, by file.
    """

    token_counts: np.ndarray
    stats: Stats
    replaced: Counter[str]

    @classmethod
    def nothing(cls, vocab_size: int) -> "Counted":
        """The counts of no text."""
        return cls(np.zeros(vocab_size, np.int64), Stats(), Counter())

    def add(self, other: "Counted") -> None:
        """Adds the counts of other ranges."""
        self.token_counts += other.token_counts
        self.stats.add(other.stats)
        self.replaced.update(other.replaced)

    def save(self, path: str) -> None:
        """Writes a file, whole or not at all."""
        text = json.dumps(
            {
                "token_counts": self.token_counts.tolist(),
                "stats": dataclasses.asdict(self.stats),
                "replaced": self.replaced,
            }
        )
        write_text(path, text)

    @classmethod
    def load(cls, path: str) -> "Counted":
        """Reads what `save` wrote."""
        values = read_json(path)
        return cls(
            np.array(values["token_counts"], np.int64),
            Stats(**values["stats"]),
            Counter(values["replaced"]),
        )
