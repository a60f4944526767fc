"""Held-out evaluation: fixed masks and samples, all rows counted once."""

import dataclasses

import numpy as np
import tensorflow as tf

from electra_tf.data.records import Records
from electra_tf.data.records.batches import eval_batches, naming_bad_records
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.pretraining.pretrainer import Pretrainer
from electra_tf.training.distribution import Distribution

_EXAMPLES = 8


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Metrics by name with the prefix `eval_`, and examples to look at."""

    values: dict[str, float]
    examples: list[dict[str, list]]


class Evaluator:
    """Evaluates a pre-training model on held-out records.

    Args:
      pretrainer: the model; its metric sums are set aside meanwhile.
      records: the held-out split.
      tokenizer: for the examples.
      distribution: who computes which rows.
      batch_size: rows a batch, at most; the figures do not depend on it.
      num_rows: rows at most.
    """

    def __init__(
        self,
        pretrainer: Pretrainer,
        records: Records,
        tokenizer: Tokenizer,
        distribution: Distribution,
        batch_size: int,
        num_rows: int,
    ):
        self.pretrainer = pretrainer
        self.records = records
        self.tokenizer = tokenizer
        self.strategy = distribution.strategy
        replicas = distribution.num_replicas
        # Rounded up to what the replicas can share.
        size = min(batch_size, records.num_records)
        size = -(-size // replicas) * replicas

        def rows_of_worker(row, count):
            return eval_batches(records, size, num_rows, row, count)

        self.batches = distribution.batches(rows_of_worker, size)
        self._measure = tf.function(self._tensors)

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
        values = {f"eval_{n}": v for n, v in measures.measured().items()}
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
        return {
            "tokens": [vocab[i] for i in row["corrupted"][places]],
            "original": [vocab[i] for i in row["original"][places]],
            "probabilities": [
                round(float(p), 4) for p in row["probabilities"][places]
            ],
            "is_replaced": [int(r) for r in row["is_replaced"][places]],
        }
