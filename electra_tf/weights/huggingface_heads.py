"""Fine-tuned heads as Hugging Face's classes have them.

A classifier has a dense layer before its output, a tagger is one Dense, and
answers are two columns of one Dense, the start and the end.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from electra_tf.errors import require
from electra_tf.weights.huggingface_config import (
    MULTI_LABEL,
    HuggingFaceConfig,
)
from electra_tf.weights.names import Names
from electra_tf.weights.record import Head

_TEXTS = [
    Names(f"task_head/{ours}", f"classifier.{theirs}")
    for ours, theirs in (
        ("dense/kernel", "dense.weight"),
        ("dense/bias", "dense.bias"),
        ("out_proj/kernel", "out_proj.weight"),
        ("out_proj/bias", "out_proj.bias"),
    )
]
_WORDS = [
    Names("task_head/kernel", "classifier.weight"),
    Names("task_head/bias", "classifier.bias"),
]
_ONE_TO_ONE = {"classifier": _TEXTS, "regressor": _TEXTS, "tagger": _WORDS}
_ANSWERS = ("start", "end")  # rows of qa_outputs, in turn
_QA_WEIGHT, _QA_BIAS = "qa_outputs.weight", "qa_outputs.bias"
FINETUNED = (*_ONE_TO_ONE, "span_qa")


def head_tensors(kind: str) -> list[str]:
    """The canonical names of a fine-tuned head's tensors."""
    if kind == "span_qa":
        return [_QA_WEIGHT, _QA_BIAS]
    return [name.huggingface for name in _ONE_TO_ONE.get(kind, ())]


def read_head(
    theirs: HuggingFaceConfig, kind: str, read: Callable[[str], np.ndarray]
) -> Head | None:
    """The head, or None for a pre-trained model.

    Args:
      theirs: what config.json tells.
      kind: "tagger", ...; a classifier of one label is a regressor.
      read: canonical name -> array as PyTorch has it, kernels [out, in].
    """
    if kind not in FINETUNED:
        return None
    if kind == "span_qa":
        arrays = {}
        for row, part in enumerate(_ANSWERS):
            kernel = read(_QA_WEIGHT)[row][:, None]  # [H, 1]
            arrays[f"task_head/{part}/kernel"] = kernel
            arrays[f"task_head/{part}/bias"] = read(_QA_BIAS)[row : row + 1]
    else:
        arrays = {
            name.ours: name.from_huggingface(read(name.huggingface))
            for name in _ONE_TO_ONE[kind]
        }
    if kind == "classifier" and len(theirs.labels) == 1:
        kind = "regressor"
    return Head(
        kind,
        arrays,
        style="huggingface",
        multi_label=theirs.multi_label and kind == "classifier",
        dropout=theirs.head_dropout,
    )


def written_head(head: Head) -> dict[str, np.ndarray]:
    """A head's tensors by canonical name, as PyTorch has them.

    Raises:
      InputError: a head that Hugging Face's classes do not have.
    """
    is_theirs = head.style == "huggingface" or head.kind == "tagger"
    rule = "a head for Hugging Face must be of head=huggingface"
    require(is_theirs, rule, f"a {head.kind} of head={head.style}")
    if head.kind == "span_qa":
        kernels, biases = (
            [head.arrays[f"task_head/{part}/{name}"] for part in _ANSWERS]
            for name in ("kernel", "bias")
        )
        return {
            _QA_WEIGHT: np.concatenate(kernels, 1).T,
            _QA_BIAS: np.concatenate(biases),
        }
    return {
        name.huggingface: name.to_huggingface(head.arrays[name.ours])
        for name in _ONE_TO_ONE[head.kind]
    }


def written_labels(
    head: Head, labels: tuple[str, ...] | None
) -> dict[str, Any]:
    """What config.json says of a head."""
    more: dict[str, Any] = {"classifier_dropout": head.dropout}
    if head.kind == "span_qa":
        return more
    if head.kind == "regressor":
        more["problem_type"] = "regression"
    elif head.kind == "classifier":
        single = "single_label_classification"
        more["problem_type"] = MULTI_LABEL if head.multi_label else single
    names = labels or ("LABEL_0",)
    return {
        **more,
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }
