"""Text to token ids by ops inside the graph, so that exports can hold it."""

import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.data.tokenizers import normalization, offsets
from electra_tf.data.tokenizers.vocab_file import (
    SPECIAL_PIECES,
    check_vocab,
    load_vocab,
    save_vocab,
    vocab_bytes,
)
from electra_tf.data.tokenizers.wordpiece import WordPiece
from electra_tf.errors import InputError
from electra_tf.files import make_folder, read_json, write_text

VOCAB_NAME = "vocab.txt"
SETTINGS_NAME = "tokenizer.json"
_KINDS = ("wordpiece",)


class Tokenizer:
    """BERT's tokenizer: clean, lower-case, split at punctuation, WordPiece.

    Ids equal those of the authors' `FullTokenizer` (google-research/electra,
    model/tokenization.py). A "[MASK]" in the text is ordinary text, as there.
    Casing and accents have separate switches, since stripping accents turns
    ガラス into カラス.

    Example:
      >>> vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##do"]
      >>> Tokenizer(vocab).tokenize(tf.constant(["Undo", "ün x"]))
      <tf.RaggedTensor [[5, 6], [5, 1]]>

    Args:
      vocab: the pieces, in the order of their ids.
      do_lower_case: whether text is lower-cased.
      strip_accents: whether accents are stripped; None means as
        `do_lower_case`.

    Raises:
      InputError: `vocab` is empty, lacks one of the five special pieces, or
        holds a piece twice.
    """

    kind = "wordpiece"

    def __init__(
        self,
        vocab: Sequence[str],
        do_lower_case: bool = True,
        strip_accents: bool | None = None,
    ):
        self.vocab = tuple(vocab)
        check_vocab(self.vocab)
        self.do_lower_case = bool(do_lower_case)
        self.strip_accents = self.do_lower_case
        if strip_accents is not None:
            self.strip_accents = bool(strip_accents)
        self.vocab_size = len(self.vocab)
        self.special_ids = tuple(map(self.vocab.index, SPECIAL_PIECES))
        (
            self.pad_id,
            self.unk_id,
            self.cls_id,
            self.sep_id,
            self.mask_id,
        ) = self.special_ids
        self._wordpiece = WordPiece(self.vocab)

    def __reduce__(self):
        # The compiled model is made anew in the other process.
        arguments = (self.vocab, self.do_lower_case, self.strip_accents)
        return type(self), arguments

    @classmethod
    def from_file(
        cls,
        vocab_file: str,
        do_lower_case: bool = True,
        strip_accents: bool | None = None,
    ) -> "Tokenizer":
        """Makes a tokenizer of a vocabulary file, one piece a line."""
        return cls(load_vocab(vocab_file), do_lower_case, strip_accents)

    @classmethod
    def from_folder(cls, folder: str) -> "Tokenizer":
        """Reads what `save` wrote.

        Raises:
          InputError: a file is missing or does not fit the other.
        """
        settings = _read_settings(os.path.join(folder, SETTINGS_NAME))
        tokenizer = cls.from_file(
            os.path.join(folder, VOCAB_NAME),
            settings["do_lower_case"],
            settings["strip_accents"],
        )
        found = tokenizer.settings()["vocab_sha256"]
        if found != settings["vocab_sha256"]:
            raise InputError(
                f"{VOCAB_NAME} must be the file {SETTINGS_NAME} was written "
                f"for. Received in {folder!r}: sha256 {found}, expected "
                f"{settings['vocab_sha256']}; restore the file."
            )
        return tokenizer

    def save(self, folder: str) -> None:
        """Writes vocab.txt and tokenizer.json."""
        make_folder(folder)
        save_vocab(self.vocab, os.path.join(folder, VOCAB_NAME))
        path = os.path.join(folder, SETTINGS_NAME)
        write_text(path, json.dumps(self.settings(), indent=2) + "\n")

    def settings(self) -> dict[str, Any]:
        """What decides the ids; the content of tokenizer.json."""
        return {
            "kind": self.kind,
            "do_lower_case": self.do_lower_case,
            "strip_accents": self.strip_accents,
            "vocab_sha256": hashlib.sha256(vocab_bytes(self.vocab)).hexdigest(),
        }

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Token ids, without [CLS] and [SEP].

        Args:
          texts: string [B], UTF-8; invalid bytes are left out.

        Returns:
          int32 [B, (tokens)].
        """
        normalized = self.normalize(texts)
        return self._wordpiece.tokenize_with_offsets(normalized)[0]

    def tokenize_with_offsets(
        self, texts: tf.Tensor
    ) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        """Token ids and where in the original text they come from.

        Args:
          texts: string [B], UTF-8; invalid bytes are left out.

        Returns:
          (ids, starts, ends), each int32 [B, (tokens)]. Token i is
          `texts[starts[i]:ends[i]]`, in bytes of the text as given; marks
          that were stripped belong to the letter in front of them.
        """
        ids, starts, ends = self._wordpiece.tokenize_with_offsets(
            self.normalize(texts)
        )
        return ids, *offsets.to_original(texts, self.normalize, starts, ends)

    def tokens(self, ids: Any) -> Any:
        """The pieces of ids.

        Args:
          ids: whole numbers, a tensor, a ragged tensor or (nested) lists.

        Returns:
          the same nesting of str, as lists.
        """
        if isinstance(ids, (tf.Tensor, tf.RaggedTensor)):
            ids = ids.numpy()
        if isinstance(ids, np.ndarray):
            ids = ids.tolist()
        if isinstance(ids, (list, tuple)):
            return [self.tokens(part) for part in ids]
        return self.vocab[int(ids)]

    def normalize(self, texts: tf.Tensor) -> tf.Tensor:
        """The texts as WordPiece sees them; string [B]."""
        return normalization.normalize(
            texts, self.do_lower_case, self.strip_accents
        )


def _read_settings(path: str) -> dict[str, Any]:
    """Reads and checks tokenizer.json."""
    settings = read_json(path)
    types = {
        "kind": str,
        "do_lower_case": bool,
        "strip_accents": bool,
        "vocab_sha256": str,
    }
    if settings.keys() != types.keys():
        raise InputError(
            f"{path!r} must have the keys {sorted(types)}; received "
            f"{sorted(settings)}"
        )
    for key, expected in types.items():
        if type(settings[key]) is not expected:
            raise InputError(
                f"{key!r} in {path!r} must be a {expected.__name__}. "
                f"Received: {settings[key]!r}."
            )
    if settings["kind"] not in _KINDS:
        raise InputError(
            f"The tokenizer's kind must be one of {list(_KINDS)}. Received: "
            f"{settings['kind']!r} in {path!r}."
        )
    return settings
