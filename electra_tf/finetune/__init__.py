"""Fine-tuning.

`keras.models.load_model` knows only classes that were imported, so importing
one module brings all models and their optimizer along.
"""

from electra_tf.finetune.models import classifiers, optimizer, span_qa

__all__ = ["classifiers", "optimizer", "span_qa"]
