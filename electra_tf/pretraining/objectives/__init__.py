"""The training systems, a class each that reads like its equation.

A class composes masking -> generator -> sampling -> main network -> losses
and nothing else; what is shared and what draws are objects passed in.
"""

from electra_tf.pretraining.objectives.adversarial import Adversarial
from electra_tf.pretraining.objectives.electra import Electra, Electra15
from electra_tf.pretraining.objectives.electric import Electric
from electra_tf.pretraining.objectives.masked_lm import (
    AllTokensMLM,
    MaskedLanguageModel,
    ReplaceMLM,
)
from electra_tf.pretraining.objectives.objective import (
    Batch,
    Masker,
    Objective,
    Outcome,
    Sampling,
)
from electra_tf.pretraining.objectives.teams import Teams
from electra_tf.pretraining.objectives.two_stage import TwoStage

__all__ = [
    "Adversarial",
    "AllTokensMLM",
    "Batch",
    "Electra",
    "Electra15",
    "Electric",
    "MaskedLanguageModel",
    "Masker",
    "Objective",
    "Outcome",
    "ReplaceMLM",
    "Sampling",
    "Teams",
    "TwoStage",
]
