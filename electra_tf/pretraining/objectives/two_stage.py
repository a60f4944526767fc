"""First the generator alone, then the discriminator against it, frozen."""

import keras

from electra_tf.config.objectives import describe
from electra_tf.modeling.tying import DELTA
from electra_tf.pretraining.objectives import register
from electra_tf.pretraining.objectives.electra import Electra


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
