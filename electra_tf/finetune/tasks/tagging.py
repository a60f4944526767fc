"""Tasks about each word: chunks, entities, or any other tags."""

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from electra_tf.config.finetuning import TaskOptions, TrainingOptions
from electra_tf.data.tokenizers import Tokenizer, pack_segments
from electra_tf.errors import require
from electra_tf.finetune import tasks
from electra_tf.finetune.models import rules, tag_schemes
from electra_tf.finetune.models.tagger import Tagger
from electra_tf.finetune.preprocessor import ragged_rows, split_rows
from electra_tf.finetune.tasks import SPLITS, Encoded, Evaluation, Splits, conll
from electra_tf.finetune.tasks.conll import Sentence, read_conll
from electra_tf.finetune.tasks.metrics import entity_metrics

_WORDS_AT_ONCE = 8192
_UNTAGGED = "_"  # what a word that was cut off is called, beside spans


class Tagging(tasks.Task):
    """A tag for each word; its first piece is classified.

    Tags of spans are learned as BIOES and measured by entity F1, others by
    accuracy. Words that are cut off are errors: outside of all spans, and
    wrong.

    Args:
      name: on the command line.
      splits: of `Sentence`s.

    Raises:
      InputError: there is one tag only; or, among tags of spans, one that is
        none, in training or dev.
    """

    def __init__(self, name: str, splits: Splits):
        self.name = name
        held_out = list(itertools.chain(*splits.dev.values()))
        tags = {tag for sentence in splits.train for tag in sentence.tags}
        self.has_spans = tag_schemes.are_spans(tags)
        if self.has_spans:
            conll.require_spans([*splits.train, *held_out])
        self.metric = "f1" if self.has_spans else "accuracy"
        self.labels = sorted(tags)
        if self.has_spans:
            self.labels = tag_schemes.bioes_labels(tags)
        rule = "the training file must hold two tags or more"
        require(len(self.labels) > 1, rule, self.labels)
        found = (self._learned(sentence.tags) for sentence in held_out)
        unseen = set(itertools.chain(*found)) - set(self.labels)
        notes = splits.notes
        if unseen:
            names = ", ".join(sorted(unseen))
            notes += (
                f"dev has tags that training has not, {names}: they count as "
                "errors",
            )
        self.splits = dataclasses.replace(splits, notes=notes)

    def encode(self, tokenizer, examples, max_seq_length, is_training=False):
        pieces = word_pieces(tokenizer, examples)
        heads = [_heads(words, max_seq_length) for words in pieces]
        ids = ragged_rows([np.concatenate(words) for words in pieces])
        packed = pack_segments(tokenizer, ids, None, max_seq_length)
        inputs = {name: x.numpy() for name, x in packed.trimmed().items()}
        targets = None
        if is_training:
            targets = np.full(
                inputs["input_ids"].shape, rules.IGNORED, np.int32
            )
            number = {label: n for n, label in enumerate(self.labels)}
            for row, places in enumerate(heads):
                tags = self._learned(examples[row].tags)[: len(places)]
                targets[row, places] = [number[tag] for tag in tags]
        pairs = zip(examples, heads, strict=True)
        lost = [len(e.words) - len(places) for e, places in pairs]
        num_cut = int(np.count_nonzero(lost))
        notes = ()
        if num_cut:
            notes = (f"{sum(lost)} words were cut off; they count as errors",)
        return Encoded(
            examples, inputs, targets, num_cut, heads, notes, by_token=True
        )

    def build_model(self, plan: TrainingOptions) -> Tagger:
        return tasks.build(Tagger, plan, labels=self.labels)

    def evaluate(self, encoded, outputs):
        gold = [self._learned(s.tags) for s in encoded.examples]
        predicted = self._tags(encoded, outputs)
        # Only words with a place in the input can be right.
        num_right = sum(
            tag == other
            for tags, said, places in zip(
                gold, predicted, encoded.rows, strict=True
            )
            for tag, other in zip(tags[: len(places)], said, strict=False)
        )
        num_words = sum(map(len, gold))
        metrics = {"accuracy": 100 * num_right / num_words}
        if self.has_spans:
            metrics = {**entity_metrics(gold, predicted), **metrics}
        return Evaluation(metrics)

    def predictions(self, test_set, encoded, outputs, metrics):
        lines = []
        predicted = self._tags(encoded, outputs)
        for sentence, tags in zip(encoded.examples, predicted, strict=True):
            if self.has_spans:
                tags = tag_schemes.to_bio(tags)
            pairs = zip(sentence.words, tags, strict=True)
            lines += [f"{word}\t{tag}\n" for word, tag in pairs] + ["\n"]
        return {f"{self.name}.conll": "".join(lines)}

    def _learned(self, tags: Sequence[str]) -> Sequence[str]:
        return tag_schemes.to_bioes(tags) if self.has_spans else tags

    def _tags(self, encoded: Encoded, outputs: np.ndarray) -> list[list[str]]:
        """The tags of all words, also of those that were cut off."""
        numbers = np.argmax(outputs, axis=-1)
        missing = tag_schemes.OUTSIDE if self.has_spans else _UNTAGGED
        found = []
        for row, places in enumerate(encoded.rows):
            tags = [self.labels[n] for n in numbers[row, places]]
            lost = len(encoded.examples[row].words) - len(places)
            found.append(tags + [missing] * lost)
        return found


