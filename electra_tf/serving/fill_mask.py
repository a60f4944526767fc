"""The generator's proposals for a masked word."""

import tensorflow as tf

from electra_tf.data.tokenizers.tokenizer import Tokenizer
from electra_tf.modeling.networks import MaskedLM
from electra_tf.modeling.two_tower import TwoTowerCloze
from electra_tf.serving.forward import Forward
from electra_tf.serving.pretrained_parts import TEXT, Function
from electra_tf.serving.stored_weights import StoredWeights

TOP_K = 10
MASK = r"\[MASK\]"


class FillMask(tf.Module):
    """`fill_mask`: the best K = 10 tokens for the one [MASK] of a text.

    In: `text` string [B]. Out: `tokens` string [B, K], best first, and their
    `probabilities` float32 [B, K]; `num_masks` int32 [B], how often [MASK]
    stands in the text; `truncated` bool [B]. Where it is not once there is
    nothing to fill: "" and 0. A text too long is cut on both sides of [MASK].
    """

    def __init__(
        self,
        generator: MaskedLM | TwoTowerCloze,
        tokenizer: Tokenizer,
        id_to_token: tf.lookup.StaticHashTable,
        weights: StoredWeights,
        max_length: int,
    ):
        super().__init__()
        self._tokenizer = tokenizer
        self.max_length = max_length
        self.id_to_token = id_to_token
        self._generator = generator.__call__
        self._forward = Forward(self._at_mask, generator.variables, weights)
        self.weights = self._forward.saved

    def _at_mask(self, input_ids, input_mask, segment_ids):
        """Logits at the first [MASK]: [B, V]."""
        is_mask = tf.cast(input_ids == self._tokenizer.mask_id, tf.int32)
        place = tf.argmax(is_mask, 1, tf.int32)[:, None]  # [B, 1]
        logits = self._generator(input_ids, input_mask, segment_ids, place)
        return logits[:, 0]

    @tf.function(input_signature=[TEXT])
    def fill_mask(self, text):
        """Texts -> tokens and probabilities, best first."""
        num_masks = _count(text)
        ids, truncated = self._pack(text)
        lengths = ids.row_lengths()
        input_ids = ids.to_tensor(self._tokenizer.pad_id)
        mask = tf.sequence_mask(lengths, tf.shape(input_ids)[1], tf.int32)
        logits = self._forward(input_ids, mask, tf.zeros_like(mask))  # [B, V]
        count = min(TOP_K, self._tokenizer.vocab_size)
        best = tf.math.top_k(tf.nn.softmax(logits), count)  # [B, K]
        tokens = self.id_to_token.lookup(tf.cast(best.indices, tf.int64))
        is_one = tf.equal(num_masks, 1)[:, None]
        return {
            "tokens": tf.where(is_one, tokens, ""),
            "probabilities": tf.where(is_one, best.values, 0.0),
            "num_masks": num_masks,
            "truncated": truncated,
        }

    def _pack(self, text):
        """[CLS] before [MASK] after [SEP] around the first [MASK]."""
        before = tf.strings.regex_replace(text, rf"(?s){MASK}.*", "")
        after = tf.strings.regex_replace(text, rf"(?s)^.*?(?:{MASK}|$)", "")
        tokenizer = self._tokenizer
        before, after = map(tokenizer.tokenize, (before, after))
        room = self.max_length - 3
        a, b = before.row_lengths(), after.row_lengths()
        keep_a = tf.minimum(a, tf.maximum(room - b, room // 2))
        keep_b = tf.minimum(b, room - keep_a)
        edge = tf.ones([before.nrows(), 1], before.dtype)
        parts = [
            edge * tokenizer.cls_id,
            _slice(before, a - keep_a, keep_a),
            edge * tokenizer.mask_id,
            _slice(after, tf.zeros_like(b), keep_b),
            edge * tokenizer.sep_id,
        ]
        return tf.concat(parts, 1), a + b > room

    def signatures(self) -> dict[str, Function]:
        """Signature name -> function."""
        return {"fill_mask": self.fill_mask}


def _count(text: tf.Tensor) -> tf.Tensor:
    """How often [MASK] stands in each text: int32 [B]."""
    without = tf.strings.regex_replace(text, MASK, "")
    removed = tf.strings.length(text) - tf.strings.length(without)
    return removed // len("[MASK]")


def _slice(ragged: tf.RaggedTensor, begin, size) -> tf.RaggedTensor:
    """Values begin[i] .. begin[i] + size[i] of row i."""
    first = ragged.row_starts() + begin
    places = tf.ragged.range(first, first + size)
    return places.with_values(tf.gather(ragged.values, places.values))
