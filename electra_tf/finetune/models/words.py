"""Words of running text, their tags, and the entities that tags make."""

import dataclasses
import statistics
from collections.abc import Sequence

import tensorflow as tf

from electra_tf.data.columns import characters_before
from electra_tf.data.tokenizers import PackedSegments, Tokenizer, pack_segments
from electra_tf.finetune.models.tag_schemes import spans_of


@dataclasses.dataclass(frozen=True)
class TaggedWord:
    """A word of a text and its tag.

    Attributes:
      word: what stands between white space.
      tag: its first piece's label; of spans in IOB2.
      score: the label's probability.
      start, end: the word is `text[start:end]`, in characters.
    """

    word: str
    tag: str
    score: float
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Entity:
    """Words of a text that are one span.

    Attributes:
      text: from the first word to the last.
      label: the span's type, as PER of B-PER.
      score: mean of its words'.
      start, end: it is `text[start:end]`, in characters.
    """

    text: str
    label: str
    score: float
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Words:
    """The words of some texts, those that fit; W in all.

    Attributes:
      packed: the texts as rows of ids.
      places: of each word's first piece in its row, int64 [B, (words)].
      starts, ends: bytes of the text, int32 [B, (words)].
    """

    packed: PackedSegments
    places: tf.RaggedTensor
    starts: tf.RaggedTensor
    ends: tf.RaggedTensor

    def gathered(self, outputs: tf.Tensor) -> tf.Tensor:
        """What the model says of each word: [B, L, C] -> [W, C]."""
        rows = self.places.value_rowids()
        index = tf.stack([rows, self.places.values], axis=1)
        return tf.gather_nd(outputs, index)


def read_words(
    tokenizer: Tokenizer, text: tf.Tensor, max_seq_length: int
) -> Words:
    """Texts, string [B], as rows of ids, and where their words stand."""
    ids, starts, ends = tokenizer.tokenize_with_offsets(text)
    begins = begins_word(text, starts, ends)
    places = 1 + tf.ragged.range(ids.row_lengths())
    ends = _word_ends(begins, ends)
    kept = begins.with_values(
        begins.values & (places.values < max_seq_length - 1)
    )
    return Words(
        pack_segments(tokenizer, ids, None, max_seq_length),
        *(tf.ragged.boolean_mask(x, kept) for x in (places, starts, ends)),
    )


def begins_word(text, starts, ends) -> tf.RaggedTensor:
    """Whether white space or nothing stands before a piece: bool [B, (n)].

    Args:
      text: string [B].
      starts, ends: int32 [B, (n)], bytes of the text.
    """
    zeros = tf.zeros([starts.nrows(), 1], ends.dtype)
    before = tf.concat([zeros, ends], 1)[:, :-1]  # where the last one ended
    gaps = tf.strings.substr(
        tf.gather(text, starts.value_rowids()),
        before.values,
        starts.values - before.values,
    )
    # Deleted characters leave gaps, too, but do not part words.
    spaced = tf.strings.regex_full_match(gaps, r"(?s).*[\s\p{Z}].*")
    is_first = tf.ragged.range(starts.row_lengths()).values == 0
    return starts.with_values(spaced | is_first)


def _word_ends(begins, ends) -> tf.RaggedTensor:
    """For each piece, where its word ends: int32 [B, (n)]."""
    word = tf.cumsum(tf.cast(begins.values, tf.int32)) - 1
    last = tf.math.segment_max(ends.values, word)
    return ends.with_values(tf.gather(last, word))


def tagged_words(
    text: str,
    tags: Sequence[str],
    scores: Sequence[float],
    starts: Sequence[int],
    ends: Sequence[int],
) -> list[TaggedWord]:
    """A text's words with their tags.

    Args:
      text: what the words stand in.
      tags, scores: of each word.
      starts, ends: of each word, bytes of the text in UTF-8.
    """
    before = characters_before(text.encode("utf-8"))
    rows = zip(tags, scores, before[starts], before[ends], strict=True)
    return [
        TaggedWord(text[start:end], tag, score, int(start), int(end))
        for tag, score, start, end in rows
    ]


def entities_of(text: str, words: Sequence[TaggedWord]) -> list[Entity]:
    """The spans that the tags of a text's words make."""
    found = []
    for label, first, last in spans_of([word.tag for word in words]):
        start, end = words[first].start, words[last].end
        score = statistics.fmean(w.score for w in words[first : last + 1])
        found.append(Entity(text[start:end], label, score, start, end))
    return found
