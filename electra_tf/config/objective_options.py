"""The options of an objective, whichever it is."""

import dataclasses

from electra_tf.config import (
    INSIDE,
    NOT_NEGATIVE,
    POSITIVE,
    PROBABILITY,
    Options,
    field,
)
from electra_tf.config.objectives import OBJECTIVES
from electra_tf.errors import require

MASKINGS = ("token", "whole_word", "span")


@dataclasses.dataclass(frozen=True)
class ObjectiveConfig(Options):
    """What is learned: masking, sampling and the weights of the losses.

    Attributes:
      objective: training system.
      mask_prob: fraction of the tokens to mask.
      mask_prob_end: fraction at the end of the run, linear in the step; 0
        keeps mask_prob. Evaluations always have mask_prob.
      masking: what is masked together: token: each token by itself; whole_word:
        all pieces of a word; span: spans of up to 10 whole words.
      gen_weight: weight of the masked-LM loss.
      disc_weight: weight of the detection loss.
      mws_weight: weight of the multi-word selection loss (teams).
      two_stage_steps: steps of the generator alone (two_stage).
      two_stage_init: start the second stage from the generator's weights
        (two_stage).
      temperature: of the generator's samples at the start.
      temperature_end: of the samples towards the end, if
        temperature_decay_steps.
      temperature_decay_steps: steps in which the temperature's distance to
        temperature_end falls to 1/e; 0 keeps the temperature.
      disallow_correct: never sample the token that stood there.
      compat: google repeats the authors' code: masks drawn with replacement.
    """

    objective: str = field("electra", choices=OBJECTIVES)
    mask_prob: float = field(0.15, INSIDE)
    mask_prob_end: float = field(0.0, PROBABILITY)
    masking: str = field(MASKINGS[0], choices=MASKINGS)
    gen_weight: float = field(1.0, NOT_NEGATIVE)
    disc_weight: float = field(50.0, NOT_NEGATIVE)
    mws_weight: float = field(2.0, NOT_NEGATIVE)
    two_stage_steps: int = field(0, NOT_NEGATIVE)
    two_stage_init: bool = field(True)
    temperature: float = field(1.0, POSITIVE)
    temperature_end: float = field(1.0, POSITIVE)
    temperature_decay_steps: int = field(0, NOT_NEGATIVE)
    disallow_correct: bool = field(False)
    compat: str = field("none", choices=("none", "google"))

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.masking == MASKINGS[0] or self.compat != "google",
            "compat=google masks tokens, so masking must be token",
            self.masking,
        )
