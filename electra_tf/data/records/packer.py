"""What one process does: text of documents -> serialised examples."""

import collections
import contextlib
import dataclasses
import gc
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from electra_tf.data.records.examples import DocumentDraws, ExampleBuilder
from electra_tf.data.records.format import ExampleSerializer
from electra_tf.data.text.cutting import cut_behind, split_sentences
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.files import read_json, write_text


@dataclasses.dataclass(frozen=True)
class Document:
    """A document: its number, its lines, whether it is held out."""

    number: int
    lines: Sequence[str]
    held_out: bool


@dataclasses.dataclass
class Stats:
    """Counts over documents; they add up.

    Attributes:
      documents: with at least one token.
      train_examples: made of documents that are not held out.
      eval_examples: made of held-out documents.
      tokens_seen: tokens of the text.
      tokens_kept: those that an example holds.
      unknown: those seen that are [UNK].
      padding: places of examples without a token.
      bytes: of text, in UTF-8.
    """

    documents: int = 0
    train_examples: int = 0
    eval_examples: int = 0
    tokens_seen: int = 0
    tokens_kept: int = 0
    unknown: int = 0
    padding: int = 0
    bytes: int = 0

    def add(self, other: "Stats") -> None:
        """Adds the counts of other documents."""
        for field in dataclasses.fields(self):
            total = getattr(self, field.name) + getattr(other, field.name)
            setattr(self, field.name, total)


@dataclasses.dataclass
class Counted:
    """What was counted over some text; it adds up, and can be saved.

    Attributes:
      token_counts: int64 [V], over the train split, padding left out.
      stats: over all examples.
      replaced: lines that are not UTF-8, by file.
    """

    token_counts: np.ndarray
    stats: Stats
    replaced: collections.Counter[str]

    @classmethod
    def nothing(cls, vocab_size: int) -> "Counted":
        """The counts of no text."""
        counts = np.zeros(vocab_size, np.int64)
        return cls(counts, Stats(), collections.Counter())

    def add(self, other: "Counted") -> "Counted":
        """Adds the counts of other text; returns the sum, this object."""
        self.token_counts += other.token_counts
        self.stats.add(other.stats)
        self.replaced.update(other.replaced)
        return self

    def save(self, path: str) -> None:
        """Writes a file, whole or not at all."""
        values = {
            "token_counts": self.token_counts.tolist(),
            "stats": dataclasses.asdict(self.stats),
            "replaced": self.replaced,
        }
        write_text(path, json.dumps(values))

    @classmethod
    def load(cls, path: str) -> "Counted":
        """Reads what `save` wrote."""
        values = read_json(path)
        return cls(
            np.array(values["token_counts"], np.int64),
            Stats(**values["stats"]),
            collections.Counter(values["replaced"]),
        )


@dataclasses.dataclass
class Packed:
    """Records of some documents, in order, and what was counted.

    Attributes:
      train: serialised examples.
      eval: serialised examples of held-out documents.
      counted: over all of them.
    """

    train: list[bytes]
    eval: list[bytes]
    counted: Counted


