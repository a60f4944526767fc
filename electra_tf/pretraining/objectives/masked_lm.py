"""Objectives whose main network predicts tokens: BERT and two steps away."""

import tensorflow as tf

from electra_tf.config.objectives import describe
from electra_tf.modeling.networks import CopyingLM, MaskedLM
from electra_tf.pretraining.losses import (
    copying_lm_losses,
    hits,
    likeliest_tokens,
    masked_lm_losses,
    summed,
)
from electra_tf.pretraining.objectives import Objective, register


@register(describe("mlm"))
class MaskedLanguageModel(Objective):
    """gen_weight * L_MLM(x, D): BERT without next-sentence prediction.

    Args: as for `Objective`, where the generator is the main network, with
      its loss.
    """

    @classmethod
    def make_networks(cls, main, generators):
        return {"generator": MaskedLM(main, name="masked_lm")}

    def places(self, batch, masked):
        return self.generator.places(batch, masked)

    def forward(self, batch, masked, training):
        proposal = self.generator(batch, masked, training)  # [B, M, V]
        return self.outcome(batch, masked, proposal)


@register(describe("replace_mlm"))
class ReplaceMLM(Objective):
    """gen_weight * L_MLM(x, G) + L_MLM(x-hat, D): no [MASK] where D reads.

    D predicts the tokens at the masked positions, reading G's samples there.

    Args: as for `Objective`, the network beside G being
      main: D, a masked-LM.

    Reference: ELECTRA, section 3.4, "Replace MLM".
    """

    @classmethod
    def make_networks(cls, main, generators):
        return {"main": MaskedLM(main, "main_predictions", name="restorer")}

    def places(self, batch, masked):
        restored = self.restored(batch, masked)
        return {**self.generator.places(batch, masked), "main": restored}

    def restored(self, batch, masked) -> tf.Tensor:
        """Where D predicts: at the masked positions, float32 [B, M]."""
        return masked.weights

    def forward(self, batch, masked, training):
        proposal = self.generator(batch, masked, training)  # [B, M, V]
        corrupted = self.corrupt(batch, masked, proposal)
        losses, right = self.restore(batch, masked, corrupted, training)
        sampled = hits(corrupted.sampled_ids, masked.ids)  # [B, M]
        where = self.restored(batch, masked)
        return self.outcome(
            batch,
            masked,
            proposal,
            corrupted,
            losses={"main": losses},
            figures={
                "main_accuracy": summed(right, where),
                "sampled_accuracy": summed(sampled, masked.weights),
            },
        )

    def restore(self, batch, masked, corrupted, training: bool):
        """D's loss at each place, and 1 where its best guess is right."""
        at = masked.positions
        logits = self.read(batch, corrupted, training, at)  # [B, M, V]
        best = tf.argmax(logits, -1, masked.ids.dtype)  # [B, M]
        return masked_lm_losses(logits, masked.ids), hits(best, masked.ids)


@register(describe("all_tokens_mlm"))
class AllTokensMLM(ReplaceMLM):
    """gen_weight * L_MLM(x, G) + mean over all tokens of -log p(x_t | x-hat).

    p(x_t | x-hat) = C_t 1[x_t = x-hat_t] + (1 - C_t) softmax_t(x_t), where
    the gate C_t is the probability of copying.

    Args: as for `ReplaceMLM`, with
      main: D, a `CopyingLM`.

    Reference: ELECTRA, section 3.4, "All-Tokens MLM".
    """

    @classmethod
    def make_networks(cls, main, generators):
        return {"main": CopyingLM(main, name="copying_lm")}

    def restored(self, batch, masked):
        return tf.cast(batch["input_mask"], tf.float32)

    def restore(self, batch, masked, corrupted, training):
        ids, read = tf.cast(batch["input_ids"], tf.int32), corrupted.input_ids
        # [B, L, V], [B, L]
        logits, copy = self.read(batch, corrupted, training)
        best = likeliest_tokens(logits, copy, read)  # [B, L]
        return copying_lm_losses(logits, copy, ids, read), hits(best, ids)
