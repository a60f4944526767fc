"""ELECTRA, joint training, and what differs from it in one place."""

import functools
import math
from collections.abc import Callable

import keras
import tensorflow as tf

from electra_tf.config.objectives import describe
from electra_tf.modeling.noise import current_noise
from electra_tf.modeling.tying import DELTA
from electra_tf.pretraining.generators import Proposal
from electra_tf.pretraining.masking import (
    MaskedBatch,
    marked,
    mask_rate,
)
from electra_tf.pretraining.objectives import Objective, Outcome, register


@register(describe("electra"))
class Electra(Objective):
    """gen_weight * L_MLM(x, G) + disc_weight * L_Disc(x-hat, D).

    Args: as for `Objective`, the network beside G being
      discriminator: D; lambda, its weight, is 50 in the paper.

    Reference: ELECTRA, section 2.
    """

    def places(self, batch, masked):
        judged = self.judged(batch, masked)
        return {**self.generator.places(batch, masked), "disc": judged}

    def judged(self, batch, masked: MaskedBatch) -> tf.Tensor:
        """Where D is trained: on every real token, float32 [B, L]."""
        return tf.cast(batch["input_mask"], tf.float32)

    def forward(self, batch, masked, training):
        proposal = self.generator(batch, masked, training)  # [B, M, V]
        return self.detect(batch, masked, proposal, training)

    def detect(
        self, batch, masked: MaskedBatch, proposal: Proposal, training: bool
    ) -> Outcome:
        """Samples from the proposal and has D look for the samples."""
        corrupted = self.corrupt(batch, masked, proposal)  # x-hat
        scores = self.read(batch, corrupted, training)  # [B, L]
        detection = self.detection(batch, masked, scores, corrupted.is_replaced)
        return self.outcome(batch, masked, proposal, corrupted, detection)


@register(describe("electra_15"))
class Electra15(Electra):
    """As `Electra`, but L_Disc over the masked positions alone.

    Reference: ELECTRA, section 3.4, "ELECTRA 15%".
    """

    def judged(self, batch, masked):
        return tf.cast(marked(batch["input_ids"], masked), tf.float32)


@register(describe("two_stage"))
class TwoStage(Electra):
    """Stage 1: gen_weight * L_MLM(x, G). Stage 2: disc_weight * L_Disc(D).

    Between them D's encoder starts from G's; then G is frozen, and samples
    without dropout. The stage follows from the step, so that a run resumes
    into it. G's loss stays in the logged total of stage 2, as a constant:
    the total is then the same sum as of joint training.

    Args: as for `Electra`; nothing that D trains may be shared with G. And
      init: whether to start D from G, which must be of the same size then;
        without it D may never learn (paper).

    Reference: ELECTRA, section 3.2, "Training algorithms".
    """

    def __init__(self, *parts, init: bool = True, **rest):
        super().__init__(*parts, **rest)
        self.init = init

    @classmethod
    def from_values(cls, values, *parts):
        init = values["two_stage_init"]
        return super().from_values(values, *parts, init=init)

    def places(self, batch, masked):
        if self.stage == 1:
            return self.generator.places(batch, masked)
        return super().places(batch, masked)

    def forward(self, batch, masked, training):
        if self.stage == 1:
            proposal = self.generator(batch, masked, training)  # [B, M, V]
            return self.outcome(batch, masked, proposal)
        proposal = self.generator(batch, masked, training=False)
        return self.detect(batch, masked, proposal, training)

    def enter(self, step: int) -> None:
        super().enter(step)
        # Nothing of stage 2 is learned yet, so that a run which resumes at
        # this very step may copy once more.
        if step in self.boundaries and self.init:
            names = ("generator", "discriminator")
            copy_encoder(*(self.networks[name].encoder for name in names))


@register(describe("electric"))
class Electric(Electra):
    """gen_weight * cloze(q) + disc_weight * NCE(E, q).

    P(token t is noise) = sigmoid(E(x)_t + log q(x_t | x without t)
    + log(p / (1 - p))), where a fraction p of the tokens is noise drawn from
    q; at the optimum exp(-E(x)_t) = p(x_t | x without t). Every drawn token is
    noise, also one that equals the token that stood there.

    Args: as for `Objective`, and
      generator: q; it must know `log_prob`.
      energy: E among the networks, with a value a token.
      rate: p at a step.

    Reference: Electric, sections 2 and 3; log(p / (1 - p)) as in the authors'
    code, where the paper has log(k / n).
    """

    def __init__(self, *parts, rate: Callable, **rest):
        super().__init__(*parts, **rest)
        self.rate = rate

    @classmethod
    def from_values(cls, values, *parts):
        rate = functools.partial(
            mask_rate,
            start=values["mask_prob"],
            end=values["mask_prob_end"],
            num_steps=values["num_train_steps"],
        )
        return super().from_values(values, *parts, rate=rate)

    def detect(self, batch, masked, proposal, training):
        corrupted = self.corrupt(batch, masked, proposal)
        energy = self.read(batch, corrupted, training)  # [B, L]
        log_q = tf.stop_gradient(proposal.log_prob(corrupted.input_ids))
        log_odds = _log_odds(self.rate(current_noise().step))
        logits = tf.cast(energy, tf.float32) + log_q + log_odds
        is_noise = marked(batch["input_ids"], masked)  # [B, L]
        nce = self.detection(batch, masked, logits, is_noise)
        return self.outcome(batch, masked, proposal, corrupted, nce)


def _log_odds(p: float | tf.Tensor) -> float | tf.Tensor:
    log = tf.math.log if tf.is_tensor(p) else math.log
    return log(p / (1 - p))


def copy_encoder(source: keras.layers.Layer, target: keras.layers.Layer):
    """Assigns an encoder's variables to those of another of the same size.

    Tables that hold but a difference to the source's own become zero.
    """
    sizes = {variable_name(v): v for v in source.trainable_variables}
    for variable in target.trainable_variables:
        name = variable_name(variable)
        if name.endswith(DELTA):
            variable.assign(variable * 0)
        else:
            variable.assign(sizes[name])


def variable_name(variable: keras.Variable) -> str:
    """Its path below the encoder's scope: encoder/layer_0/..."""
    return variable.path.partition("/")[2]
