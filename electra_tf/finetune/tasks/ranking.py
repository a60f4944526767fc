"""Passages that fit a query, and others: `ranking`, of a user's own tables."""

import collections
import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from electra_tf.config.finetuning import TaskOptions, TrainingOptions
from electra_tf.errors import require
from electra_tf.finetune import tasks
from electra_tf.finetune.models.ranker import Ranker
from electra_tf.finetune.models.two_sided import joined_sides
from electra_tf.finetune.preprocessor import encode_texts
from electra_tf.finetune.tasks import Encoded, Evaluation, Splits
from electra_tf.finetune.tasks.metrics import ranking_metrics
from electra_tf.finetune.tasks.tables import (
    TABLE_FILES,
    Row,
    first_row,
    is_number,
    read_table,
)

_TRIPLE = ("query", "positive", "negative")
_JUDGED = ("query", "passage", "label")
_TEST = ("query", "passage")


@dataclasses.dataclass(frozen=True)
class Judged:
    """A passage and how well it fits a query.

    Attributes:
      query, passage: texts.
      label: 0 where it does not fit; the higher, the better. None: not known.
    """

    query: str
    passage: str
    label: float | None = None


@dataclasses.dataclass(frozen=True)
class Triple:
    """A passage that fits a query, and one that fits less."""

    query: str
    positive: str
    negative: str


class Ranking(tasks.Task):
    """Passages in the order in which they fit their query.

    Measured by MRR@10 and NDCG@10 over the queries of dev, each with those
    passages that dev names with it.

    Args:
      name: on the command line.
      splits: of `Judged` and `Triple`s.
      loss: "binary", of each passage by itself; or "pairwise".

    Raises:
      InputError: training has nothing to tell apart, or no passage of dev
        fits its query.
    """

    metric = "mrr@10"

    def __init__(self, name: str, splits: Splits, loss: str = "binary"):
        self.name, self.loss = name, loss
        dev = {n: judged_of(examples) for n, examples in splits.dev.items()}
        test = {n: judged_of(examples) for n, examples in splits.test.items()}
        rule = (
            "the training file must hold, of one query, a passage that fits "
            "and one that fits less"
        )
        require(any(triples_of(splits.train)), rule, "none")
        notes = splits.notes
        for set_name, judged in dev.items():
            fits = {each.query for each in judged if each.label > 0}
            rule = f"{set_name} must hold a passage that fits its query"
            require(bool(fits), rule, "none")
            others = {each.query for each in judged} - fits
            if others:
                notes += (
                    f"{set_name}: no passage fits {len(others)} of "
                    f"{len(others) + len(fits)} queries: each counts as 0",
                )
        self.splits = Splits(splits.train, dev, test, notes)

    def encode(self, tokenizer, examples, max_seq_length, is_training=False):
        if is_training and self.loss == "pairwise":
            triples = list(triples_of(examples))
            sides = ("positive", "negative")
            rows = [
                encode_texts(
                    tokenizer,
                    [(t.query, getattr(t, side)) for t in triples],
                    max_seq_length,
                )
                for side in sides
            ]
            inputs = joined_sides([ids for ids, _ in rows])
            return Encoded(triples, inputs, None, max(n for _, n in rows))
        if is_training:
            examples = list(_each_judged(examples))
        pairs = [(each.query, each.passage) for each in examples]
        inputs, num_cut = encode_texts(tokenizer, pairs, max_seq_length)
        labels = [each.label for each in examples]
        targets = None
        if None not in labels:
            targets = (np.array(labels) > 0).astype(np.float32)
        return Encoded(examples, inputs, targets, num_cut)

    def build_model(self, plan: TrainingOptions) -> Ranker:
        return tasks.build(Ranker, plan)

    def evaluate(self, encoded, outputs):
        queries = [each.query for each in encoded.examples]
        labels = [each.label for each in encoded.examples]
        return Evaluation(ranking_metrics(queries, labels, outputs))

    def predictions(self, test_set, encoded, outputs, metrics):
        lines = [f"{n}\t{score:.4f}\n" for n, score in enumerate(outputs)]
        return {f"{test_set}.tsv": "".join(["index\tprediction\n", *lines])}


