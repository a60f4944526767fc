"""What the SavedModels of all tasks have in common."""

import tensorflow as tf

from electra_tf.finetune.preprocessor import TextPreprocessor
from electra_tf.finetune.task_model import TaskModel

IDS = tuple(
    tf.TensorSpec([None, None], tf.int64, name)
    for name in ("input_ids", "input_mask", "segment_ids")
)


def text_spec(name: str) -> tf.TensorSpec:
    """A batch of texts."""
    return tf.TensorSpec([None], tf.string, name)


class TaskModule(tf.Module):
    """A model, its tokenizer and its variables, as a SavedModel holds them.

    Args:
      model: fine-tuned.
      preprocessor: gives the tokenizer and the length to cut to.
      vocab_file: becomes an asset.
    """

    def __init__(
        self, model: TaskModel, preprocessor: TextPreprocessor, vocab_file: str
    ):
        super().__init__()
        # Methods: the layers themselves would be saved along.
        self._call = model.__call__
        self.tokenizer = preprocessor.tokenizer
        self.tokenize = self.tokenizer.tokenize
        self.tokenize_with_offsets = self.tokenizer.tokenize_with_offsets
        self.max_seq_length = preprocessor.max_seq_length
        self.labels = list(getattr(model, "labels", ()))
        self.weights = [v.value for v in model.weights]
        self.vocab = tf.saved_model.Asset(vocab_file)

    def outputs(self, input_ids, input_mask, segment_ids):
        """The model's outputs; any int [B, L]."""
        return self._call(
            {
                "input_ids": input_ids,
                "input_mask": input_mask,
                "segment_ids": segment_ids,
            },
            training=False,
        )
