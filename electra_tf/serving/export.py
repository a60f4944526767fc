"""A pre-trained model as a SavedModel that answers without electra_tf."""

import tensorflow as tf

from electra_tf.convert.pretrained import PretrainedElectra, finetuning_encoder
from electra_tf.data.packing import PackedTexts, pack_texts
from electra_tf.data.tokenizer import Tokenizer
from electra_tf.modeling.encoder import Encoder
from electra_tf.serving.saved_model import write_saved_model

_TEXT = tf.TensorSpec([None], tf.string, "text")
_IDS = (
    tf.TensorSpec([None, None], tf.int64, "input_ids"),
    tf.TensorSpec([None, None], tf.int64, "input_mask"),
    tf.TensorSpec([None, None], tf.int64, "segment_ids"),
)


class EncoderModule(tf.Module):
    """The signatures every pre-trained model has: `embed`, `embed_ids`.

    The vocabulary is an asset, which the id-to-token table reads; the
    tokenizer's compiled model is a constant of the graph.
    """

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer, vocab_file: str):
        super().__init__()
        # A method: the layer itself would be saved along.
        self._encode = encoder.__call__
        self._tokenizer = tokenizer
        self._rows = encoder.embeddings.max_position_embeddings
        # Tracked as plain variables: what is loaded knows nothing of Keras.
        self.weights = [v.value for v in encoder.variables]
        self.vocab = tf.saved_model.Asset(vocab_file)

    def pack(self, text: tf.Tensor) -> PackedTexts:
        """Texts to padded inputs, cut to the position table's length."""
        return pack_texts(self._tokenizer, text, self._rows)

    def _states(self, input_ids, input_mask, segment_ids, training=False):
        inputs = (input_ids, input_mask, segment_ids)
        ids = (tf.cast(x, tf.int32) for x in inputs)
        return self._encode(*ids, training=training)  # [B, L, H]

    @tf.function(input_signature=_IDS)
    def embed_ids(self, input_ids, input_mask, segment_ids):
        """Ids -> the last layer [B, L, H], and its [CLS] vector [B, H]."""
        states = self._states(input_ids, input_mask, segment_ids)
        return {"sequence_output": states, "pooled": states[:, 0]}

    @tf.function(input_signature=[_TEXT])
    def embed(self, text):
        """Texts -> what `embed_ids` gives for them."""
        packed = self.pack(text)
        states = self._states(
            packed.input_ids, packed.input_mask, packed.segment_ids
        )
        return {"sequence_output": states, "pooled": states[:, 0]}

    def signatures(self) -> dict[str, tf.types.experimental.GenericFunction]:
        """Signature name -> function; the ids form is the default."""
        return {
            "serving_default": self.embed_ids,
            "embed": self.embed,
            "embed_ids": self.embed_ids,
        }


class DetectorModule(EncoderModule):
    """With a discriminator: `detect` and `detect_ids`, the default."""

    def __init__(self, model: PretrainedElectra, vocab_file: str):
        super().__init__(model.encoder, model.tokenizer, vocab_file)
        head = model.discriminator.head
        self._score = head.__call__
        self.head_weights = [v.value for v in head.variables]
        self.id_to_token = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                self.vocab.asset_path,
                key_dtype=tf.int64,
                key_index=tf.lookup.TextFileIndex.LINE_NUMBER,
                value_dtype=tf.string,
                value_index=tf.lookup.TextFileIndex.WHOLE_LINE,
            ),
            default_value="",
        )

    def _probabilities(self, input_ids, input_mask, segment_ids):
        states = self._states(input_ids, input_mask, segment_ids)
        return tf.sigmoid(self._score(states))  # [B, L]

    @tf.function(input_signature=_IDS)
    def detect_ids(self, input_ids, input_mask, segment_ids):
        """Ids -> P(replaced) for each [B, L], 0 on padding."""
        probabilities = self._probabilities(input_ids, input_mask, segment_ids)
        real = tf.cast(input_mask, probabilities.dtype)
        return {"probabilities": probabilities * real}

    @tf.function(input_signature=[_TEXT])
    def detect(self, text):
        """Texts -> tokens, P(replaced), bytes of the original text.

        All without [CLS] and [SEP]; padded with "" and 0.
        """
        packed = self.pack(text)
        probabilities = self._probabilities(
            packed.input_ids, packed.input_mask, packed.segment_ids
        )[:, 1:-1]
        ids = tf.cast(packed.input_ids[:, 1:-1], tf.int64)
        real = tf.sequence_mask(packed.num_tokens, tf.shape(ids)[1])
        return {
            "tokens": tf.where(real, self.id_to_token.lookup(ids), ""),
            "probabilities": tf.where(real, probabilities, 0.0),
            "starts": packed.starts,
            "ends": packed.ends,
            "num_tokens": packed.num_tokens,
            "truncated": packed.truncated,
        }

    def signatures(self) -> dict[str, tf.types.experimental.GenericFunction]:
        return {
            **super().signatures(),
            "serving_default": self.detect_ids,
            "detect_ids": self.detect_ids,
            "detect": self.detect,
        }


class FinetuningModule(EncoderModule):
    """An encoder to be trained on: `embed_ids`, and the same with dropout.

    `trainable_variables` are those of both, for a gradient tape.
    """

    trainable_variables = None  # plain attribute, as tf.Module's is not saved

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer, vocab_file: str):
        super().__init__(encoder, tokenizer, vocab_file)
        self.trainable_variables = self.weights

    @tf.function(input_signature=_IDS)
    def embed_ids_training(self, input_ids, input_mask, segment_ids):
        """As `embed_ids`, with dropout drawn anew at each call."""
        states = self._states(input_ids, input_mask, segment_ids, training=True)
        return {"sequence_output": states, "pooled": states[:, 0]}

    def signatures(self) -> dict[str, tf.types.experimental.GenericFunction]:
        return {
            **super().signatures(),
            "embed_ids_training": self.embed_ids_training,
        }


def export_saved_model(model: PretrainedElectra, path: str) -> list[str]:
    """Writes a SavedModel that serves; returns the names of its signatures.

    Args:
      model: what `from_pretrained` gave.
      path: a folder that does not exist yet.

    Raises:
      InputError: the folder is there already, or cannot be written.
    """

    def make(vocab_file: str) -> EncoderModule:
        if model.has_discriminator:
            return DetectorModule(model, vocab_file)
        return EncoderModule(model.encoder, model.tokenizer, vocab_file)

    return write_saved_model(make, model.tokenizer, path)


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

    return write_saved_model(make, model.tokenizer, path)
