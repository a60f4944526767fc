"""The ten GLUE tasks (Wang et al. 2019): files, columns, metrics."""

import dataclasses
from typing import Any

_BINARY = ("0", "1")
_ENTAILMENT = ("entailment", "not_entailment")
_NLI = ("contradiction", "entailment", "neutral")
_COLA_COLUMNS = ("source", "label", "mark", "sentence")


@dataclasses.dataclass(frozen=True)
class GlueSet:
    """One set of a task's examples.

    Attributes:
      name: of a test set, also that of its file in a submission.
      tfds_split: of the task's dataset in TensorFlow Datasets; "ax/test" is a
        split of glue/ax.
      files: the places where its file may be.
    """

    name: str
    tfds_split: str
    files: tuple[str, ...]


TRAIN = GlueSet("train", "train", ("train.tsv",))
_DEV = GlueSet("dev", "validation", ("dev.tsv",))
_MATCHED = GlueSet("matched", "validation_matched", ("dev_matched.tsv",))
_MISMATCHED = GlueSet(
    "mismatched", "validation_mismatched", ("dev_mismatched.tsv",)
)


@dataclasses.dataclass(frozen=True)
class GlueSpec:
    """A task: its files, their columns, what is measured.

    Attributes:
      name: on the command line, and in TensorFlow Datasets.
      folder: of the official files.
      texts: columns of the text, or of the pair.
      label: column of the label.
      labels: the classes; empty: a number from 0 to 5.
      metric: the paper's (ELECTRA, section 3.1).
      columns: of training and dev files that do not name them.
      epochs: ELECTRA, Table 7.
      dev: the first is the task's own.
      test: by default one, named as the folder.
      is_symmetric: the order of the pair means nothing.
      has_broken_rows: the official file has some; they are left out.
      tfds_texts: features in TensorFlow Datasets, where they have other names.
    """

    name: str
    folder: str
    texts: tuple[str, ...]
    label: str = "label"
    labels: tuple[str, ...] = _BINARY
    metric: str = "accuracy"
    columns: tuple[str, ...] | None = None
    epochs: int = 3
    dev: tuple[GlueSet, ...] = (_DEV,)
    test: tuple[GlueSet, ...] = ()
    is_symmetric: bool = False
    has_broken_rows: bool = False
    tfds_texts: tuple[str, ...] = ()

    @property
    def test_sets(self) -> tuple[GlueSet, ...]:
        """`test`, or its default."""
        return self.test or (GlueSet(self.folder, "test", ("test.tsv",)),)


_TEXT, _PAIR = ("sentence",), ("sentence1", "sentence2")
_STRINGS, _QUESTIONS = ("#1 String", "#2 String"), ("question1", "question2")
_AX_FILES = ("../AX/AX.tsv", "../diagnostic/diagnostic.tsv")
_MNLI: dict[str, Any] = {
    "folder": "MNLI",
    "texts": _PAIR,
    "label": "gold_label",
    "labels": _NLI,
    "tfds_texts": ("premise", "hypothesis"),
}
_SPECS = (
    GlueSpec("cola", "CoLA", _TEXT, metric="mcc", columns=_COLA_COLUMNS),
    GlueSpec("sst2", "SST-2", _TEXT),
    GlueSpec(
        "mrpc", "MRPC", _STRINGS, "Quality", is_symmetric=True, tfds_texts=_PAIR
    ),
    GlueSpec(
        "stsb",
        "STS-B",
        _PAIR,
        label="score",
        labels=(),
        metric="spearman",
        epochs=10,
        is_symmetric=True,
    ),
    GlueSpec("qqp", "QQP", _QUESTIONS, "is_duplicate", has_broken_rows=True),
    GlueSpec(
        "mnli",
        dev=(_MATCHED, _MISMATCHED),
        test=(
            GlueSet("MNLI-m", "test_matched", ("test_matched.tsv",)),
            GlueSet("MNLI-mm", "test_mismatched", ("test_mismatched.tsv",)),
        ),
        **_MNLI,
    ),
    GlueSpec("qnli", "QNLI", ("question", "sentence"), labels=_ENTAILMENT),
    GlueSpec("rte", "RTE", _PAIR, labels=_ENTAILMENT, epochs=10),
    GlueSpec("wnli", "WNLI", _PAIR),
    # The diagnostic set has no training data of its own: MNLI's is learned,
    # and dev is MNLI's, too.
    GlueSpec(
        "ax",
        dev=(_MATCHED,),
        test=(GlueSet("AX", "ax/test", _AX_FILES),),
        **_MNLI,
    ),
)
GLUE = {spec.name: spec for spec in _SPECS}
