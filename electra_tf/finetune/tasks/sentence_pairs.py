"""Pairs of texts, each encoded by itself: how near, or which belong together.

`similarity` and `pairs` read a user's own tables, `stsb_cosine` the official
files of STS-B.
"""

import dataclasses

import numpy as np

from electra_tf.config.finetuning import TaskOptions, TrainingOptions
from electra_tf.errors import require
from electra_tf.finetune import tasks
from electra_tf.finetune.models.sentence_encoder import SentenceEncoder
from electra_tf.finetune.models.two_sided import joined_sides
from electra_tf.finetune.preprocessor import encode_texts
from electra_tf.finetune.tasks import Encoded, Evaluation, glue
from electra_tf.finetune.tasks.glue_specs import GLUE
from electra_tf.finetune.tasks.metrics import (
    mean_reciprocal_rank,
    regression_metrics,
)
from electra_tf.finetune.tasks.tables import TABLE_FILES, read_table
from electra_tf.finetune.tasks.text_task import (
    Regression,
    TextExample,
    table_examples,
)

_PAIR_COLUMN = "text_pair"  # where --text_pair_column is not given
_ROWS_AT_ONCE = 256


class _Encoded:
    """A task whose model encodes both texts of a pair."""

    has_head = False

    def encode(self, tokenizer, examples, max_seq_length, is_training=False):
        columns = [e.text for e in examples], [e.text_pair for e in examples]
        sides = [
            encode_texts(tokenizer, [(t, None) for t in texts], max_seq_length)
            for texts in columns
        ]
        inputs = joined_sides([ids for ids, _ in sides])
        labels = [example.label for example in examples]
        targets = None if None in labels else self.targets(labels)
        num_cut = max(cut for _, cut in sides)
        return Encoded(examples, inputs, targets, num_cut)

    def build_model(self, plan: TrainingOptions) -> SentenceEncoder:
        return tasks.build(SentenceEncoder, plan)


@dataclasses.dataclass(eq=False, repr=False)
class Similarity(_Encoded, Regression):
    """How near two texts are: learned as the cosine of their vectors."""

    def answers(self, outputs):
        return super().answers(cosines_of(outputs))

    def evaluate(self, encoded, outputs):
        cosines = cosines_of(outputs)
        return Evaluation(regression_metrics(encoded.targets, cosines))


@dataclasses.dataclass(eq=False, repr=False)
class ContrastivePairs(_Encoded, Regression):
    """Texts that belong together, learned against the others of a batch.

    Measured by the place of a text's partner among the second texts of all
    pairs, the nearest first.
    """

    def answers(self, outputs):
        return super().answers(cosines_of(outputs))

    def evaluate(self, encoded, outputs):
        ranks = partner_ranks(outputs, [e.text_pair for e in encoded.examples])
        return Evaluation(
            {
                "mrr@10": mean_reciprocal_rank(ranks),
                "accuracy": 100 * float(np.mean(ranks == 1)),
            }
        )


def cosines_of(vectors: np.ndarray) -> np.ndarray:
    """Of each pair: float [N, 2, H] -> [N]."""
    first, second = _directions(vectors)
    return (first * second).sum(-1)


def partner_ranks(vectors: np.ndarray, partners: list[str]) -> np.ndarray:
    """The place of each text's partner, from 1: int [N].

    Partners that are the same text are one; of others as near, each stands
    before it.

    Args:
      vectors: float [N, 2, H].
      partners: the second texts.
    """
    first, second = _directions(vectors)
    _, at, number = np.unique(partners, return_index=True, return_inverse=True)
    ranks = np.empty(len(first), np.int64)
    for begin in range(0, len(first), _ROWS_AT_ONCE):
        some = slice(begin, begin + _ROWS_AT_ONCE)
        cosines = first[some] @ second[at].T  # [rows, partners]
        own = np.take_along_axis(cosines, number[some, None], axis=1)
        ranks[some] = np.count_nonzero(cosines >= own, axis=1)
    return ranks


def _directions(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    whole = vectors / np.maximum(lengths, 1e-12)
    return whole[:, 0], whole[:, 1]


def open_table(kind: type, name: str, options: TaskOptions) -> Regression:
    """A user's own tables of pairs.

    Raises:
      InputError: a file or a column is missing; a text is empty; a label is
        no number.
    """
    pair = options.text_pair_column or _PAIR_COLUMN
    label = options.label_column if kind is Similarity else None

    def read(path: str, split: str) -> list[TextExample]:
        known = None if split == "test" else label
        columns = [options.text_column, pair]
        return table_examples(read_table(path), columns, known, True)

    files = tasks.find_files(name, TABLE_FILES, options)
    splits = tasks.read_splits(files, read, name)
    if kind is ContrastivePairs:
        rule = f"{files['train']} must hold two pairs or more"
        require(len(splits.train) > 1, rule, len(splits.train))
        return ContrastivePairs(name=name, splits=splits, metric="mrr@10")
    scale = max(abs(float(e.label)) for e in splits.train) or 1.0
    return Similarity(scale, name=name, splits=splits, metric="spearman")


@tasks.register("similarity")
def open_similarity(options: TaskOptions) -> Regression:
    """Pairs of texts and how near they are, a number."""
    return open_table(Similarity, "similarity", options)


@tasks.register("pairs")
def open_pairs(options: TaskOptions) -> Regression:
    """Pairs of texts that belong together."""
    return open_table(ContrastivePairs, "pairs", options)


@tasks.register("stsb_cosine")
def open_stsb(options: TaskOptions) -> Similarity:
    """STS-B, each sentence encoded by itself."""
    task = glue.open_files(GLUE["stsb"], options)
    return Similarity(
        name="stsb_cosine",
        splits=task.splits,
        metric=task.metric,
        epochs=task.epochs,
        scale=glue.LARGEST_SCORE,
        bounds=(0.0, glue.LARGEST_SCORE),
    )
