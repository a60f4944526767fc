"""`from_pretrained`: a pre-trained ELECTRA, ready to ask."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from electra_tf.config.objectives import describe
from electra_tf.config.pretraining import PretrainingConfig
from electra_tf.config.scoring import network_of, resolved
from electra_tf.data.columns import WHOLE, one_text, text_tensor
from electra_tf.data.tokenizers import Tokenizer, pack_texts
from electra_tf.embedding import Embedder
from electra_tf.errors import InputError, require
from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.networks import Discriminator, MaskedLM, variables_of
from electra_tf.modeling.tying import make_main_encoder
from electra_tf.pretraining.factory import make_networks
from electra_tf.scoring import Scorer
from electra_tf.weights import open_weights
from electra_tf.weights.assigning import assign_weights
from electra_tf.weights.record import OpenedWeights


@dataclasses.dataclass(frozen=True)
class DetectedToken:
    """A token of a text and how likely it was replaced.

    Attributes:
      token, probability: the vocabulary's piece, P(replaced).
      start, end: bytes of the original text.
    """

    token: str
    probability: float
    start: int
    end: int


class PretrainedElectra(Embedder):
    """A pre-trained ELECTRA and its tokenizer.

    Attributes:
      config: the run's configuration.
      tokenizer: the run's tokenizer.
      networks: by name, those that are there; none of an encoder alone.
      encoder: `Encoder`, ids, mask, segments [B, L] -> [B, L, H].
      scoring: the method that its weights name for scores; "" for none.
    """

    def __init__(
        self,
        config: PretrainingConfig,
        tokenizer: Tokenizer,
        networks: dict[str, Discriminator | MaskedLM],
        encoder: Encoder | None = None,
        scoring: str = "",
    ):
        self.config = config
        self.tokenizer = tokenizer
        self.networks = networks
        self._alone = encoder
        self.scoring = scoring
        self._scorers: dict[str, Scorer] = {}

    @property
    def discriminator(self) -> Discriminator:
        """Ids, mask, segments [B, L] -> logits [B, L]."""
        return self._network("discriminator")

    @property
    def has_discriminator(self) -> bool:
        """Whether `discriminator` and `detect` can be asked."""
        return "discriminator" in self.networks

    @property
    def generator(self) -> MaskedLM | None:
        """Ids, mask, segments [B, L], positions [B, M] -> logits [B, M, V]."""
        return self.networks.get("generator")

    @property
    def encoder(self) -> Encoder:
        """The main network's; with objective=mlm that is the generator."""
        if self._alone is not None:
            return self._alone
        name = describe(self.config.objective.objective).main.name
        return self._network(name).encoder

    def _network(self, name: str) -> Discriminator | MaskedLM:
        if name not in self.networks:
            reason = "it is an encoder alone"
            if self._alone is None:
                reason = (
                    "it was pre-trained with objective="
                    f"{self.config.objective.objective}, which has "
                    f"{', '.join(self.networks)}"
                )
            raise InputError(f"this model has no {name}: {reason}")
        return self.networks[name]

    def detect(self, texts: Sequence[str]) -> list[list[DetectedToken]]:
        """For each text its tokens with the probability of replacement.

        Texts are cut to the position table's length.
        """
        texts = text_tensor("texts", texts)
        if not len(texts):
            return []
        rows = self.config.model.max_position_embeddings
        packed = pack_texts(self.tokenizer, texts, rows)
        logits = self.discriminator(
            packed.input_ids, packed.input_mask, packed.segment_ids
        )
        probabilities = tf.sigmoid(logits).numpy()[:, 1:]
        columns = (
            packed.input_ids.numpy()[:, 1:],
            probabilities,
            packed.starts.numpy(),
            packed.ends.numpy(),
        )
        return [
            self._detected(*(column[row][:count] for column in columns))
            for row, count in enumerate(packed.num_tokens.numpy())
        ]

    def _detected(self, ids, probabilities, starts, ends):
        columns = (probabilities.tolist(), starts.tolist(), ends.tolist())
        rows = zip(self.tokenizer.tokens(ids), *columns, strict=True)
        return [DetectedToken(*row) for row in rows]

    def _reads(self) -> tuple[Encoder, Tokenizer, int]:
        rows = self.config.model.max_position_embeddings
        return self.encoder, self.tokenizer, rows

    def fill_mask(self, text: str, top_k: int = 5) -> list[tuple[str, float]]:
        """The generator's best tokens for the one [MASK] in `text`.

        Returns (token, probability), best first.

        Raises:
          InputError: the text does not hold [MASK] once, or is longer than
            the position table; top_k is not in 1 .. vocabulary size; or there
            is no generator.
        """
        size = self.tokenizer.vocab_size
        is_count = isinstance(top_k, WHOLE) and 1 <= top_k <= size
        rule = f"top_k must be a whole number between 1 and {size}"
        require(is_count, rule, top_k)
        text = one_text("text", text)
        mask = self.tokenizer.vocab[self.tokenizer.mask_id]
        if text.count(mask) != 1:
            raise InputError(
                f"text must hold {mask} exactly once; received {text!r}"
            )
        left, right = (tf.constant([side]) for side in text.split(mask))
        before = self.tokenizer.tokenize(left)[0].numpy()
        after = self.tokenizer.tokenize_after(right)[0].numpy()
        cls, sep = self.tokenizer.cls_id, self.tokenizer.sep_id
        ids = np.concatenate(
            [[cls], before, [self.tokenizer.mask_id], after, [sep]]
        )
        rows = self.config.model.max_position_embeddings
        rule = f"text must have at most {rows - 2} tokens"
        require(len(ids) <= rows, rule, len(ids) - 2)
        row = tf.constant(ids[None], tf.int32)
        position = tf.constant([[len(before) + 1]])
        logits = self._network("generator")(
            row, tf.ones_like(row), tf.zeros_like(row), position
        )
        best = tf.math.top_k(tf.nn.softmax(logits[0, 0]), top_k)
        tokens = self.tokenizer.tokens(best.indices.numpy())
        return list(zip(tokens, best.values.numpy().tolist(), strict=True))

    def scorer(self, method: str = "auto") -> Scorer:
        """Scores texts by `method`, see `pseudo_log_likelihood`.

        Raises:
          InputError: no such method, or the network that it asks is not there.
        """
        method = resolved(method, self.networks, self.scoring)
        if method not in self._scorers:
            name = network_of(method, self.config.objective.objective)
            self._scorers[method] = Scorer(
                method,
                self._network(name),
                self.tokenizer,
                self.config.model.max_position_embeddings,
            )
        return self._scorers[method]

    def pseudo_log_likelihood(
        self,
        texts: Sequence[str],
        batch_size: int = 128,
        method: str = "auto",
    ) -> np.ndarray:
        """How likely the model finds each text: float64 [N], higher is better.

        Args:
          texts: one score each; longer texts have lower ones.
          batch_size: rows a pass: texts, or their masked copies.
          method: electric, rtd, pll or pll_word, see `scoring.Scorer`; auto:
            electric for an Electric, pll for a masked LM alone, else what the
            weights name, else rtd.

        Raises:
          InputError: as `scorer`; or a text that is too long for the model.
        """
        return self.scorer(method)(texts, batch_size)


