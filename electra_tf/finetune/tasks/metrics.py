"""The tasks' metrics, from scikit-learn, SciPy and seqeval.

All are times 100, as the paper prints them.
"""

from collections.abc import Sequence

import numpy as np

from electra_tf.errors import InputError

try:
    from scipy import stats
    from seqeval import metrics as sequence_metrics
    from sklearn import metrics as class_metrics
except ImportError as error:
    raise InputError(
        f"fine-tuning needs the package {error.name}: pip install "
        '"electra_tf[finetune]"'
    ) from None


def classification_metrics(
    gold: Sequence[int], predicted: Sequence[int], num_classes: int
) -> dict[str, float]:
    """Accuracy, F1 and Matthews' correlation of classes 0 .. num_classes - 1.

    F1 is that of class 1 where there are two classes, and the mean over the
    classes ("macro") where there are more. The correlation of constant
    predictions is 0.
    """
    if num_classes == 2:
        f1 = class_metrics.f1_score(gold, predicted, zero_division=0)
    else:
        f1 = class_metrics.f1_score(
            gold, predicted, average="macro", zero_division=0
        )
    return {
        "accuracy": 100 * float(class_metrics.accuracy_score(gold, predicted)),
        "f1": 100 * float(f1),
        "mcc": 100 * float(class_metrics.matthews_corrcoef(gold, predicted)),
    }


def regression_metrics(
    gold: Sequence[float], predicted: Sequence[float]
) -> dict[str, float]:
    """Spearman's and Pearson's correlation; of constant values they are 0."""
    # SciPy says NaN there, which no median survives.
    if np.ptp(gold) == 0 or np.ptp(predicted) == 0:
        return {"spearman": 0.0, "pearson": 0.0}
    return {
        "spearman": 100 * float(stats.spearmanr(gold, predicted).statistic),
        "pearson": 100 * float(stats.pearsonr(gold, predicted).statistic),
    }


def entity_metrics(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Entity precision, recall and F1 as `conlleval` counts them.

    Args:
      gold, predicted: for each sentence its words' tags, BIO or BIOES.
    """
    options = {"average": "micro", "zero_division": 0}
    return {
        name: 100 * float(metric(gold, predicted, **options))
        for name, metric in (
            ("f1", sequence_metrics.f1_score),
            ("precision", sequence_metrics.precision_score),
            ("recall", sequence_metrics.recall_score),
        )
    }
