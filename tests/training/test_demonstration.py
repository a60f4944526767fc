"""Swapping words in held-out examples, and finding them again."""

import re

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.data.records.format import ExampleSerializer
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.training.evaluation import demonstrate, swap_words

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["apple", "bread", "cheese", "dates", "##ing", "of", "a1b2"]
LENGTH, COUNT = 12, 40
TOKENIZER = Tokenizer(SPECIAL + WORDS)
WHOLE = [i for i, w in enumerate(TOKENIZER.vocab) if w in WORDS[:4]]


class HeldOut:
    """Examples of 3 to 10 random pieces, as `Records` gives them."""

    max_seq_length, num_records = LENGTH, COUNT

    def __init__(self, pieces=tuple(range(5, 12))):
        rng = np.random.default_rng(3)
        serialize = ExampleSerializer(TOKENIZER.vocab_size, LENGTH)
        self.rows = [
            [2, *rng.choice(pieces, rng.integers(3, 11)).tolist(), 3]
            for _ in range(COUNT)
        ]
        self.serialized = [serialize(row, len(row), 0) for row in self.rows]

    def read(self, numbers):
        return [self.serialized[number] for number in numbers]


def test_one_whole_word_is_swapped_for_another_in_each_example():
    held_out = HeldOut()
    swapped = swap_words(TOKENIZER, held_out, COUNT, seed=1)
    originals = {tuple(row) for row in held_out.rows}
    rows = zip(swapped.ids, swapped.mask, swapped.places, strict=True)
    for ids, mask, place in rows:
        row = ids[: mask.sum()].tolist()
        assert row[place] in WHOLE
        back = [(*row[:place], word, *row[place + 1 :]) for word in WHOLE]
        assert any(
            original in originals
            for original in back
            if original[place] != row[place]
        )


def test_the_seed_decides():
    one, same, other = (
        swap_words(TOKENIZER, HeldOut(), COUNT, seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.ids, same.ids)
    assert one.ids.shape != other.ids.shape or (one.ids != other.ids).any()


def test_text_without_whole_words_has_nothing_to_swap():
    assert swap_words(TOKENIZER, HeldOut((9, 10, 11)), COUNT, 1) is None
    text = demonstrate(None, TOKENIZER, HeldOut((9, 10, 11)), 1)
    assert "no held-out sentence" in text


@pytest.mark.parametrize(("knows", "share"), [(True, "100%"), (False, "0%")])
def test_the_share_found_is_that_of_the_most_suspected_token(knows, share):
    held_out, seed = HeldOut(), 1
    places = swap_words(TOKENIZER, held_out, COUNT, seed).places

    def discriminator(ids, mask, segments):
        suspects = tf.one_hot(places, ids.shape[1]) * (9.0 if knows else -9.0)
        # Padding and specials are suspected most of all, and must not count.
        outside = tf.cast((mask == 0) | (ids < 5), tf.float32)
        return suspects + 99 * outside

    text = demonstrate(discriminator, TOKENIZER, held_out, seed)
    assert re.search(r"most suspected\s+token in (\d+%)", text)[1] == share
    assert text.count("<- swapped in") == 1
