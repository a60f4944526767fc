"""Models that learn from two rows of ids an example, each read by itself."""

import abc
from collections.abc import Mapping, Sequence

import tensorflow as tf

from electra_tf.finetune.models import TaskModel
from electra_tf.finetune.models.given import Inputs

# What the inputs of a second row are called: other_input_ids, ...
OTHER = "other_"


class TwoSided(TaskModel):
    """Reads one row an example, or two: `input_ids`, and `other_input_ids`.

    Of strings the second row comes from one column more, see `text_sides`.
    """

    @abc.abstractmethod
    def text_sides(
        self, texts: Mapping[str, tf.Tensor]
    ) -> Sequence[Mapping[str, tf.Tensor]]:
        """Columns of strings as those of one row, or of two."""

    def sides(
        self, inputs: Inputs, training: bool
    ) -> list[tuple[dict[str, tf.Tensor], tf.Tensor]]:
        """(ids and mask [B, L], states [B, L, H]) of one row, or of two."""
        rows = map(self.features, self._rows(inputs))
        return [(row, self.states(row, training)) for row in rows]

    def _rows(self, inputs: Inputs) -> Sequence[Inputs]:
        if not isinstance(inputs, Mapping):
            return [inputs]
        if "input_ids" not in inputs:
            return self.text_sides(inputs)
        first = {n: x for n, x in inputs.items() if not n.startswith(OTHER)}
        second = {
            n.removeprefix(OTHER): x
            for n, x in inputs.items()
            if n.startswith(OTHER)
        }
        return [first, second] if second else [first]

    def _checked_ids(self, x: Inputs) -> dict[str, tf.Tensor]:
        check = super()._checked_ids
        return joined_sides(list(map(check, self._rows(x))))

    def _ids(self, x: Inputs) -> Inputs:
        make = super()._ids
        return joined_sides(list(map(make, self._rows(x))))


def joined_sides(
    rows: Sequence[Mapping[str, tf.Tensor]],
) -> dict[str, tf.Tensor]:
    """Ids of one row, or of two, under the names that the model takes."""
    joined = dict(rows[0])
    for row in rows[1:]:
        joined |= {OTHER + name: x for name, x in row.items()}
    return joined
