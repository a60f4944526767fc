"""Fine-tuning.

`keras.models.load_model` knows only classes that were imported, so importing
one model brings the others and their optimizer along.
"""

from electra_tf.finetune import models, optimizer, span_qa  # noqa: F401
