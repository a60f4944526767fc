"""What the SavedModels of all tasks have in common."""

from typing import Any

import tensorflow as tf

from electra_tf.finetune.models.preprocessor import TextPreprocessor
from electra_tf.finetune.models.task_model import TaskModel
from electra_tf.serving.forward import BUCKETS, Forward
from electra_tf.serving.ids import NAMES, IdRules
from electra_tf.serving.stored_weights import StoredWeights


def text_spec(name: str) -> tf.TensorSpec:
    """A batch of texts."""
    return tf.TensorSpec([None], tf.string, name)


class TaskModule(tf.Module):
    """A model, its tokenizer and its variables, as a SavedModel holds them.

    Args:
      model: fine-tuned.
      preprocessor: gives the tokenizer and the length to cut to.
      vocab_file: becomes an asset.
      dtype: how matrices are stored.
      buckets: see `Forward`.
    """

    def __init__(
        self,
        model: TaskModel,
        preprocessor: TextPreprocessor,
        vocab_file: str,
        dtype: str = "float32",
        buckets: tuple[int, ...] = BUCKETS,
    ):
        super().__init__()
        # A method: the layer itself would be saved along.
        call = model.__call__

        def network(*ids):
            return call(dict(zip(NAMES, ids, strict=True)), training=False)

        self._forward = Forward(
            network, model.weights, StoredWeights(dtype), buckets
        )
        self._rules = IdRules.of(model.encoder.embeddings)
        self.max_length = self._rules.max_length
        self.tokenizer = preprocessor.tokenizer
        self.tokenize = self.tokenizer.tokenize
        self.tokenize_with_offsets = self.tokenizer.tokenize_with_offsets
        self.max_seq_length = preprocessor.max_seq_length
        self.labels = list(getattr(model, "labels", ()))
        self.weights = self._forward.saved
        self.vocab = tf.saved_model.Asset(vocab_file)

    def outputs(self, input_ids, input_mask, segment_ids) -> Any:
        """The model's outputs; int32 [B, L], of the module's own making."""
        return self._forward(input_ids, input_mask, segment_ids)

    def outputs_of_ids(self, input_ids, input_mask, segment_ids) -> Any:
        """The model's outputs; int64 [B, L], whatever a caller sent."""
        ids = self._rules.checked(input_ids, input_mask, segment_ids)
        return self._forward(*ids)
