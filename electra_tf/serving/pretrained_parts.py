"""What a pre-trained model answers: the signatures, one class a kind."""

import tensorflow as tf

from electra_tf.data.tokenizers.packing import pack_texts
from electra_tf.data.tokenizers.tokenizer import Tokenizer
from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.networks import Discriminator
from electra_tf.serving.forward import BUCKETS, Forward
from electra_tf.serving.ids import IDS, IdRules
from electra_tf.serving.stored_weights import StoredWeights

TEXT = tf.TensorSpec([None], tf.string, "text")
Function = tf.types.experimental.GenericFunction


class Embed(tf.Module):
    """`embed` and `embed_ids`.

    Out: `sequence_output` float32 [B, L, H], the last layer, 0 on padding;
    `pooled` float32 [B, H], its [CLS] vector. `embed` also: `num_tokens` int32
    [B], with [CLS] and [SEP]; `truncated` bool [B].
    """

    def __init__(
        self,
        encoder: Encoder,
        tokenizer: Tokenizer,
        weights: StoredWeights,
        buckets: tuple[int, ...] = BUCKETS,
    ):
        super().__init__()
        self._tokenizer = tokenizer
        self._rules = IdRules.of(encoder.embeddings)
        self.max_length = self._rules.max_length
        # A method: the layer itself would be saved along.
        self._forward = Forward(
            encoder.__call__, encoder.variables, weights, buckets
        )
        self.weights = self._forward.saved

    @tf.function(input_signature=IDS)
    def embed_ids(self, input_ids, input_mask, segment_ids):
        """Ids -> states."""
        ids = self._rules.checked(input_ids, input_mask, segment_ids)
        return of_states(self._forward(*ids), input_mask)

    @tf.function(input_signature=[TEXT])
    def embed(self, text):
        """Texts -> states."""
        packed = pack_texts(self._tokenizer, text, self.max_length)
        states = self._forward(
            packed.input_ids, packed.input_mask, packed.segment_ids
        )  # [B, L, H]
        return {
            **of_states(states, packed.input_mask),
            "num_tokens": packed.num_tokens + 2,
            "truncated": packed.truncated,
        }

    def signatures(self) -> dict[str, Function]:
        """Signature name -> function."""
        return {"embed": self.embed, "embed_ids": self.embed_ids}


def of_states(states: tf.Tensor, input_mask: tf.Tensor) -> dict[str, tf.Tensor]:
    """[B, L, H], int [B, L] -> what the embed signatures give."""
    real = tf.cast(input_mask, states.dtype)[:, :, None]  # [B, L, 1]
    return {"sequence_output": states * real, "pooled": states[:, 0]}


class Detect(tf.Module):
    """`detect` and `detect_ids`: how likely each token was replaced."""

    def __init__(
        self,
        discriminator: Discriminator,
        tokenizer: Tokenizer,
        id_to_token: tf.lookup.StaticHashTable,
        weights: StoredWeights,
    ):
        super().__init__()
        self._tokenizer = tokenizer
        self._rules = IdRules.of(discriminator.encoder.embeddings)
        self.max_length = self._rules.max_length
        self.id_to_token = id_to_token
        self._forward = Forward(
            discriminator.__call__, discriminator.variables, weights
        )
        self.weights = self._forward.saved

    @tf.function(input_signature=IDS)
    def detect_ids(self, input_ids, input_mask, segment_ids):
        """Ids -> `probabilities` float32 [B, L], 0 on padding."""
        ids = self._rules.checked(input_ids, input_mask, segment_ids)
        real = tf.cast(input_mask, tf.float32)
        return {"probabilities": tf.sigmoid(self._forward(*ids)) * real}

    @tf.function(input_signature=[TEXT])
    def detect(self, text):
        """Texts -> tokens, P(replaced), bytes of the original text.

        All without [CLS] and [SEP]; padded with "" and 0.
        """
        packed = pack_texts(self._tokenizer, text, self.max_length)
        logits = self._forward(
            packed.input_ids, packed.input_mask, packed.segment_ids
        )[:, 1:-1]  # [B, L - 2]
        ids = tf.cast(packed.input_ids[:, 1:-1], tf.int64)
        real = tf.sequence_mask(packed.num_tokens, tf.shape(ids)[1])
        return {
            "tokens": tf.where(real, self.id_to_token.lookup(ids), ""),
            "probabilities": tf.where(real, tf.sigmoid(logits), 0.0),
            "starts": packed.starts,
            "ends": packed.ends,
            "num_tokens": packed.num_tokens,
            "truncated": packed.truncated,
        }

    def signatures(self) -> dict[str, Function]:
        """Signature name -> function."""
        return {"detect": self.detect, "detect_ids": self.detect_ids}


def token_table(vocab_file: str | tf.Tensor) -> tf.lookup.StaticHashTable:
    """Id (int64) -> piece; the file becomes an asset."""
    return tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            vocab_file,
            key_dtype=tf.int64,
            key_index=tf.lookup.TextFileIndex.LINE_NUMBER,
            value_dtype=tf.string,
            value_index=tf.lookup.TextFileIndex.WHOLE_LINE,
        ),
        default_value="",
    )