def pseudo_log_likelihood(
    texts: Sequence[str],
    model: "PretrainedElectra | str | os.PathLike",
    batch_size: int = 128,
    method: str = "auto",
) -> np.ndarray:
    """`PretrainedElectra.pseudo_log_likelihood` of a loaded model, or of what
    `from_pretrained` takes.
    """
    if not isinstance(model, PretrainedElectra):
        model = from_pretrained(model)
    return model.pseudo_log_likelihood(texts, batch_size, method)


def from_pretrained(name_or_path: str | os.PathLike) -> PretrainedElectra:
    """Loads a pre-trained ELECTRA.

    Args:
      name_or_path: "tiny" (in the package), a run's folder, a folder of
        `convert_weights`, a fine-tuned model's `.keras` file (its encoder
        alone), or a TF1 checkpoint (its prefix, with the authors'
        `config.json` and `vocab.txt` beside it or one folder up).

    Raises:
      InputError: it is none of these, or its weights do not fit its config.
    """
    return pretrained_of(open_weights(name_or_path))


def pretrained_of(weights: OpenedWeights) -> PretrainedElectra:
    """As `from_pretrained`, of weights that are open."""
    if weights.networks == ():
        encoder = make_main_encoder(weights.config.model)
        encoder.build()
        assign_weights(encoder.variables, weights.arrays, weights.source)
        return PretrainedElectra(weights.config, weights.tokenizer, {}, encoder)
    networks = make_networks(weights.config, merged=True)
    if weights.networks is not None:
        networks = {name: networks[name] for name in weights.networks}
    variables = variables_of(networks.values())
    assign_weights(variables, weights.arrays, weights.source)
    return PretrainedElectra(
        weights.config, weights.tokenizer, networks, scoring=weights.scoring
    )
