"""Keras models of the fine-tuning tasks.

`keras.models.load_model` knows only classes that were imported, so importing
one model brings the others and their optimizer along.
"""

from electra_tf.finetune.models import heads, optimizer, span_qa

__all__ = ["heads", "optimizer", "span_qa"]