class DocumentPacker:
    """Tokenises documents and makes records of them.

    Args:
      tokenizer: the tokenizer.
      max_seq_length: of every example.
      seed: with a document's number it determines its examples.
      split_long_lines: see `ExampleBuilder`.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        max_seq_length: int,
        seed: int,
        split_long_lines: bool,
    ):
        self._tokenizer = tokenizer
        self._max = max_seq_length
        self._seed = seed
        self._split = split_long_lines
        self._builder = ExampleBuilder(
            tokenizer.cls_id,
            tokenizer.sep_id,
            max_seq_length,
            split_long_lines,
            tokenizer.may_cut.tolist(),
        )
        self._serialize = ExampleSerializer(
            tokenizer.vocab_size, max_seq_length
        )

    def pack(self, documents: Sequence[Document]) -> Packed:
        """Makes the records of some documents."""
        with _garbage_collector_paused():
            return self._pack(documents)

    def _pack(self, documents: Sequence[Document]) -> Packed:
        counted = Counted.nothing(self._tokenizer.vocab_size)
        packed = Packed([], [], counted)
        train_ids = []
        for document, lines in zip(
            documents, self._tokenize(documents, counted.stats), strict=True
        ):
            ids = self._pack_document(document, lines, packed)
            if not document.held_out:
                train_ids += ids
        counted.token_counts += np.bincount(
            np.array(train_ids, np.int64), minlength=counted.token_counts.size
        )
        counted.stats.train_examples = len(packed.train)
        counted.stats.eval_examples = len(packed.eval)
        return packed

    def _pack_document(
        self, document: Document, lines: list[list[list[int]]], packed: Packed
    ) -> list[int]:
        """Appends the document's records; returns their ids together."""
        draws = DocumentDraws(self._seed, document.number)
        records = packed.eval if document.held_out else packed.train
        stats, all_ids = packed.counted.stats, []
        before = len(records)
        for example in self._builder.build(lines, draws):
            ids, first_length, second_length = self._builder.layout(example)
            records.append(self._serialize(ids, first_length, second_length))
            all_ids += ids
            stats.tokens_kept += len(example.first) + len(example.second)
        made = len(records) - before
        stats.documents += made > 0
        stats.padding += made * self._max - len(all_ids)
        return all_ids

    def _tokenize(
        self, documents: Sequence[Document], stats: Stats
    ) -> list[list[list[list[int]]]]:
        """Token ids by document, line and sentence."""
        lines = [line for document in documents for line in document.lines]
        parts = [split_sentences(x) if self._split else [x] for x in lines]
        cut = self._whole if self._tokenizer.IN_CONTEXT else self._each
        found = iter(cut(parts, lines, stats))
        return [[next(found) for _ in doc.lines] for doc in documents]

    def _each(
        self, parts: list[list[str]], lines: list[str], stats: Stats
    ) -> Iterator[list[list[int]]]:
        """Ids of each line's sentences, each by itself."""
        texts = _encoded(itertools.chain(*parts))
        rows = iter(self._rows(self._tokenizer.tokenize(texts), texts, stats))
        return ([next(rows) for _ in sentences] for sentences in parts)

    def _whole(
        self, parts: list[list[str]], lines: list[str], stats: Stats
    ) -> Iterator[list[list[int]]]:
        """Ids of lines, read whole, and then cut where sentences end."""
        if self._split:
            lines = [" ".join(line.split()) for line in lines]
            parts = list(map(cut_behind, parts, lines))
        normalize = self._tokenizer.normalize
        texts, flat = map(_encoded, (lines, itertools.chain(*parts)))
        ids, starts, _ = self._tokenizer.split(normalize(texts))
        lengths = iter(tf.strings.length(normalize(flat)).numpy())
        for row, begins, own in zip(
            self._rows(ids, texts, stats),
            np.split(starts.values.numpy(), starts.row_splits.numpy()[1:-1]),
            parts,
            strict=True,
        ):
            borders = np.cumsum([next(lengths) for _ in own])[:-1]
            cuts = np.searchsorted(begins, borders).tolist()
            yield [row[a:b] for a, b in itertools.pairwise([0, *cuts, None])]

    def _rows(
        self, ids: tf.RaggedTensor, texts: tf.Tensor, stats: Stats
    ) -> list[list[int]]:
        """The rows as lists; they are counted."""
        values = ids.values.numpy()
        stats.bytes += int(tf.reduce_sum(tf.strings.length(texts)))
        stats.tokens_seen += values.size
        stats.unknown += int(np.sum(values == self._tokenizer.unk_id))
        pieces, splits = values.tolist(), ids.row_splits.numpy().tolist()
        return [pieces[a:b] for a, b in itertools.pairwise(splits)]


def _encoded(texts: Iterable[str]) -> tf.Tensor:
    return tf.constant([x.encode("utf-8", "replace") for x in texts], tf.string)


@contextlib.contextmanager
def _garbage_collector_paused() -> Iterator[None]:
    # It would walk the many lists of tokens, in a quarter of the whole time,
    # and find no cycles among them.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
