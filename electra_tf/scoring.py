"""How likely a text is: sums over its tokens, by one of four methods."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from electra_tf.data.columns import WHOLE, text_tensor
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.data.tokenizers.word_splitter import check_is_split
from electra_tf.errors import InputError, require

_ROWS = tf.TensorSpec([None, None], tf.int32)
_PLACES = tf.TensorSpec([None], tf.int32)
# Told how many more texts are done.
Advance = Callable[[int], object]


class Scorer:
    """Scores texts by one method; compiled at the first call.

    All are sums over the tokens x_t of a text x, [CLS] and [SEP] left out:

    - electric: log p(x_t | x without t) = -E(x)_t, of one pass. At the
      optimum of `Electric` the network's value at a token is its energy E,
      which rises with the odds that it is noise.
    - rtd: log P(x_t is original), of one pass of the discriminator.
    - pll: log p(x_t | x without t) of a masked LM, a pass a token, in which
      that token is [MASK].
    - pll_word: as pll, but with the tokens that follow x_t in its own word
      masked as well, so that a word's end does not give its beginning away.

    Texts of a length go through the network together, so that nothing is
    padded, and texts of the same tokens get the very same score.

    Args:
      method: of `config.scoring.METHODS`.
      network: E or the discriminator: ids, mask, segments [B, L] -> [B, L];
        the masked LM takes positions [B, M] too, and gives [B, M, V].
      tokenizer: the model's.
      max_seq_length: rows of the position table.

    References: Electric, sections 2 and 4 (re-ranking); Masked Language Model
    Scoring (Salazar et al., ACL 2020) for pll; A Better Way to Do Masked
    Language Model Scoring (Kauf and Ivanova, ACL 2023), PLL-word-l2r, for
    pll_word.
    """

    def __init__(
        self,
        method: str,
        network: keras.Model,
        tokenizer: Tokenizer,
        max_seq_length: int,
    ):
        self.method, self.tokenizer = method, tokenizer
        self._network, self._rows = network, max_seq_length
        self._sums = self._of_masked if "pll" in method else self._of_one_pass
        self._read = tf.function(self._every_token, [_ROWS], autograph=False)
        self._guess = tf.function(
            self._masked_token, [_ROWS, _PLACES, _PLACES], autograph=False
        )

    def __call__(
        self,
        texts: Sequence[str],
        batch_size: int = 128,
        advance: Advance = lambda count: None,
    ) -> np.ndarray:
        """Scores, float64 [N], higher is likelier; 0 for an empty text.

        Args:
          texts: one score each.
          batch_size: rows a pass: texts, or masked copies of them.
          advance: told how many more texts are done.

        Raises:
          InputError: a text is longer than the position table.
        """
        texts = text_tensor("texts", texts)
        is_count = isinstance(batch_size, WHOLE) and batch_size > 0
        require(
            is_count, "batch_size must be a positive whole number", batch_size
        )
        check_is_split(self.tokenizer, tf.constant(texts).numpy())
        tokens = self.tokenizer.tokenize(texts)
        lengths = tokens.row_lengths().numpy()
        self._check_lengths(texts, lengths)
        scores = np.zeros(len(lengths))
        for length in np.unique(lengths):
            members = np.flatnonzero(lengths == length)
            words = tf.gather(tokens, members).to_tensor().numpy()
            words, copy = np.unique(words, axis=0, return_inverse=True)
            if length:
                sums = self._sums(words, batch_size, advance)
                scores[members] = sums[copy]
            advance(len(members) - (len(words) if length else 0))
        return scores

    def num_tokens(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text without [CLS] and [SEP]; int64 [N].

        Raises:
          InputError: a text is longer than the position table.
        """
        texts = text_tensor("texts", texts)
        lengths = self.tokenizer.tokenize(texts).row_lengths().numpy()
        self._check_lengths(texts, lengths)
        return lengths

    def _check_lengths(self, texts: tf.Tensor, lengths: np.ndarray) -> None:
        too_long = np.flatnonzero(lengths > self._rows - 2)
        if len(too_long):
            text = texts[too_long[0]].numpy().decode("utf-8", "replace")
            raise InputError(
                f"texts must have at most {self._rows - 2} tokens; "
                f"received {text[:60]!r}..."
            )

    def _framed(self, words: np.ndarray) -> np.ndarray:
        """[S, n] -> [CLS] words [SEP], [S, n + 2]."""
        cls, sep = self.tokenizer.cls_id, self.tokenizer.sep_id
        return np.pad(
            words, [(0, 0), (1, 1)], constant_values=[(0, 0), (cls, sep)]
        )

    def _of_one_pass(
        self, words: np.ndarray, batch_size: int, advance: Advance
    ) -> np.ndarray:
        sums = []
        for start in range(0, len(words), batch_size):
            part = words[start : start + batch_size]
            log_probs = self._read(self._framed(part)).numpy()  # [b, n]
            sums.append(log_probs.sum(1, dtype=np.float64))
            advance(len(part))
        return np.concatenate(sums)

    def _every_token(self, ids: tf.Tensor) -> tf.Tensor:
        """The log of each token's probability, [B, L] -> [B, L - 2]."""
        values = self._network(ids, tf.ones_like(ids), tf.zeros_like(ids))
        values = -tf.cast(values, tf.float32)[:, 1:-1]
        return tf.math.log_sigmoid(values) if self.method == "rtd" else values

    def _of_masked(
        self, words: np.ndarray, batch_size: int, advance: Advance
    ) -> np.ndarray:
        """Row r is a copy of text r // n, whose token r % n is guessed."""
        count, n = words.shape
        whole = self._framed(words)
        sums = np.zeros(count)
        for start in range(0, count * n, batch_size):
            end = min(start + batch_size, count * n)
            text, token = np.divmod(np.arange(start, end), n)
            ids = whole[text]
            hidden = self._hidden(words[text], token)
            ids[:, 1:-1][hidden] = self.tokenizer.mask_id
            places = (token + 1).astype(np.int32)
            log_probs = self._guess(ids, places, words[text, token])
            sums += np.bincount(text, log_probs.numpy(), count)
            advance(end // n - start // n)
        return sums

    def _hidden(self, words: np.ndarray, token: np.ndarray) -> np.ndarray:
        """What is masked when each row's token is guessed; bool [b, n]."""
        places, token = np.arange(words.shape[1]), token[:, None]  # [b, 1]
        if self.method == "pll":
            return places == token
        word = np.cumsum(self.tokenizer.starts_word[words], axis=1)  # [b, n]
        is_same = word == np.take_along_axis(word, token, 1)
        return is_same & (places >= token)

    def _masked_token(
        self, ids: tf.Tensor, places: tf.Tensor, tokens: tf.Tensor
    ) -> tf.Tensor:
        """log p(token at place) of each row: [B, L], [B], [B] -> [B]."""
        logits = self._network(
            ids, tf.ones_like(ids), tf.zeros_like(ids), places[:, None]
        )
        logits = tf.cast(logits, tf.float32)[:, 0]  # [B, V]
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(tokens, logits)
