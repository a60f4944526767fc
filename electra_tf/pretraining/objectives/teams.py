"""TEAMS: which of a few words stood here, beside replaced token detection."""

import tensorflow as tf

from electra_tf.config.objectives import describe
from electra_tf.modeling.networks import Selector
from electra_tf.modeling.noise import current_noise, noise_of
from electra_tf.pretraining.generators import text_of
from electra_tf.pretraining.losses import hits, masked_lm_losses, summed
from electra_tf.pretraining.objectives import register
from electra_tf.pretraining.objectives.electra import Electra
from electra_tf.pretraining.sampling import draw_distinct

NUM_NEGATIVES = 4


@register(describe("teams"))
class Teams(Electra):
    """gen_weight * L_MLM(G) + disc_weight * L_Disc(D) + mws_weight * L_MWS.

    L_MWS: at each masked position, reading x-hat, choose the token that stood
    there among itself and four others, drawn from G without replacement. Both
    tasks share the main encoder but for its last block: detection has the
    encoder's own, selection one more beside it.

    Args: as for `Electra`, and
      selector: among the networks; chooses among candidates from the last
        block's input. The weights are 5 and 2 in TensorFlow Model Garden.

    Reference: TEAMS (Shen et al. 2021), as in TensorFlow Model Garden, whose
    generator also shares the lowest three blocks.
    """

    @classmethod
    def make_networks(cls, main, generators):
        detector = super().make_networks(main, generators)
        sizes = (main.embeddings.vocab_size, main.embeddings.embedding_size)
        selector = Selector(*sizes, main.sizes, name="selector")
        return {**detector, "selector": selector}

    def places(self, batch, masked):
        return {**super().places(batch, masked), "mws": masked.weights}

    def detect(self, batch, masked, proposal, training):
        corrupted = self.corrupt(batch, masked, proposal)
        text = text_of(batch, corrupted.input_ids)  # [B, L] each
        with noise_of("discriminator"):
            main = self.networks["discriminator"]
            *_, shared, last = main.encoder.layer_states(
                *text, training=training
            )  # [B, L, H] each
            scores = main.head(last)  # [B, L]
        choices = candidate_words(proposal.logits, masked.ids)  # [B, M, 5]
        states = (shared, batch["input_mask"])
        losses, right = self.select(*states, masked, choices, training)
        return self.outcome(
            batch,
            masked,
            proposal,
            corrupted,
            self.detection(batch, masked, scores, corrupted.is_replaced),
            losses={"mws": losses},
            figures={"mws_accuracy": summed(right, masked.weights)},
        )

    def select(self, states, mask, masked, choices, training: bool):
        """L_MWS at each slot, and 1 where the choice is right: [B, M]."""
        embeddings = self.networks["discriminator"].encoder.embeddings
        with noise_of("selector"):
            preferences = self.networks["selector"](
                states,
                mask,
                masked.positions,
                choices,
                embeddings.word_embeddings,
                training=training,
            )  # [B, M, 5]
        truth = tf.zeros_like(masked.ids)  # the first candidate
        losses = masked_lm_losses(preferences, truth)  # [B, M]
        right = hits(tf.argmax(preferences, -1, tf.int32), truth)
        return losses, right


def candidate_words(logits: tf.Tensor, true_ids: tf.Tensor) -> tf.Tensor:
    """The true token and four others that G finds likely: int32 [B, M, 5]."""
    noise = current_noise().fork("candidates")
    others = draw_distinct(logits, true_ids, NUM_NEGATIVES, noise)
    return tf.concat([true_ids[..., None], others], -1)
