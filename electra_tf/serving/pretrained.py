"""What a pre-trained model answers: the signatures, one class a kind."""

import tensorflow as tf

from electra_tf.data.tokenizers import Tokenizer, pack_texts
from electra_tf.embedding import mean_of
from electra_tf.modeling.embeddings import Embeddings
from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.networks import Discriminator, MaskedLM
from electra_tf.modeling.two_tower import TwoTowerCloze
from electra_tf.pretrained import PretrainedElectra
from electra_tf.serving import IDS, Function, text_spec
from electra_tf.serving.forward import BUCKETS, ServedNetwork, StoredWeights

TOP_K = 10
MASK = r"\[MASK\]"


class Embed(ServedNetwork):
    """`embed` and `embed_ids`.

    Out: `sequence_output` float32 [B, L, H], 0 on padding; `pooled`, of [CLS],
    and `mean`, see `mean_of`, [B, H]; `embed` also `num_tokens`, `truncated`.
    """

    def __init__(
        self,
        encoder: Encoder,
        tokenizer: Tokenizer,
        weights: StoredWeights,
        buckets: tuple[int, ...] = BUCKETS,
    ):
        super().__init__(
            encoder.__call__,
            encoder.variables,
            encoder.embeddings,
            tokenizer,
            weights,
            buckets,
        )

    @tf.function(autograph=False, input_signature=IDS)
    def embed_ids(self, input_ids, input_mask, segment_ids):
        """Ids -> states."""
        states = self.of_ids(input_ids, input_mask, segment_ids)
        return of_states(states, input_mask)

    @tf.function(autograph=False, input_signature=[text_spec()])
    def embed(self, text):
        """Texts -> states."""
        packed = pack_texts(self.tokenizer, text, self.max_length)
        states = self.forward(
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
    return {
        "sequence_output": states * real,
        "pooled": states[:, 0],
        "mean": mean_of(states, input_mask),
    }


class Detect(ServedNetwork):
    """`detect` and `detect_ids`: how likely each token was replaced."""

    def __init__(
        self,
        discriminator: Discriminator,
        tokenizer: Tokenizer,
        id_to_token: tf.lookup.StaticHashTable,
        weights: StoredWeights,
    ):
        super().__init__(
            discriminator.__call__,
            discriminator.variables,
            discriminator.encoder.embeddings,
            tokenizer,
            weights,
        )
        self.id_to_token = id_to_token

    @tf.function(autograph=False, input_signature=IDS)
    def detect_ids(self, input_ids, input_mask, segment_ids):
        """Ids -> `probabilities` float32 [B, L], 0 on padding."""
        logits = self.of_ids(input_ids, input_mask, segment_ids)
        real = tf.cast(input_mask, tf.float32)
        return {"probabilities": tf.sigmoid(logits) * real}

    @tf.function(autograph=False, input_signature=[text_spec()])
    def detect(self, text):
        """Texts -> tokens, P(replaced), bytes of the original text.

        All without [CLS] and [SEP]; padded with "" and 0.
        """
        packed = pack_texts(self.tokenizer, text, self.max_length)
        logits = self.forward(
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
        return {"detect": self.detect, "detect_ids": self.detect_ids}


class FillMask(ServedNetwork):
    """`fill_mask`: the best K = 10 tokens for the one [MASK] of a text.

    In: `text` string [B]. Out: `tokens` string [B, K], best first, and their
    `probabilities` float32 [B, K]; `num_masks` int32 [B], how often [MASK]
    stands in the text; `truncated` bool [B]. Where it is not once there is
    nothing to fill: "" and 0. A text too long is cut on both sides of [MASK].
    """

    def __init__(
        self,
        generator: MaskedLM | TwoTowerCloze,
        tables: Embeddings,
        tokenizer: Tokenizer,
        id_to_token: tf.lookup.StaticHashTable,
        weights: StoredWeights,
    ):
        super().__init__(
            self._at_mask, generator.variables, tables, tokenizer, weights
        )
        self.id_to_token = id_to_token
        self._generator = generator.__call__

    def _at_mask(self, input_ids, input_mask, segment_ids):
        """Logits at the first [MASK]: [B, V]."""
        is_mask = tf.cast(input_ids == self.tokenizer.mask_id, tf.int32)
        place = tf.argmax(is_mask, 1, tf.int32)[:, None]  # [B, 1]
        logits = self._generator(input_ids, input_mask, segment_ids, place)
        return logits[:, 0]

    @tf.function(autograph=False, input_signature=[text_spec()])
    def fill_mask(self, text):
        """Texts -> tokens and probabilities, best first."""
        num_masks = _count(text)
        ids, truncated = self._pack(text)
        lengths = ids.row_lengths()
        input_ids = ids.to_tensor(self.tokenizer.pad_id)
        mask = tf.sequence_mask(lengths, tf.shape(input_ids)[1], tf.int32)
        logits = self.forward(input_ids, mask, tf.zeros_like(mask))  # [B, V]
        count = min(TOP_K, self.tokenizer.vocab_size)
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
        tokenizer = self.tokenizer
        before = tokenizer.tokenize(before)
        after = tokenizer.tokenize_after(after)
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
            tables = model.encoder.embeddings
            self.parts.append(
                FillMask(model.generator, tables, tokenizer, table, weights)
            )

    def signatures(self) -> dict[str, Function]:
        """Signature name -> function."""
        named: dict[str, Function] = {}
        for part in self.parts:
            named |= part.signatures()
        default = "detect_ids" if "detect_ids" in named else "embed_ids"
        return {"serving_default": named[default], **named}


def token_table(vocab_file: str | tf.Tensor) -> tf.lookup.StaticHashTable:
    """Id (int64) -> piece; the file becomes an asset."""
    index = tf.lookup.TextFileIndex
    lines = tf.lookup.TextFileInitializer(
        vocab_file, tf.int64, index.LINE_NUMBER, tf.string, index.WHOLE_LINE
    )
    return tf.lookup.StaticHashTable(lines, default_value="")
