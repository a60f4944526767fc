"""What a signature says of one row, as the cells of a table."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from electra_tf.data.columns import characters_before
from electra_tf.finetune.models.tag_schemes import are_spans, to_bio
from electra_tf.finetune.models.words import entities_of, tagged_words

# One row's texts, and what a signature says of them.
Texts: TypeAlias = Sequence[str]
Said: TypeAlias = Mapping[str, Any]


def _classified(texts: Texts, said: Said) -> list[Any]:
    names = said["labels"]
    scores = dict(zip(names, said["scores"], strict=True))
    if "holds" not in said:
        return [said["label"], scores]
    held = zip(names, said["holds"], strict=True)
    return [[name for name, holds in held if holds], scores]


def _scored(texts: Texts, said: Said) -> list[Any]:
    return [said["scores"]]


def _ranked(texts: Texts, said: Said) -> list[Any]:
    return said["scores"]  # of one passage


def _tagged(texts: Texts, said: Said) -> list[Any]:
    count = said["num_words"]
    tags = said["labels"][:count]
    has_spans = are_spans(tags)
    places = (said[n][:count] for n in ("scores", "starts", "ends"))
    words = tagged_words(texts[0], to_bio(tags) if has_spans else tags, *places)
    entities = entities_of(texts[0], words) if has_spans else []
    return [
        [word.word for word in words],
        [word.tag for word in words],
        [dataclasses.asdict(entity) for entity in entities],
    ]


def _answered(texts: Texts, said: Said) -> list[Any]:
    before = characters_before(texts[1].encode())
    places = [int(before[said[name]]) for name in ("start", "end")]
    return [said["answer"], *places, said["score"], said["null_score"]]


def _encoded(texts: Texts, said: Said) -> list[Any]:
    return [said["embeddings"]]


def _embedded(texts: Texts, said: Said) -> list[Any]:
    """As `embed` of a model: the mean, 1 long."""
    mean = np.array(said["mean"], np.float32)
    return [(mean / np.linalg.norm(mean)).tolist()]


def _detected(texts: Texts, said: Said) -> list[Any]:
    count = said["num_tokens"]
    before = characters_before(texts[0].encode())
    places = [before[said[n][:count]].tolist() for n in ("starts", "ends")]
    names = ("tokens", "probabilities")
    return [*(said[name][:count] for name in names), *places]


@dataclasses.dataclass(frozen=True)
class Kind:
    """A signature's texts, and what is written of its answers.

    Attributes:
      reads: usual columns of its texts, in the order of its inputs.
      writes: columns of what it says.
      written: a row's cells, of its texts and what the signature says.
    """

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    written: Callable[[Texts, Said], list[Any]]

    def cells(self, texts: Texts, said: Said) -> list[str]:
        """A row's cells as a TSV file holds them."""
        return [_cell(value) for value in self.written(texts, said)]


_ONE, _PAIR = ("text",), ("text", "text_pair")
_LABELS = ("label", "scores")
# In the order in which a model is asked; a pair where the input has pairs.
KINDS = {
    "classify": Kind(_ONE, _LABELS, _classified),
    "classify_pair": Kind(_PAIR, _LABELS, _classified),
    "regress": Kind(_ONE, ("score",), _scored),
    "regress_pair": Kind(_PAIR, ("score",), _scored),
    "rank": Kind(("query", "passage"), ("score",), _ranked),
    "tag": Kind(_ONE, ("words", "tags", "entities"), _tagged),
    "answer": Kind(
        ("question", "context"),
        ("answer", "start", "end", "score", "null_score"),
        _answered,
    ),
    "encode": Kind(_ONE, ("embedding",), _encoded),
    "detect": Kind(
        _ONE, ("tokens", "probabilities", "starts", "ends"), _detected
    ),
    "embed": Kind(_ONE, ("embedding",), _embedded),
}


def plain(tensor: tf.Tensor) -> list[Any]:
    """Nested lists of Python's values; floats with float32's digits."""
    array = tensor.numpy()
    if array.dtype == object:
        decoded = [value.decode("utf-8", "replace") for value in array.flat]
        array = np.array(decoded, object).reshape(array.shape)
    return array.tolist()


def _cell(value: Any) -> str:
    """Texts as they are but for tabs and line ends; lists as JSON."""
    if isinstance(value, str):
        return " ".join(value.split()) if set(value) & set("\t\r\n") else value
    if isinstance(value, float):
        return f"{value:.7g}"
    return json.dumps(_rounded(value), ensure_ascii=False)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return value
