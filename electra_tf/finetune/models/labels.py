"""The names of a task's classes."""

from collections.abc import Sequence

from electra_tf.errors import InputError


def label_names(
    labels: Sequence[str] | None, num_classes: int | None
) -> tuple[str, ...]:
    """The classes' names; numbers where only their count is given.

    Raises:
      InputError: neither or contradicting arguments, fewer than two labels,
        or one twice.
    """
    if labels is None and num_classes is None:
        raise InputError("labels or num_classes must be given; received none")
    if labels is None:
        labels = [str(number) for number in range(num_classes)]
    labels = tuple(labels)
    if num_classes not in (None, len(labels)):
        raise InputError(
            f"num_classes must be the number of labels ({len(labels)}); "
            f"received {num_classes}"
        )
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise InputError(
            f"labels must be two or more, all different; received {labels}"
        )
    return labels
