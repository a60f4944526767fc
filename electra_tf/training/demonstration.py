"""What the discriminator makes of sentences with one word swapped."""

import dataclasses

import numpy as np
import tensorflow as tf

from electra_tf.data.records import Records
from electra_tf.data.records.format import parse_examples
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.modeling.networks import Discriminator

_LONGEST = 32  # tokens of a sentence that is shown
_EXAMPLES = 200
_BAR = 30


@dataclasses.dataclass(frozen=True)
class Swapped:
    """Held-out examples, each with one whole word swapped for another.

    Attributes:
      ids, mask: int32 [B, L].
      places: int32 [B], where the swap is.
    """

    ids: np.ndarray
    mask: np.ndarray
    places: np.ndarray


def swap_words(
    tokenizer: Tokenizer, held_out: Records, count: int, seed: int
) -> Swapped | None:
    """Swaps a word in up to `count` held-out examples.

    The swapped words and their substitutes are whole words of four letters or
    more, the substitutes drawn from all such words of these examples, so by
    frequency. None where no example has such words.
    """
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(held_out.num_records)[:count]
    batch = parse_examples(
        tf.constant(held_out.read(numbers)), held_out.max_seq_length
    )
    ids = batch["input_ids"].numpy()[:, :_LONGEST].copy()
    mask = batch["input_mask"].numpy()[:, :_LONGEST]
    is_word = np.array([len(word) > 3 for word in tokenizer.words])
    words = is_word[ids] & (mask > 0)
    pool = ids[words]
    rows = np.flatnonzero(words.any(axis=1))
    if not len(rows) or len(set(pool.tolist())) < 2:
        return None
    places = np.zeros(len(ids), np.int32)
    for row in rows:
        places[row] = rng.choice(np.flatnonzero(words[row]))
        old = ids[row, places[row]]
        ids[row, places[row]] = rng.choice(pool[pool != old])
    return Swapped(ids[rows], mask[rows], places[rows])


def demonstrate(
    discriminator: Discriminator,
    tokenizer: Tokenizer,
    held_out: Records,
    seed: int,
) -> str:
    """One sentence token by token, and how often the swap is found in many."""
    swapped = swap_words(tokenizer, held_out, _EXAMPLES, seed)
    if swapped is None:
        return "(no held-out sentence has words to swap)"
    ids, mask = tf.constant(swapped.ids), tf.constant(swapped.mask)
    logits = discriminator(ids, mask, tf.zeros_like(ids))
    probabilities = tf.sigmoid(logits).numpy()
    specials = [tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id]
    text = ~np.isin(swapped.ids, specials) & (swapped.mask > 0)
    # The one that reads best: with the most whole words.
    whole = np.array([bool(word) for word in tokenizer.words])
    row = int((whole[swapped.ids] & text).sum(axis=1).argmax())
    lines = ["A held-out sentence with one word swapped, and P(replaced):"]
    for place in np.flatnonzero(text[row]):
        token = tokenizer.vocab[swapped.ids[row, place]]
        probability = probabilities[row, place]
        bar = "#" * round(_BAR * float(probability))
        note = "  <- swapped in" if place == swapped.places[row] else ""
        lines.append(f"  {token:>16} {probability:.2f} {bar}{note}")
    found, chance = _found(probabilities, text, swapped.places)
    lines.append(
        f"In {len(text)} such sentences the swapped word is the most suspected "
        f"token in {found:.0%} (chance {chance:.0%})."
    )
    return "\n".join(lines)


def _found(
    probabilities: np.ndarray, text: np.ndarray, places: np.ndarray
) -> tuple[float, float]:
    """Share of rows whose swapped token is suspected most, and of a guess."""
    most = np.where(text, probabilities, -1).argmax(axis=1)
    return float((most == places).mean()), float((1 / text.sum(axis=1)).mean())
