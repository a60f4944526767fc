"""What weights of any format are once they are opened; what a format is."""

import abc
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from electra_tf.config.pretraining import PretrainingConfig
from electra_tf.data.tokenizers import Tokenizer, WordPieceTokenizer
from electra_tf.data.tokenizers.normalization import NONE
from electra_tf.data.tokenizers.word_borders import BERT
from electra_tf.errors import InputError, require


class LazyArrays(Mapping[str, np.ndarray]):
    """Arrays by variable path, each read anew whenever it is asked for.

    Args:
      paths: of the variables.
      read: path -> array.
    """

    def __init__(self, paths: Iterable[str], read: Callable[[str], np.ndarray]):
        self._paths = dict.fromkeys(paths)
        self._read = read

    def __getitem__(self, path: str) -> np.ndarray:
        if path not in self._paths:
            raise KeyError(path)
        return self._read(path)

    def __contains__(self, path: object) -> bool:
        return path in self._paths  # without reading it

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


@dataclasses.dataclass(frozen=True, eq=False)
class Head:
    """A fine-tuned model's head.

    Attributes:
      kind: which model it is the head of: "classifier", "regressor", "tagger"
        or "span_qa".
      arrays: by variable path, as `task_head/kernel`.
      style: "paper", or "huggingface", whose classifier has a dense layer
        more and whose answers are a plain start and end.
      multi_label: whether each label is judged by itself.
      dropout: before the output.
    """

    kind: str
    arrays: Mapping[str, np.ndarray]
    style: str = "paper"
    multi_label: bool = False
    dropout: float = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class AdamSlots:
    """Adam's state, by the path of the variable that was trained.

    Attributes:
      step: updates done; None where that is not said.
      m, v: first and second moments.
    """

    step: int | None
    m: Mapping[str, np.ndarray]
    v: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class RunResult:
    """What a pre-training run of ours came to, for whoever gets its weights.

    Attributes:
      step: updates done.
      held_out: figures of the last evaluation by name; {} for none.
      records: counts of documents, examples and tokens; {} where not known.
    """

    step: int
    held_out: Mapping[str, float]
    records: Mapping[str, float]


@dataclasses.dataclass(frozen=True, eq=False)
class OpenedWeights:
    """Weights of any source, under our names.

    Attributes:
      config: of the run; what defines the networks matters above all.
      tokenizer: what the ids mean.
      arrays: the networks' weights by variable path; the tables of
        gradient_disentangled summed, as anybody but the run itself uses them.
      source: what they are and where they lie, for messages.
      vocab_file: what `--vocab_file` takes for this vocabulary; "" for none.
      networks: names of the config's networks that are there (of a
        discriminator alone, it; of an encoder alone, none); None: all.
      head: of a fine-tuned model.
      labels: its labels' names, in order.
      optimizer: for going on where a run stopped.
      origin: of weights that came from somebody else: repository, commit,
        licence, as texts by name.
      result: of the run that made them, whose recipe `config` then is.
      stored_as: variable path -> the tensor that it is read from, where that
        has another name.
      scoring: the method that suits them best for scores of texts; "" for
        none named.
    """

    config: PretrainingConfig
    tokenizer: Tokenizer
    arrays: Mapping[str, np.ndarray]
    source: str = "memory"
    vocab_file: str = ""
    networks: tuple[str, ...] | None = None
    head: Head | None = None
    labels: tuple[str, ...] | None = None
    optimizer: AdamSlots | None = None
    origin: Mapping[str, str] = dataclasses.field(default_factory=dict)
    result: RunResult | None = None
    stored_as: Mapping[str, str] = dataclasses.field(default_factory=dict)
    scoring: str = ""


# What not all weights have, and not every format keeps.
OPTIONAL = ("head", "labels", "optimizer")


class WeightsFormat(abc.ABC):
    """A format that weights are read from and, where it can, written in.

    Attributes:
      name: of `--to`.
      takes: what to give, for whoever gave another thing.
      keeps: those of `OPTIONAL` that `write` keeps.
    """

    name: str
    takes: str
    keeps: tuple[str, ...] = ()

    @abc.abstractmethod
    def recognises(self, path: str) -> bool:
        """Whether `path` is of this format; looks no further than needed."""

    @abc.abstractmethod
    def read(self, path: str) -> OpenedWeights:
        """Opens what `recognises`; arrays are best read when asked for.

        Raises:
          InputError: it is damaged, or cannot be mapped to our names.
        """

    def write(
        self, weights: OpenedWeights, output_dir: str, dtype: str
    ) -> None:
        """Writes a folder whole or not at all; not every format can.

        Raises:
          InputError: the format cannot hold this, or the folder not be
            written.
        """
        raise NotImplementedError

    def plan(self, weights: OpenedWeights) -> list[tuple[str, str]]:
        """(name that `write` gives, variable path here) of every tensor."""
        paths = [*weights.arrays]
        if weights.head is not None and "head" in self.keeps:
            paths += weights.head.arrays
        return [(path, path) for path in paths]

    @property
    def is_writable(self) -> bool:
        return type(self).write is not WeightsFormat.write


FORMATS: dict[str, WeightsFormat] = {}


def register(weights_format: WeightsFormat) -> None:
    """Lets `open_weights` and `save_weights` know a format."""
    name = weights_format.name
    if name in FORMATS:
        raise InputError(
            f"a weights format's name must be new; received {name!r}"
        )
    FORMATS[name] = weights_format


def as_wordpiece(
    tokenizer: Tokenizer, reader: str, borders: Sequence[str] = (BERT,)
) -> WordPieceTokenizer:
    """The tokenizer, for a `reader` that knows WordPiece alone.

    Raises:
      InputError: it is of another kind, or parts words another way.
    """
    rule = f"a tokenizer for {reader} must be of the kind wordpiece"
    if not isinstance(tokenizer, WordPieceTokenizer):
        raise InputError(f"{rule}; received {tokenizer.kind!r}")
    found = tokenizer.word_borders
    rule = f"word_borders for {reader} must be one of {', '.join(borders)}"
    require(found in borders, rule, found)
    rule = f"unicode_normalization for {reader} must be {NONE}"
    form = tokenizer.unicode_normalization
    require(form == NONE, rule, form)
    return tokenizer
