"""What others are right about, as they published it."""

import dataclasses
from collections.abc import Collection, Mapping

from electra_tf.errors import require
from electra_tf.finetune.tasks.tables import read_table

SOURCE = "Warstadt et al. 2020 (BLiMP, TACL 8), of all 67,000 pairs"


@dataclasses.dataclass(frozen=True)
class System:
    """A published one.

    Attributes:
      name: as tables show it.
      text: what it learned from, and how many words that has.
      mean: over BLiMP's paradigms, in percent.
    """

    name: str
    text: str
    mean: float


# By the name of their column in files of accuracies a paradigm.
SYSTEMS = {
    "ngram": System("5-gram", "Gigaword, 3.1B", 61.2),
    "lstm": System("LSTM", "Wikipedia, 90M", 69.8),
    "txl": System("Transformer-XL", "WikiText, 103M", 69.6),
    "gpt2": System("GPT-2", "WebText, 40 GB", 83.0),
}


def read_published(
    path: str, paradigms: Collection[str]
) -> dict[str, dict[str, float]]:
    """System -> paradigm -> accuracy in percent, of those paradigms.

    Args:
      path: a table with a column `paradigm` and one for each system, whose
        accuracies are fractions.
      paradigms: that are wanted; each must be there.

    Raises:
      InputError: no such file, a paradigm that is missing, or no fraction.
    """
    table = read_table(path)
    table.require(["paradigm"])
    rows = {row.text("paradigm"): row for row in table.rows}
    missing = [name for name in paradigms if name not in rows]
    rule = f"{path} must have every paradigm of the pairs; one that is missing"
    require(not missing, rule, ", ".join(missing[:1]))
    names = [name for name in table.columns if name != "paradigm"]
    require(bool(names), f"{path} must have a column a system", table.columns)
    found: dict[str, dict[str, float]] = {}
    for name in names:
        for paradigm in paradigms:
            row = rows[paradigm]
            value = row.number(name)
            rule = f"{row.where}: an accuracy must lie between 0 and 1"
            require(0 <= value <= 1, rule, value)
            found.setdefault(name, {})[paradigm] = 100 * value
    return found


def means(by_paradigm: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """System -> the mean over its paradigms."""
    return {
        name: sum(values.values()) / len(values)
        for name, values in by_paradigm.items()
    }
