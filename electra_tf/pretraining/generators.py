"""What proposes tokens for the masked positions: q or p_G of the papers.

A generator is called with the batch and its masks, and answers with logits at
the slots and with its own loss, where it has one.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from electra_tf.config.description import MLM
from electra_tf.modeling.networks import MaskedLM
from electra_tf.modeling.noise import noise_of
from electra_tf.modeling.two_tower import TwoTowerCloze
from electra_tf.pretraining.losses import masked_lm_losses
from electra_tf.pretraining.masking import MaskedBatch, candidates

Batch = Mapping[str, tf.Tensor]


def text_of(batch: Batch, ids: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """What a network reads: these ids, with the batch's mask and segments."""
    return ids, batch["input_mask"], batch["segment_ids"]


@dataclasses.dataclass(frozen=True)
class Proposal:
    """What a generator says of a batch.

    Attributes:
      logits: float [B, M, V], at the slots.
      slot_losses: float32 [B, M], -log p(true token) at each slot.
      hidden: float32 [B, M], 1 in used slots whose token it did not see.
      losses: the term that trains it -> loss at each of its places, or none.
      states: float [B, M, H], what the logits were made of; of a masked-LM.
      log_prob: ids [B, L] -> log p(id at t given the other tokens), float32
        [B, L]; None for a generator that sees unmasked tokens.
    """

    logits: tf.Tensor
    slot_losses: tf.Tensor
    hidden: tf.Tensor
    losses: Mapping[str, tf.Tensor] = dataclasses.field(default_factory=dict)
    states: tf.Tensor | None = None
    log_prob: Callable[[tf.Tensor], tf.Tensor] | None = None


class Generator(Protocol):
    """Networks by name, a call to a Proposal, and where its loss is summed."""

    networks: dict[str, keras.Model]

    def __call__(
        self, batch: Batch, masked: MaskedBatch, training: bool
    ) -> Proposal: ...

    def places(
        self, batch: Batch, masked: MaskedBatch
    ) -> dict[str, tf.Tensor]: ...


class MaskedLMGenerator:
    """p_G(x_t | x^masked), trained by L_MLM over the slots.

    Args:
      network: a masked-LM.

    Reference: ELECTRA, section 2.
    """

    def __init__(self, network: MaskedLM):
        self.networks = {"generator": network}

    def __call__(self, batch, masked, training):
        network = self.networks["generator"]
        with noise_of("generator"):
            text = text_of(batch, masked.input_ids)
            states = network.states_at(
                text, masked.positions, training
            )  # [B, M, H]
        logits = network.predict_tokens(states)  # [B, M, V]
        losses = masked_lm_losses(logits, masked.ids)  # [B, M]
        return Proposal(
            logits,
            losses,
            hidden=masked_slots(masked),
            losses={MLM.name: losses},
            states=states,
        )

    def places(self, batch, masked):
        """Used slots."""
        return {MLM.name: masked.weights}


class ClozeGenerator:
    """q(x_t | x without t), trained by its loss over every token of the text.

    It reads the text unmasked. Special tokens are not learned.

    Args:
      network: predicts each token from all the others.
      never_masked: ids of the special tokens.

    Reference: Electric, section 2; the loss as in the authors' code.
    """

    def __init__(self, network: TwoTowerCloze, never_masked: tuple[int, ...]):
        self.networks = {"generator": network}
        self.never_masked = never_masked

    def __call__(self, batch, masked, training):
        ids = batch["input_ids"]
        with noise_of("generator"):
            network, text = self.networks["generator"], text_of(batch, ids)
            logits = network(*text, training=training)  # [B, L, V]
        losses = masked_lm_losses(logits, ids)  # [B, L]
        slots = tf.gather(logits, masked.positions, batch_dims=1)  # [B, M, V]
        return Proposal(
            slots,
            masked_lm_losses(slots, masked.ids),
            hidden=masked.weights,
            losses={MLM.name: losses},
            log_prob=lambda tokens: -masked_lm_losses(logits, tokens),
        )

    def places(self, batch, masked):
        """Tokens but the special ones."""
        ids, mask = batch["input_ids"], batch["input_mask"]
        return {MLM.name: candidates(ids, mask, self.never_masked)}


class FrequencyGenerator:
    """The same distribution at every place: uniform, or token frequencies.

    Args:
      logits: float [V], log frequencies up to a constant.

    Reference: ELECTRA, section 3.2 "Smaller generators".
    """

    def __init__(self, logits: np.ndarray):
        self.networks: dict[str, keras.Model] = {}
        self.log_probs = tf.nn.log_softmax(tf.constant(logits, tf.float32))

    def __call__(self, batch, masked, training):
        shape = [*masked.positions.shape[1:], *self.log_probs.shape]
        shape = [tf.shape(masked.positions)[0], *shape]
        logits = tf.broadcast_to(self.log_probs, shape)  # [B, M, V]
        return Proposal(
            logits,
            masked_lm_losses(logits, masked.ids),
            hidden=masked.weights,
            log_prob=lambda tokens: tf.gather(self.log_probs, tokens),
        )

    def places(self, batch, masked):
        """Nothing is trained."""
        return {}


def masked_slots(masked: MaskedBatch) -> tf.Tensor:
    """Used slots that show [MASK], float32 [B, M]; others keep their token."""
    read = tf.gather(masked.input_ids, masked.positions, batch_dims=1)
    return masked.weights * tf.cast(read != masked.ids, tf.float32)
