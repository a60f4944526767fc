"""A pre-trained model as a SavedModel that answers without electra_tf."""

import os

import tensorflow as tf

from electra_tf.convert.pretrained import PretrainedElectra
from electra_tf.data.packing import PackedTexts, pack_texts
from electra_tf.errors import InputError

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

    def __init__(self, model: PretrainedElectra, vocab_file: str):
        super().__init__()
        self._model = model
        self._tokenizer = model.tokenizer
        self._rows = model.config.model.max_position_embeddings
        # Tracked as plain variables: what is loaded knows nothing of Keras.
        self.weights = [v.value for v in model.encoder.variables]
        self.vocab = tf.saved_model.Asset(vocab_file)

    def pack(self, text: tf.Tensor) -> PackedTexts:
        """Texts to padded inputs, cut to the position table's length."""
        return pack_texts(self._tokenizer, text, self._rows)

    def _states(self, input_ids, input_mask, segment_ids):
        inputs = (input_ids, input_mask, segment_ids)
        ids, mask, segments = (tf.cast(x, tf.int32) for x in inputs)
        return self._model.encoder(ids, mask, segments)  # [B, L, H]

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
        super().__init__(model, vocab_file)
        self.head_weights = [
            v.value for v in model.discriminator.head.variables
        ]
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
        return tf.sigmoid(self._model.discriminator.head(states))  # [B, L]

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


def export_saved_model(model: PretrainedElectra, path: str) -> list[str]:
    """Writes a SavedModel; returns the names of its signatures.

    Args:
      model: what `from_pretrained` gave.
      path: a folder that does not exist yet.

    Raises:
      InputError: the folder is there already, or cannot be written.
    """
    if tf.io.gfile.exists(path):
        raise InputError(f"output_dir must not exist yet; received {path!r}")
    partial = path.rstrip("/") + ".partial"
    try:
        if tf.io.gfile.exists(partial):
            tf.io.gfile.rmtree(partial)
        vocab_file = os.path.join(partial, "vocab.txt")
        tf.io.gfile.makedirs(partial)
        with tf.io.gfile.GFile(vocab_file, "w") as file:
            file.write("".join(f"{t}\n" for t in model.tokenizer.vocab))
        names = _save(model, vocab_file, os.path.join(partial, "model"))
        tf.io.gfile.rename(os.path.join(partial, "model"), path)
    except (tf.errors.OpError, OSError) as error:
        raise InputError(
            f"cannot write a SavedModel to {path!r}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    finally:
        if tf.io.gfile.exists(partial):
            tf.io.gfile.rmtree(partial)
    return names


def _save(model: PretrainedElectra, vocab_file: str, path: str) -> list[str]:
    kind = DetectorModule if model.has_discriminator else EncoderModule
    module = kind(model, vocab_file)
    signatures = module.signatures()
    tf.saved_model.save(module, path, signatures=signatures)
    return list(signatures)