def word_pieces(
    tokenizer: Tokenizer, sentences: Sequence[Sentence]
) -> list[list[np.ndarray]]:
    """Ids of each word's pieces, at least one: a word of which the tokenizer
    leaves nothing becomes [UNK]."""
    words = sorted({word for s in sentences for word in s.words})
    ids: dict[str, np.ndarray] = {}
    for first in range(0, len(words), _WORDS_AT_ONCE):
        some = words[first : first + _WORDS_AT_ONCE]
        rows = split_rows(tokenizer.tokenize(tf.constant(some)))
        ids.update(zip(some, rows, strict=True))
    unknown = np.array([tokenizer.unk_id], np.int32)
    ids = {word: row if len(row) else unknown for word, row in ids.items()}
    return [[ids[word] for word in sentence.words] for sentence in sentences]


def _heads(pieces: Sequence[np.ndarray], max_seq_length: int) -> np.ndarray:
    """Places of the words' first pieces, behind [CLS], of those that fit."""
    lengths = np.array([len(word) for word in pieces])
    places = 1 + np.cumsum(lengths) - lengths
    return places[places < max_seq_length - 1]


def open_tagging(
    name: str, usual: Mapping[str, Sequence[str]], options: TaskOptions
) -> Tagging:
    """A task of CoNLL-style files.

    Args:
      name: on the command line.
      usual: split -> names of its file.
      options: where the files are, and their columns.
    """
    files = tasks.find_files(name, usual, options)
    columns = (options.word_column, options.tag_column)

    def read(path: str, split: str) -> list[Sentence]:
        return read_conll(path, *columns, with_tags=split != "test")

    return Tagging(name, tasks.read_splits(files, read))


_PLAIN = {split: [f"{split}.txt"] for split in SPLITS}
_CONLL2003 = {
    "train": ["eng.train", "train.txt"],
    "dev": ["eng.testa", "valid.txt"],
    "test": ["eng.testb", "test.txt"],
}
_WNUT17 = {
    "train": ["wnut17train.conll"],
    "dev": ["emerging.dev.conll"],
    "test": ["emerging.test.annotated"],
}
for _name, _usual in (
    ("chunk", _PLAIN),
    ("conll2003", _CONLL2003),
    ("wnut17", _WNUT17),
    ("tagging", _PLAIN),
):
    tasks.register(_name)(functools.partial(open_tagging, _name, _usual))
