"""The ten GLUE tasks (Wang et al. 2019): files, columns, metrics."""

import dataclasses
from collections.abc import Mapping
from typing import Any

_BINARY = ("0", "1")
_ENTAILMENT = ("entailment", "not_entailment")
_NLI = ("contradiction", "entailment", "neutral")
_COLA_COLUMNS = ("source", "label", "mark", "sentence")


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
      dev: dev set -> file; the first is the task's own.
      test: test set -> file, or the places it may be (default: folder ->
        test.tsv); the set's name is also its file's in a submission.
      is_symmetric: the order of the pair means nothing.
      has_broken_rows: the official file has some; they are left out.
      tfds_texts, tfds_dev, tfds_test: features and splits in TensorFlow
        Datasets, where they have other names; "ax/test" is a split of glue/ax.
    """

    name: str
    folder: str
    texts: tuple[str, ...]
    label: str = "label"
    labels: tuple[str, ...] = _BINARY
    metric: str = "accuracy"
    columns: tuple[str, ...] | None = None
    epochs: int = 3
    dev: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {"dev": "dev.tsv"}
    )
    test: Mapping[str, str | tuple[str, ...]] | None = None
    is_symmetric: bool = False
    has_broken_rows: bool = False
    tfds_texts: tuple[str, ...] = ()
    tfds_dev: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {"dev": "validation"}
    )
    tfds_test: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def test_files(self) -> Mapping[str, str | tuple[str, ...]]:
        """Test set -> file, or the places it may be."""
        return self.test or {self.folder: "test.tsv"}


_TEXT, _PAIR = ("sentence",), ("sentence1", "sentence2")
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
        "mrpc",
        "MRPC",
        ("#1 String", "#2 String"),
        label="Quality",
        is_symmetric=True,
        tfds_texts=_PAIR,
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
    GlueSpec(
        "qqp",
        "QQP",
        ("question1", "question2"),
        label="is_duplicate",
        has_broken_rows=True,
    ),
    GlueSpec(
        "mnli",
        dev={
            "matched": "dev_matched.tsv",
            "mismatched": "dev_mismatched.tsv",
        },
        test={
            "MNLI-m": "test_matched.tsv",
            "MNLI-mm": "test_mismatched.tsv",
        },
        tfds_dev={
            "matched": "validation_matched",
            "mismatched": "validation_mismatched",
        },
        tfds_test={"MNLI-m": "test_matched", "MNLI-mm": "test_mismatched"},
        **_MNLI,
    ),
    GlueSpec("qnli", "QNLI", ("question", "sentence"), labels=_ENTAILMENT),
    GlueSpec("rte", "RTE", _PAIR, labels=_ENTAILMENT, epochs=10),
    GlueSpec("wnli", "WNLI", _PAIR),
    # The diagnostic set has no training data of its own: MNLI's is learned,
    # and dev is MNLI's, too.
    GlueSpec(
        "ax",
        dev={"matched": "dev_matched.tsv"},
        test={"AX": ("../AX/AX.tsv", "../diagnostic/diagnostic.tsv")},
        tfds_dev={"matched": "validation_matched"},
        tfds_test={"AX": "ax/test"},
        **_MNLI,
    ),
)
GLUE = {spec.name: spec for spec in _SPECS}
