"""A pre-trained model as a SavedModel that answers without electra_tf."""

import tensorflow as tf

from electra_tf.data.tokenizers.tokenizer import Tokenizer
from electra_tf.modeling.encoder import Encoder
from electra_tf.pretrained import PretrainedElectra, finetuning_encoder
from electra_tf.serving.fill_mask import FillMask
from electra_tf.serving.ids import IDS
from electra_tf.serving.pretrained_parts import (
    Detect,
    Embed,
    Function,
    of_states,
    token_table,
)
from electra_tf.serving.saved_model import write_saved_model
from electra_tf.serving.stored_weights import StoredWeights


class PretrainedModule(tf.Module):
    """All that a pre-trained model can answer.

    `detect` with a discriminator, `fill_mask` with a generator, `embed` in
    any case. The ids form of detect, or else of embed, is the default.

    The vocabulary is an asset, which the id-to-token table reads; the
    tokenizer's compiled model is a constant of the graph.
    """

    def __init__(
        self, model: PretrainedElectra, vocab_file: str, dtype: str = "float32"
    ):
        super().__init__()
        tokenizer, weights = model.tokenizer, StoredWeights(dtype)
        self.vocab = tf.saved_model.Asset(vocab_file)
        table = token_table(self.vocab.asset_path)
        self.parts = [Embed(model.encoder, tokenizer, weights)]
        self.max_length = self.parts[0].max_length
        if model.has_discriminator:
            self.parts.append(
                Detect(model.discriminator, tokenizer, table, weights)
            )
        if model.generator is not None:
            self.parts.append(
                FillMask(
                    model.generator,
                    tokenizer,
                    table,
                    weights,
                    self.max_length,
                )
            )

    def signatures(self) -> dict[str, Function]:
        """Signature name -> function."""
        named = {}
        for part in self.parts:
            named |= part.signatures()
        default = "detect_ids" if "detect_ids" in named else "embed_ids"
        return {"serving_default": named[default], **named}


class FinetuningModule(Embed):
    """An encoder to be trained on: `embed_ids`, and the same with dropout.

    `trainable_variables` are those of both, for a gradient tape.
    """

    trainable_variables = None  # plain attribute, as tf.Module's is not saved

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer, vocab_file: str):
        # Not in buckets: a loop's gradient costs more than it saves.
        super().__init__(encoder, tokenizer, StoredWeights(), buckets=())
        self._encode = encoder.__call__
        self.vocab = tf.saved_model.Asset(vocab_file)
        self.trainable_variables = self.weights

    @tf.function(input_signature=IDS)
    def embed_ids_training(self, input_ids, input_mask, segment_ids):
        """As `embed_ids`, with dropout drawn anew at each call."""
        # Of this graph alone. A seed set by whoever exports would be a part
        # of it: every process would drop the same values.
        tf.random.set_seed(None)
        ids = self._rules.checked(input_ids, input_mask, segment_ids)
        return of_states(self._encode(*ids, training=True), input_mask)

    def signatures(self) -> dict[str, Function]:
        return {
            "serving_default": self.embed_ids,
            **super().signatures(),
            "embed_ids_training": self.embed_ids_training,
        }


def export_saved_model(
    model: PretrainedElectra,
    path: str,
    dtype: str = "float32",
    warmup: bool | None = None,
) -> list[str]:
    """Writes a SavedModel that serves; returns the names of its signatures.

    Args:
      model: what `from_pretrained` gave.
      path: a folder that does not exist yet, for TensorFlow Serving a version
        (see `next_version`).
      dtype: how matrices are stored, "float32" or "float16".
      warmup: see `write_saved_model`.

    Raises:
      InputError: the folder is there already, or cannot be written.
    """

    def make(vocab_file: str) -> PretrainedModule:
        return PretrainedModule(model, vocab_file, dtype)

    return write_saved_model(make, model.tokenizer, path, warmup)


def export_for_finetuning(
    model: PretrainedElectra, path: str, dropout: float = 0.1
) -> list[str]:
    """Writes the encoder as a SavedModel that can be trained further.

    Args:
      model: what `from_pretrained` gave.
      path: a folder that does not exist yet.
      dropout: rate of `embed_ids_training`, in hidden states and attention.

    Returns the names of the signatures.

    Raises:
      InputError: the folder is there already, or cannot be written.
    """
    encoder = finetuning_encoder(model, dropout)

    def make(vocab_file: str) -> FinetuningModule:
        return FinetuningModule(encoder, model.tokenizer, vocab_file)

    return write_saved_model(make, model.tokenizer, path, warmup=False)
