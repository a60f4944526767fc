"""Held-out evaluation: fixed masks and samples, all rows counted once.

And what the discriminator makes of held-out sentences with a word swapped.
"""

import dataclasses
from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from electra_tf.data.records import Records
from electra_tf.data.records.batches import eval_batches, naming_bad_records
from electra_tf.data.records.format import parse_examples
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.modeling.networks import Discriminator
from electra_tf.pretraining.pretrainer import Pretrainer
from electra_tf.training.distribution import Distribution
from electra_tf.training.sources import Source

# What else an evaluation measures, by name; made of a run's networks.
Measure = Callable[[], Mapping[str, float]]
MakeMeasure = Callable[[Mapping[str, keras.Model], Tokenizer], Measure]

_EXAMPLES = 8
_SENTENCES = 200  # with a word swapped
_LONGEST = 32  # tokens of a sentence that is shown
_BAR = 30


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Metrics by name with the prefix `eval_`, and examples to look at."""

    values: dict[str, float]
    examples: list[dict[str, list]]


class Evaluator:
    """Evaluates a pre-training model on held-out records.

    Args:
      pretrainer: the model; its metric sums are set aside meanwhile.
      source: its held-out split is read, in batches of `eval_batch_size` rows
        at most; the figures do not depend on it.
      distribution: who computes which rows.
      more: what else is measured.
    """

    def __init__(
        self,
        pretrainer: Pretrainer,
        source: Source,
        distribution: Distribution,
        more: Measure = dict,
    ):
        self.pretrainer = pretrainer
        self.records = records = source.held_out
        self.tokenizer = source.tokenizer
        self.strategy = distribution.strategy
        run, replicas = source.config.run, distribution.num_replicas
        num_rows = run.eval_batch_size * run.num_eval_steps
        # Rounded up to what the replicas can share.
        size = min(run.eval_batch_size, records.num_records)
        size = -(-size // replicas) * replicas

        def rows_of_worker(row, count):
            return eval_batches(records, size, num_rows, row, count)

        self.batches = distribution.batches(rows_of_worker, size)
        self._measure = tf.function(self._tensors, autograph=False)
        self._more = more

    def _tensors(self, batch, stage):
        # Traced once a stage: the objective computes something else in each.
        return self.strategy.run(self._tensors_of_replica, args=(batch,))

    def _tensors_of_replica(self, batch):
        outcome = self.pretrainer.measure(batch)
        detection = outcome.detection
        if detection is None:
            return {}
        return {
            "original": batch["input_ids"],
            "mask": outcome.input_mask,
            "corrupted": outcome.corrupted.input_ids,
            "is_replaced": detection.labels,
            "probabilities": tf.sigmoid(detection.logits),
        }

    def __call__(self) -> Evaluation:
        """One evaluation; training's own metric sums stay as they were."""
        measures = self.pretrainer.measures
        kept = [variable.numpy() for variable in measures.variables]
        measures.reset_state()
        stage = self.pretrainer.objective.stage
        examples: list[dict[str, list]] = []
        with naming_bad_records(self.records):
            for batch in self.batches:
                tensors = self._measure(batch, stage)
                if not examples and tensors:
                    examples = self._examples(tensors)
        found = {**measures.measured(), **self._more()}
        values = {f"eval_{n}": v for n, v in found.items()}
        for variable, value in zip(measures.variables, kept, strict=True):
            variable.assign(value)
        return Evaluation(values, examples)

    def _examples(self, tensors: dict[str, tf.Tensor]) -> list[dict[str, list]]:
        rows = {
            name: np.concatenate(self.strategy.experimental_local_results(v))
            for name, v in tensors.items()
        }
        return [
            self._example({name: value[row] for name, value in rows.items()})
            for row in range(min(_EXAMPLES, len(rows["mask"])))
            if rows["mask"][row].any()
        ]

    def _example(self, row: dict[str, np.ndarray]) -> dict[str, list]:
        vocab = self.tokenizer.vocab
        places = np.flatnonzero(row["mask"])
        shown = {name: values[places].tolist() for name, values in row.items()}
        return {
            "tokens": [vocab[i] for i in shown["corrupted"]],
            "original": [vocab[i] for i in shown["original"]],
            "probabilities": [
                round(float(p), 4) for p in shown["probabilities"]
            ],
            "is_replaced": shown["is_replaced"],
        }


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
    more, or with an ideograph; the substitutes are drawn from all such words
    of these examples, so by frequency. None where no example has such words.
    """
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(held_out.num_records)[:count]
    batch = parse_examples(
        tf.constant(held_out.read(numbers)), held_out.max_seq_length
    )
    ids = batch["input_ids"].numpy()[:, :_LONGEST].copy()
    mask = batch["input_mask"].numpy()[:, :_LONGEST]
    is_word = np.array([_says_much(word) for word in tokenizer.words])
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


def _says_much(word: str) -> bool:
    return len(word) > 3 or any("\u3400" <= char <= "\u9fff" for char in word)


def demonstrate(
    discriminator: Discriminator,
    tokenizer: Tokenizer,
    held_out: Records,
    seed: int,
) -> str:
    """One sentence token by token, and how often the swap is found in many."""
    swapped = swap_words(tokenizer, held_out, _SENTENCES, seed)
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
