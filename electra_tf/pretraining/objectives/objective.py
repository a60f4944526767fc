"""What an objective is, and what one pass of it gives."""

import abc
import dataclasses
from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

from electra_tf.pretraining.corruption import Corrupted, Detection
from electra_tf.pretraining.generators import Batch, Proposal
from electra_tf.pretraining.losses import LossTerm
from electra_tf.pretraining.masking import MaskedBatch

Masker = Callable[[Batch], MaskedBatch]
Sampling = Callable[[tf.Tensor, MaskedBatch], tf.Tensor]
Figures = Mapping[str, tuple[tf.Tensor, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one pass of an objective gives.

    Attributes:
      losses: the terms of the total.
      masked: the batch with tokens masked out.
      proposal: of the generator, or of the only network.
      input_mask: int [B, L].
      corrupted: None where nothing is sampled.
      detection: None where nothing is detected.
      figures: name -> (sum, count) of what this objective alone measures.
    """

    losses: tuple[LossTerm, ...]
    masked: MaskedBatch
    proposal: Proposal
    input_mask: tf.Tensor
    corrupted: Corrupted | None = None
    detection: Detection | None = None
    figures: Figures = dataclasses.field(default_factory=dict)


class Objective(abc.ABC):
    """A training system: networks, loss weights, a call from batch to Outcome.

    Every draw comes from the open noise scope, and every loss term is a sum
    over rows, so that a batch may be split over replicas and micro-batches.

    Attributes:
      networks: by name; those of a checkpoint.
      loss_weights: loss term -> its weight in the total.
      figures: names of `Outcome.figures`.
      boundaries: steps before which `enter` must be called; at them the
        computation changes.
      stage: of `boundaries`; whoever traces a graph traces one a stage.
    """

    networks: dict[str, keras.Model]
    loss_weights: dict[str, float]
    figures: tuple[str, ...] = ()
    boundaries: tuple[int, ...] = ()
    stage: int = 1

    @abc.abstractmethod
    def __call__(self, batch: Batch, training: bool) -> Outcome:
        """One pass over a batch of int [B, L] tensors."""

    @abc.abstractmethod
    def counts(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Each loss term's count, float32 scalar, without any network."""

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The variables that this stage trains, each once."""
        return variables_of(self.networks.values())

    def enter(self, step: int) -> None:
        """Prepares update number `step`; outside any graph.

        To be called before the first update of a process and at each of
        `boundaries`; calling it again before the update changes nothing.
        """
        self.stage = self.stage_at(step)

    def stage_at(self, step: int) -> int:
        """The stage that update number `step` belongs to, from 1."""
        return 1 + sum(step >= boundary for boundary in self.boundaries)


def variables_of(networks) -> list[keras.Variable]:
    """The trainable variables of several networks, shared ones once."""
    found = {}
    for network in networks:
        found |= {id(v): v for v in network.trainable_variables}
    return list(found.values())


def hits(predicted: tf.Tensor, true: tf.Tensor) -> tf.Tensor:
    """1.0 where two int tensors agree."""
    return tf.cast(tf.equal(predicted, true), tf.float32)
