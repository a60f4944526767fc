"""What an objective is, and which class is bound to which description.

A class composes masking -> generator -> sampling -> main network -> losses
and nothing else; what is shared and what draws are objects passed in.
"""

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, TypeVar

import keras
import tensorflow as tf

from electra_tf.config.description import DISC, Description, Values
from electra_tf.config.objectives import add
from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.networks import Discriminator, variables_of
from electra_tf.modeling.noise import noise_of
from electra_tf.pretraining.generators import (
    Batch,
    Generator,
    Proposal,
    text_of,
)
from electra_tf.pretraining.losses import Detection, LossTerm, summed
from electra_tf.pretraining.masking import MaskedBatch
from electra_tf.pretraining.sampling import Corrupted, corrupt

Masker = Callable[[Batch], MaskedBatch]
Sampling = Callable[[tf.Tensor, MaskedBatch], tf.Tensor]
Places = Mapping[str, tf.Tensor]
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

    Args:
      masker: batch -> MaskedBatch (`TokenMasker`).
      generator: G, with its loss.
      sampler: (logits, MaskedBatch) -> sampled ids (`Sampler`).
      networks: those beside the generator's (`make_networks`).
      loss_weights: loss term -> its weight in the total.
      boundaries: steps at which stages begin, before which to call `enter`.

    Attributes:
      description: what `register` has bound to the class.
      networks: by name; those of a checkpoint.
      stage: from 1; whoever traces a graph traces one a stage.
    """

    description: ClassVar[Description]

    def __init__(
        self,
        masker: Masker,
        generator: Generator,
        sampler: Sampling,
        networks: Mapping[str, keras.Model],
        *,
        loss_weights: Mapping[str, float],
        boundaries: tuple[int, ...] = (),
    ):
        self.masker = masker
        self.generator = generator
        self.sampler = sampler
        self.networks = {**generator.networks, **networks}
        self.loss_weights = dict(loss_weights)
        self.boundaries, self.stage = boundaries, 1

    @classmethod
    def make_networks(
        cls, main: Encoder, generators: Sequence[Encoder]
    ) -> dict[str, keras.Model]:
        """Fresh networks beside the generator's, of these encoders.

        They start at random in the order of the dict.
        """
        return {cls.description.main.name: Discriminator(main, name="detector")}

    @classmethod
    def from_values(cls, values: Values, *parts, **rest) -> "Objective":
        """The objective of a configuration, given by flat name.

        `parts` are masker, generator, sampler and networks; a class adds to
        `rest` what it takes beside these.
        """
        return cls(
            *parts,
            loss_weights=cls.description.weights(values),
            boundaries=cls.description.boundaries(values),
            **rest,
        )

    def __call__(
        self, batch: Batch, training: bool, masked: MaskedBatch | None = None
    ) -> Outcome:
        """One pass over int [B, L]; draws `masked` where it is not given."""
        if masked is None:
            masked = self.masker(batch)
        return self.forward(batch, masked, training)

    @abc.abstractmethod
    def forward(
        self, batch: Batch, masked: MaskedBatch, training: bool
    ) -> Outcome:
        """The pass itself."""

    @abc.abstractmethod
    def places(self, batch: Batch, masked: MaskedBatch) -> Places:
        """This stage's terms -> each place's weight: [B, L] or [B, M]."""

    def counts(self, batch: Batch, masked: MaskedBatch) -> Places:
        """How many places each term has: float32 scalars."""
        return {
            name: tf.reduce_sum(tf.cast(where, tf.float32))
            for name, where in self.places(batch, masked).items()
        }

    def corrupt(
        self, batch: Batch, masked: MaskedBatch, proposal: Proposal
    ) -> Corrupted:
        """x-hat: the text with samples of the proposal in the slots."""
        sampled = self.sampler(proposal.logits, masked)  # [B, M]
        return corrupt(batch["input_ids"], masked, sampled)

    def read(
        self, batch: Batch, corrupted: Corrupted, training: bool, *positions
    ) -> tf.Tensor:
        """What the main network says of x-hat (at some positions)."""
        name = self.description.main.name
        with noise_of(name):
            text = text_of(batch, corrupted.input_ids)
            return self.networks[name](*text, *positions, training=training)

    def detection(
        self,
        batch: Batch,
        masked: MaskedBatch,
        logits: tf.Tensor,
        labels: tf.Tensor,
    ) -> Detection:
        """Scores [B, L] and what is right, where the term `disc` counts."""
        judged = self.places(batch, masked)[DISC.name]
        return Detection(logits, labels, judged)

    def outcome(
        self,
        batch: Batch,
        masked: MaskedBatch,
        proposal: Proposal,
        corrupted: Corrupted | None = None,
        detection: Detection | None = None,
        losses: Places | None = None,
        figures: Figures | None = None,
    ) -> Outcome:
        """The pass's result: every loss summed over its term's places.

        `losses` are those beside the proposal's and the detection's: term ->
        loss at each place.
        """
        found = {**proposal.losses, **(losses or {})}
        if detection is not None:
            found[DISC.name] = detection.losses
        terms = tuple(
            LossTerm(name, self.loss_weights[name], *summed(found[name], where))
            for name, where in self.places(batch, masked).items()
        )
        return Outcome(
            terms,
            masked,
            proposal,
            batch["input_mask"],
            corrupted,
            detection,
            figures or {},
        )

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of `Outcome.figures`."""
        return self.description.measured()

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The variables that this stage trains, each once."""
        stages = self.description.stages
        names = stages[self.stage - 1].learns if stages else self.networks
        return variables_of(self.networks[name] for name in names)

    def enter(self, step: int) -> None:
        """Prepares update number `step`; outside any graph.

        To be called before the first update of a process and at each of
        `boundaries`; calling it again before the update changes nothing.
        """
        self.stage = self.stage_at(step)

    def stage_at(self, step: int) -> int:
        """The stage that update number `step` belongs to, from 1."""
        return 1 + sum(step >= boundary for boundary in self.boundaries)


_classes: dict[str, type[Objective]] = {}
_Class = TypeVar("_Class", bound=type[Objective])


def register(description: Description) -> Callable[[_Class], _Class]:
    """Makes the decorated class what `--objective=<its name>` trains.

    Example:
      @register(Description("my_electra"))
      class MyElectra(Electra): ...
    """

    def bind(objective: _Class) -> _Class:
        add(description)
        objective.description = description
        _classes[description.name] = objective
        return objective

    return bind


def class_of(objective: str) -> type[Objective]:
    """The class that is registered under a name."""
    return _classes[objective]
