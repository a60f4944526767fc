"""What the discriminator makes of a sentence with one word swapped."""

import numpy as np
import tensorflow as tf

from electra_tf.data.example_format import parse_examples
from electra_tf.data.records import Records
from electra_tf.data.tokenizer import Tokenizer
from electra_tf.modeling.networks import Discriminator

_TOKENS = 24
_BAR = 30


def swapped_sentence(
    tokenizer: Tokenizer, held_out: Records, seed: int
) -> tuple[np.ndarray, int]:
    """The start of a held-out example with one word swapped for another.

    The word and its substitute are whole words of letters, both drawn from
    held-out text with the seed.

    Returns (ids with [CLS] and [SEP], int32 [n]; the swapped place).
    """
    rng = np.random.default_rng(seed)
    number = rng.integers(held_out.num_records)
    batch = parse_examples(
        tf.constant(held_out.read(np.array([number]))), held_out.max_seq_length
    )
    ids = batch["input_ids"].numpy()[0]
    ids = ids[: int(batch["input_mask"].numpy()[0].sum())]
    words = [
        place
        for place, token in enumerate(tokenizer.tokens(ids))
        if place and len(token) > 3 and token.isalpha()
    ]
    inside = [place for place in words if 4 <= place < _TOKENS - 4]
    if not inside:
        return ids[:_TOKENS], 0
    place = int(rng.choice(inside))
    others = [ids[w] for w in words if ids[w] != ids[place]]
    sentence = np.append(ids[: _TOKENS - 1], tokenizer.sep_id)
    if others:
        sentence[place] = rng.choice(others)
    return sentence, place


def demonstrate(
    discriminator: Discriminator,
    tokenizer: Tokenizer,
    held_out: Records,
    seed: int,
) -> str:
    """A table of tokens and the probability that each was replaced."""
    ids, swapped = swapped_sentence(tokenizer, held_out, seed)
    row = tf.constant(ids[None], tf.int32)
    logits = discriminator(row, tf.ones_like(row), tf.zeros_like(row))
    probabilities = tf.sigmoid(logits).numpy()[0]
    lines = ["A held-out sentence with one word swapped, and P(replaced):"]
    for place, token in enumerate(tokenizer.tokens(ids)):
        if ids[place] in (tokenizer.cls_id, tokenizer.sep_id):
            continue
        bar = "#" * round(_BAR * float(probabilities[place]))
        note = "  <- swapped in" if place == swapped else ""
        lines.append(f"  {token:>16} {probabilities[place]:.2f} {bar}{note}")
    rank = int((probabilities[1:-1] > probabilities[swapped]).sum()) + 1
    lines.append(
        f"The swapped word ranks {rank} of {len(ids) - 2} by probability."
    )
    return "\n".join(lines)
