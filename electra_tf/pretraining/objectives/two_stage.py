"""First the generator alone, then the discriminator against it, frozen."""

import keras

from electra_tf.modeling.networks import Discriminator
from electra_tf.modeling.tying import DELTA
from electra_tf.pretraining.generators import MaskedLMGenerator
from electra_tf.pretraining.objectives.electra import Electra
from electra_tf.pretraining.objectives.objective import (
    Masker,
    Outcome,
    Sampling,
    variables_of,
)


class TwoStage(Electra):
    """Stage 1: gen_weight * L_MLM(x, G). Stage 2: disc_weight * L_Disc(D).

    Between them D's encoder starts from G's; then G is frozen, and samples
    without dropout. The stage follows from the step, so that a run resumes
    into it. G's loss stays in the logged total of stage 2, as a constant:
    the total is then the same sum as of joint training.

    Args:
      masker, generator, sampler, discriminator, disc_weight: as for
        `Electra`; nothing that D trains may be shared with G.
      stage_steps: updates of stage 1.
      init: whether to start D from G, which must be of the same size then;
        without it D may never learn (paper).

    Reference: ELECTRA, section 3.2, "Training algorithms".
    """

    def __init__(
        self,
        masker: Masker,
        generator: MaskedLMGenerator,
        sampler: Sampling,
        discriminator: Discriminator,
        stage_steps: int,
        disc_weight: float = 50.0,
        init: bool = True,
    ):
        super().__init__(masker, generator, sampler, discriminator, disc_weight)
        self.boundaries = (stage_steps,)
        self.init = init

    def __call__(self, batch, training):
        masked = self.masker(batch)
        if self.stage == 2:
            proposal = self.generator(batch, masked, training=False)
            return self.detect(batch, masked, proposal, training)
        proposal = self.generator(batch, masked, training)  # [B, M, V]
        return Outcome(
            losses=proposal.losses,
            masked=masked,
            proposal=proposal,
            input_mask=batch["input_mask"],
        )

    def counts(self, batch):
        counts = super().counts(batch)
        return counts if self.stage == 2 else {"mlm": counts["mlm"]}

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        name = "discriminator" if self.stage == 2 else "generator"
        return variables_of([self.networks[name]])

    def enter(self, step: int) -> None:
        super().enter(step)
        # Nothing of stage 2 is learned yet, so that a run which resumes at
        # this very step may copy once more.
        if step in self.boundaries and self.init:
            networks = (
                self.networks["generator"],
                self.networks["discriminator"],
            )
            source, target = (network.encoder for network in networks)
            copy_encoder(source, target)


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
