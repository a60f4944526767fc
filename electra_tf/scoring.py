"""How likely a text is, by the energies of its tokens."""

from collections.abc import Sequence

import numpy as np

from electra_tf.data.columns import WHOLE, text_tensor
from electra_tf.data.tokenizers import Tokenizer, pack_texts
from electra_tf.errors import InputError, require
from electra_tf.modeling.networks import Discriminator


def log_likelihoods(
    energy: Discriminator,
    tokenizer: Tokenizer,
    max_seq_length: int,
    texts: Sequence[str],
    batch_size: int,
) -> np.ndarray:
    """Pseudo-log-likelihoods, float64 [N], of one pass over each text.

    PLL(x) = sum over the tokens of log p(x_t | x without t) = -sum of E(x)_t.
    At the optimum of `Electric` the network's value at a token is E, which
    rises with the odds that it is noise.

    Args:
      energy: E, ids, mask, segments [B, L] -> [B, L].
      tokenizer: the model's.
      max_seq_length: rows of the position table.
      texts: one score each.
      batch_size: texts a pass.

    Raises:
      InputError: a text is longer than the position table.

    Reference: Electric, section 2; its use for re-ranking, section 4.
    """
    texts = text_tensor("texts", texts)
    is_count = isinstance(batch_size, WHOLE) and batch_size > 0
    require(is_count, "batch_size must be a positive whole number", batch_size)
    scores = [np.zeros(0)]
    for start in range(0, len(texts), batch_size):
        chunk = texts[start : start + batch_size]
        packed = pack_texts(tokenizer, chunk, max_seq_length)
        if (cut := packed.truncated.numpy()).any():
            text = chunk[cut.argmax()].numpy().decode("utf-8", "replace")
            raise InputError(
                f"texts must have at most {max_seq_length - 2} tokens; "
                f"received {text[:60]!r}..."
            )
        energies = energy(
            packed.input_ids, packed.input_mask, packed.segment_ids
        ).numpy()[:, 1:-1]  # [B, L - 2], without [CLS] and the last place
        places = np.arange(energies.shape[1])
        words = places < packed.num_tokens.numpy()[:, None]
        scores.append(-(energies.astype(np.float64) * words).sum(1))
    return np.concatenate(scores)
