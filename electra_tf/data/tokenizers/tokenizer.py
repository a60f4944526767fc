"""What every tokenizer offers; nothing else knows a kind's marks and files."""

import collections
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from electra_tf.data.tokenizers import normalization, offsets
from electra_tf.data.tokenizers.kinds import (
    DEFAULT_KIND,
    KINDS,
    kind_of_file,
    kind_of_settings,
    known_options,
)
from electra_tf.data.tokenizers.vocab_file import (
    SPECIAL_PIECES,
    check_vocab,
    load_vocab,
    vocab_bytes,
)
from electra_tf.errors import InputError, require
from electra_tf.files import make_folder, read_json, write_bytes, write_text

SETTINGS_NAME = "tokenizer.json"
_HASH = "vocab_sha256"
Ragged = tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]


class Tokenizer:
    """Text to token ids by ops inside the graph, so that exports can hold it.

    `Tokenizer(vocab)` is BERT's WordPiece; files and folders tell their kind.

    Example:
      >>> vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##do"]
      >>> Tokenizer(vocab).tokenize(tf.constant(["Undo", "ün x"]))
      <tf.RaggedTensor [[5, 6], [5, 1]]>

    Args:
      vocab: the pieces, in the order of their ids.
      do_lower_case: whether text is lower-cased.
      strip_accents: whether accents are stripped, which turns ガラス into
        カラス; None means as `do_lower_case`.

    Attributes:
      kind, file_name: of the class, and of the file with the vocabulary.
      OPTIONS: what else decides the ids, in the constructor's order -> type.
      DEFAULTS: of options that files tell only where they are others.
      IN_CONTEXT: whether a sentence by itself has other pieces.
      starts_word: bool [V], false for pieces that go on with a word.
      may_cut: bool [V], in front of which a long sentence may be cut.
      words: [V] texts, the word that a piece is by itself, "" for others.

    Raises:
      InputError: `vocab` lacks a special piece, or holds a piece twice.
    """

    kind: ClassVar[str] = ""
    file_name: ClassVar[str] = ""
    OPTIONS: ClassVar[Mapping[str, type]] = {
        "do_lower_case": bool,
        "strip_accents": bool,
    }
    DEFAULTS: ClassVar[dict[str, Any]] = {}
    IN_CONTEXT: ClassVar[bool] = False

    def __new__(cls, *args: Any, **kwargs: Any) -> "Tokenizer":
        return super().__new__(KINDS[DEFAULT_KIND] if cls is Tokenizer else cls)

    def __init__(
        self,
        vocab: Sequence[str],
        do_lower_case: bool = True,
        strip_accents: bool | None = None,
    ):
        check_vocab(vocab)
        self.vocab = tuple(vocab)
        self.do_lower_case = bool(do_lower_case)
        accents = do_lower_case if strip_accents is None else strip_accents
        self.strip_accents = bool(accents)
        self.vocab_size = len(self.vocab)
        self.special_ids = tuple(map(self.vocab.index, SPECIAL_PIECES))
        self.pad_id, self.unk_id, *others = self.special_ids
        self.cls_id, self.sep_id, self.mask_id = others
        self.starts_word = np.ones(self.vocab_size, bool)
        self.words = tuple(p if p.isalpha() else "" for p in self.vocab)

    @property
    def may_cut(self) -> np.ndarray:
        """Where words start."""
        return self.starts_word

    @property
    def options(self) -> dict[str, Any]:
        """The values of `OPTIONS`."""
        return {name: getattr(self, name) for name in self.OPTIONS}

    def split(self, texts: tf.Tensor) -> Ragged:
        """As `tokenize_with_offsets`, of texts that `normalize` gave."""
        raise NotImplementedError(f"{type(self).__name__} must define split")

    def normalize(self, texts: tf.Tensor) -> tf.Tensor:
        """The texts as they are split; string [B]."""
        return normalization.normalize(
            texts, self.do_lower_case, self.strip_accents
        )

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Ids of UTF-8 texts, without [CLS] and [SEP]; int32 [B, (tokens)]."""
        return self.split(self.normalize(texts))[0]

    def tokenize_with_offsets(self, texts: tf.Tensor) -> Ragged:
        """Ids of UTF-8 texts, and where in the original they come from.

        Returns:
          (ids, starts, ends), each int32 [B, (tokens)]. Token i is
          `texts[starts[i]:ends[i]]`, in bytes; marks that were stripped
          belong to the letter in front of them.
        """
        ids, starts, ends = self.split(self.normalize(texts))
        return ids, *offsets.to_original(texts, self.normalize, starts, ends)

    def tokenize_after(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """As `tokenize`, of texts that stand directly behind something."""
        return self.tokenize(texts)

    def tokens(self, ids: Any) -> Any:
        """The pieces of ids - a tensor, ragged or lists - as nested lists."""
        if isinstance(ids, (tf.Tensor, tf.RaggedTensor)):
            ids = ids.numpy()
        if isinstance(ids, np.ndarray):
            ids = ids.tolist()
        if isinstance(ids, (list, tuple)):
            return [self.tokens(part) for part in ids]
        return self.vocab[int(ids)]

    def text_of(self, piece: str) -> str:
        """The text that a piece stands for, without the marks of its kind."""
        return piece

    def content(self) -> bytes:
        """The vocabulary's file: one piece a line, the line is the id."""
        return vocab_bytes(self.vocab)

    @classmethod
    def read(cls, path: str, *options: Any, **named: Any) -> "Tokenizer":
        """Makes a tokenizer of a file that holds a `content`."""
        return cls(load_vocab(path), *options, **named)

    @classmethod
    def learn(
        cls,
        lines: Iterable[str],
        vocab_size: int,
        do_lower_case: bool = True,
        strip_accents: bool | None = None,
        log: Callable[[str], None] | None = None,
        **options: Any,
    ) -> "tuple[Tokenizer, collections.Counter[str]]":
        """A tokenizer learnt of lines of text, and its words, counted.

        Args:
          lines: the text; how it is read say the constructor's options.
          vocab_size: the number of pieces; fewer where the text has no more.
          log: is told of what is done.

        Raises:
          InputError: text without words, or a size too small.
        """
        raise InputError(f"vocabulary must be learnable; received {cls.kind}")

    @classmethod
    def from_file(
        cls,
        path: str,
        do_lower_case: bool = True,
        strip_accents: bool | None = None,
        **options: Any,
    ) -> "Tokenizer":
        """Of a vocabulary's file, whose name tells the kind.

        Options that the kind does not have are left out.
        """
        kind = kind_of_file(path) if cls is Tokenizer else cls
        known = known_options(kind, options)
        return kind.read(path, do_lower_case, strip_accents, **known)

    @classmethod
    def is_file(cls, path: str) -> bool:
        """Whether a file's name is that of a vocabulary of this kind."""
        return os.path.basename(path) == cls.file_name

    @staticmethod
    def find_file(folder: str) -> str:
        """The vocabulary's file in a folder; where none is, the default's."""
        kinds = (KINDS[DEFAULT_KIND], *KINDS.values())
        paths = [os.path.join(folder, kind.file_name) for kind in kinds]
        return next(filter(tf.io.gfile.exists, paths), paths[0])

    @staticmethod
    def from_folder(folder: str) -> "Tokenizer":
        """Reads what `save` wrote; the two files must fit each other."""
        path = os.path.join(folder, SETTINGS_NAME)
        settings = read_json(path)
        kind = kind_of_settings(settings, path)
        settings = kind.DEFAULTS | settings
        types = {"kind": str, **kind.OPTIONS, _HASH: str}
        if {name: type(value) for name, value in settings.items()} != types:
            named = ", ".join(f"{n} ({t.__name__})" for n, t in types.items())
            raise InputError(f"{path!r} must have {named}; received {settings}")
        file = os.path.join(folder, kind.file_name)
        tokenizer = kind.read(file, *map(settings.get, kind.OPTIONS))
        found = tokenizer.settings()[_HASH]
        told = f"the sha256 of {SETTINGS_NAME}, {settings[_HASH]} (restore it)"
        require(found == settings[_HASH], f"{file!r} must have {told}", found)
        return tokenizer

    def save(self, folder: str) -> None:
        """Writes the vocabulary's file and tokenizer.json."""
        make_folder(folder)
        write_bytes(os.path.join(folder, self.file_name), self.content())
        path = os.path.join(folder, SETTINGS_NAME)
        write_text(path, json.dumps(self.settings(), indent=2) + "\n")

    def save_pieces(self, folder: str) -> str:
        """Writes a table for exports, a piece a line; returns its path."""
        path = os.path.join(folder, "vocab.txt")
        write_bytes(path, vocab_bytes(self.vocab))
        return path

    def settings(self) -> dict[str, Any]:
        """What decides the ids; the content of tokenizer.json."""
        options = self.options.items()
        told = {n: v for n, v in options if v != self.DEFAULTS.get(n)}
        digest = hashlib.sha256(self.content()).hexdigest()
        return {"kind": self.kind, **told, _HASH: digest}

    def get_config(self) -> dict[str, Any]:
        """What `from_config` makes an equal one of, without any file."""
        settings = self.settings() | {"vocab": list(self.vocab)}
        return {n: value for n, value in settings.items() if n != _HASH}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Tokenizer":
        """Makes what `get_config` tells of."""
        kind = kind_of_settings(config, "configuration")
        return kind(**{n: v for n, v in config.items() if n != "kind"})

    def __reduce__(self):
        # What is compiled is made anew in the other process.
        return type(self).from_config, (self.get_config(),)
