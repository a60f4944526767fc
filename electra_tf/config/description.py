"""What is said of an objective: all that others ask of it, no TensorFlow."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from electra_tf.errors import require

GENERATORS = ("transformer", "two_tower", "uniform", "unigram")
TYINGS = ("none", "embeddings", "all", "gradient_disentangled")
UNTRAINED = ("uniform", "unigram")

Values = Mapping[str, Any]  # every field of a configuration by its flat name


class Term(NamedTuple):
    """A term of the loss.

    Attributes:
      name: its key in logs, without "_loss".
      weight: the field that holds its weight; "" for 1.
      at_start: vocabulary size -> its value for a network that has learned
        nothing; None where that is not known.
    """

    name: str
    weight: str = ""
    at_start: Callable[[int], float] | None = None


MLM = Term("mlm", "gen_weight", math.log)
DISC = Term("disc", "disc_weight", lambda vocab_size: math.log(2))


class Figure(NamedTuple):
    """A figure that is logged, and how it is shown.

    Attributes:
      name: its key in logs; a term's is "<term>_loss".
      title: its name in tables and over its chart.
      group: the table's heading that it stands under.
      label: its name on the console; "" is not shown there.
      form: its format on the console.
      better: "lower", "higher" or "" where neither is.
      caption: how to read its chart; "" where the report has its own.
    """

    name: str
    title: str
    group: str = "Losses"
    label: str = ""
    form: str = ".3f"
    better: str = "lower"
    caption: str = ""


# A figure of predictions: more of it is better.
score = functools.partial(Figure, better="higher")

TOTAL = Figure("loss", "Total loss", label="loss")
PREDICTIONS, _DETECTION = "Masked-LM predictions", "Discriminator"
_BASE_RATE = "Base rate (tokens not replaced)"
# Of every run: what the generator, or the only network, predicts.
MASKED_LM_FIGURES = (
    Figure("mlm_loss", "Masked-LM loss, all used slots", label="mlm"),
    Figure("mlm_loss_masked", "Masked-LM loss, slots that show [MASK]"),
    Figure("unigram_loss", "Unigram level of those slots", better=""),
    score("mlm_accuracy", "Accuracy of the best guess", PREDICTIONS),
    score("sampled_accuracy", "Accuracy of the samples drawn", PREDICTIONS),
)
# Of objectives with the term `disc`.
DETECTION_FIGURES = (
    Figure("disc_loss", "Detection loss", label="disc", form=".4f"),
    score("disc_auc", "AUC", _DETECTION, "auc"),
    score("disc_accuracy", "Accuracy", _DETECTION),
    Figure("disc_base_rate", _BASE_RATE, _DETECTION, better=""),
    score("disc_precision", "Precision at 0.5", _DETECTION, "p"),
    score("disc_recall", "Recall at 0.5", _DETECTION, "r"),
)
# Of runs with eval_pairs.
PAIRS_FIGURES = (
    score(
        "acceptability", "Right, in percent", "Minimal pairs", "pairs", ".1f"
    ),
)


class Refusal(NamedTuple):
    """Generators and tyings that make no sense together, and the reason."""

    rule: str
    generators: tuple[str, ...] = GENERATORS
    tyings: tuple[str, ...] = TYINGS


# Of every objective: what generator and tying say of one another.
SHARED_REFUSALS = (
    Refusal(
        "generators uniform and unigram have no weights, so tying must be none",
        UNTRAINED,
        TYINGS[1:],
    ),
    Refusal(
        "generator=two_tower reads to one side in each tower, the main network "
        "to both, so tying must not be all",
        ("two_tower",),
        ("all",),
    ),
)


class Part(NamedTuple):
    """A network beside the generator, as far as it is counted.

    Attributes:
      name: among the run's networks, and the scope of its noise.
      head: a key of training/cost's heads: "detection", "tokens", "copying",
        "selection" or "value".
      at_slots: the head is at the masked positions alone, not everywhere.
      blocks: blocks of the main network's size, for what is not the main
        network itself.
      reads: whose states it reads: "main" or "generator".
    """

    name: str
    head: str
    at_slots: bool = False
    blocks: int = 0
    reads: str = "main"


DISCRIMINATOR = Part("discriminator", "detection")


class Stage(NamedTuple):
    """A stage of training.

    Attributes:
      learns: networks that are trained.
      reads: networks that only run forward.
      steps: the field that holds its number of steps; "" for all the rest.
    """

    learns: tuple[str, ...]
    reads: tuple[str, ...] = ()
    steps: str = ""


@dataclasses.dataclass(frozen=True)
class Description:
    """An objective.

    Attributes:
      name: what `--objective` calls it.
      terms: of its loss; the generator's is left out where nothing of it is
        trained.
      main: the network that is kept.
      parts: networks beside generator and main network.
      figures: what it measures itself, or shows of its own terms.
      refusals: combinations that it is not made for.
      rules: each is called with all values, and raises InputError.
      stages: none where all networks learn from the first step to the last.
      has_generator: false where the main network is the only one, and bears
        the generator's name, as its head does.
    """

    name: str
    terms: tuple[Term, ...] = (MLM, DISC)
    main: Part = DISCRIMINATOR
    parts: tuple[Part, ...] = ()
    figures: tuple[Figure, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    rules: tuple[Callable[[Values], None], ...] = ()
    stages: tuple[Stage, ...] = ()
    has_generator: bool = True

    def trains_generator(self, generator: str) -> bool:
        """Whether there is a generator of this kind, with weights."""
        return self.has_generator and generator not in UNTRAINED

    def refusal(self, generator: str, tying: str) -> str | None:
        """The rule that a combination breaks, or None where it is allowed."""
        for rule, generators, tyings in (*self.refusals, *SHARED_REFUSALS):
            if generator in generators and tying in tyings:
                return rule
        return None

    def check(self, values: Values) -> None:
        """Checks what objective, generator and tying say of flat values.

        Raises:
          InputError: they break a rule.
        """
        names = ("objective", "generator", "tying")
        objective, *pair = (values[name] for name in names)
        rule = self.refusal(*pair)
        require(rule is None, str(rule), (objective, *pair))
        for check in self.rules:
            check(values)

    def weights(self, values: Values) -> dict[str, float]:
        """Loss term -> its weight in the total, of flat values."""
        return {
            term.name: values[term.weight] if term.weight else 1.0
            for term in self._trained_terms(values["generator"])
        }

    def loss_at_start(self, values: Values) -> float | None:
        """The total of networks that have learned nothing, if it is known.

        Args:
          values: generator, vocab_size and the weights of the terms.
        """
        size, weights = values["vocab_size"], self.weights(values)
        total = 0.0
        for term in self._trained_terms(values["generator"]):
            if self.stages or term.at_start is None:
                return None
            total += weights[term.name] * term.at_start(size)
        return total

    def _trained_terms(self, generator: str) -> list[Term]:
        is_trained = generator not in UNTRAINED
        return [term for term in self.terms if is_trained or term is not MLM]

    def measured(self) -> tuple[str, ...]:
        """Names of the figures that are no term's loss."""
        losses = {f"{term.name}_loss" for term in self.terms}
        return tuple(f.name for f in self.figures if f.name not in losses)

    def boundaries(self, values: Values) -> tuple[int, ...]:
        """The steps before which a new stage begins."""
        steps = (values[stage.steps] for stage in self.stages[:-1])
        return tuple(itertools.accumulate(steps))