def triples_of(examples: Sequence[Judged | Triple]) -> Iterator[Triple]:
    """Triples as given; of judged passages, each in one or more.

    Of a query's passages with two labels, each of the smaller group stands
    with as many of the larger as it takes for all of them to occur.
    """
    yield from (each for each in examples if isinstance(each, Triple))
    by_query: dict[str, dict[float, list[str]]] = {}
    for each in examples:
        if isinstance(each, Judged):
            labels = by_query.setdefault(each.query, {})
            labels.setdefault(each.label, []).append(each.passage)
    for query, labels in by_query.items():
        for worse, better in itertools.combinations(sorted(labels), 2):
            good, bad = labels[better], labels[worse]
            for n in range(max(len(good), len(bad))):
                yield Triple(query, good[n % len(good)], bad[n % len(bad)])


def judged_of(examples: Sequence[Judged | Triple]) -> list[Judged]:
    """Each passage of each query once, with the best label that it has.

    Those without a label stay as they are, in their order.
    """
    judged = [each for each in examples if isinstance(each, Judged)]
    if len(judged) == len(examples) and all(e.label is None for e in judged):
        return judged
    best: dict[tuple[str, str], float] = collections.defaultdict(float)
    for each in _each_judged(examples):
        key = (each.query, each.passage)
        best[key] = max(best[key], each.label)
    return [Judged(*key, label) for key, label in best.items()]


def _each_judged(examples: Sequence[Judged | Triple]) -> Iterator[Judged]:
    for each in examples:
        if isinstance(each, Triple):
            yield Judged(each.query, each.positive, 1.0)
            yield Judged(each.query, each.negative, 0.0)
        else:
            yield each


def read_ranking(path: str, split: str) -> list[Judged | Triple]:
    """Reads triples, or passages with their labels.

    The columns are `query`, `positive`, `negative`, or `query`, `passage`,
    `label` (of a test file no label is needed). A file whose first row is none
    of these has no such row: its columns are in that order, and labels where
    all third cells are numbers.

    Raises:
      InputError: other columns; an empty text; a label below 0.
    """
    is_test = split == "test"
    first = first_row(path)
    has_names = path.removesuffix(".gz").endswith(".jsonl")
    if has_names or "query" in first:
        table = read_table(path)
    else:
        rule = (
            f"{path} must have columns {', '.join(_TRIPLE)}, or "
            f"{', '.join(_JUDGED)}"
        )
        widths = (2, 3) if is_test else (3,)
        require(len(first) in widths, rule, first)
        table = read_table(path, _JUDGED[: len(first)])
        labels = [row.values.get("label", "0") for row in table.rows]
        if not all(map(is_number, labels)):
            table = read_table(path, _TRIPLE)
    names = set(table.columns)
    if "positive" in names:
        table.require(_TRIPLE)
        return [Triple(*map(row.text, _TRIPLE)) for row in table.rows]
    table.require(_TEST if is_test else _JUDGED)
    return [_judged(row, not is_test) for row in table.rows]


def _judged(row: Row, with_label: bool) -> Judged:
    query, passage = map(row.text, _TEST)
    if not with_label:
        return Judged(query, passage)
    label = row.number("label")
    require(label >= 0, f"{row.where}: a label must not be below 0", label)
    return Judged(query, passage, label)


@tasks.register("ranking")
def open_ranking(options: TaskOptions) -> Ranking:
    """A user's own tables of queries and passages, see `read_ranking`."""
    files = tasks.find_files("ranking", TABLE_FILES, options)
    splits = tasks.read_splits(files, read_ranking, "ranking")
    return Ranking("ranking", splits, options.ranking_loss)
