"""SentencePiece's file: what is in one, and learning one of text.

Only learning needs the `sentencepiece` package.
"""

import functools
import io
from collections.abc import Iterable
from typing import Any, NamedTuple

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message,
    message_factory,
    text_format,
)

from electra_tf.data.tokenizers.normalization import NFKC, NONE
from electra_tf.data.tokenizers.vocab_file import SPECIAL_PIECES
from electra_tf.errors import InputError, require_packages

# The mark in front of a word.
WORD = "\N{LOWER ONE EIGHTH BLOCK}"
UNKNOWN, CONTROL = 2, 3  # kinds of pieces
UNIGRAM = 1  # a type of models
# What a rule of normalisation is called in the file; the second gives it to a
# new one. Those in "_cf" fold cases as well.
_RULES = {
    "identity": NONE,
    "nmt_nfkc": NFKC,
    "nfkc": NFKC,
    "nmt_nfkc_cf": NFKC,
    "nfkc_cf": NFKC,
}
_NAMES = {NONE: "identity", NFKC: "nmt_nfkc"}
# What is read here of SentencePiece's ModelProto, by its field numbers.
_PARTS = """
name: "sentencepiece_parts.proto" package: "electra_tf" syntax: "proto2"
message_type {
  name: "Piece"
  field { name: "piece" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "score" number: 2 type: TYPE_FLOAT label: LABEL_OPTIONAL }
  field { name: "type" number: 3 type: TYPE_INT32 label: LABEL_OPTIONAL
          default_value: "1" }
}
message_type {
  name: "TrainerSpec"
  field { name: "model_type" number: 3 type: TYPE_INT32
          label: LABEL_OPTIONAL default_value: "1" }
}
message_type {
  name: "NormalizerSpec"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "precompiled_charsmap" number: 2 type: TYPE_BYTES
          label: LABEL_OPTIONAL }
}
message_type {
  name: "Model"
  field { name: "pieces" number: 1 type: TYPE_MESSAGE type_name: "Piece"
          label: LABEL_REPEATED }
  field { name: "trainer_spec" number: 2 type: TYPE_MESSAGE
          type_name: "TrainerSpec" label: LABEL_OPTIONAL }
  field { name: "normalizer_spec" number: 3 type: TYPE_MESSAGE
          type_name: "NormalizerSpec" label: LABEL_OPTIONAL }
}
"""
# Its results depend on the number, so that does not follow the machine's.
_THREADS = 4
_MAX_BYTES = 1 << 20


class Model(NamedTuple):
    """What a file says.

    Attributes:
      pieces: in the order of their ids.
      kinds: int of each, UNKNOWN, CONTROL or another.
      scores: float of each, log-probabilities.
      type: UNIGRAM or another.
      charsmap: the table by which texts are normalised, b"" for none.
      unicode_normalization: of texts, "none" or "NFKC".
    """

    pieces: tuple[str, ...]
    kinds: tuple[int, ...]
    scores: tuple[float, ...]
    type: int
    charsmap: bytes
    unicode_normalization: str


def read_model(content: bytes) -> Model:
    """Reads the content of a file.

    Raises:
      InputError: it is damaged, or lacks control symbols.
    """
    try:
        found: Any = _message().FromString(content)
    except message.DecodeError:
        raise InputError(_refusal(f"{len(content)} bytes of another")) from None
    if not found.pieces:
        raise InputError(_refusal(f"{len(content)} bytes without pieces"))
    pieces = tuple(piece.piece for piece in found.pieces)
    kinds = tuple(piece.type for piece in found.pieces)
    kind_of = dict(zip(pieces, kinds, strict=True))
    lacking = [
        name
        for name in SPECIAL_PIECES
        if kind_of.get(name) != (UNKNOWN if name == "[UNK]" else CONTROL)
    ]
    if lacking:
        raise InputError(
            f"a SentencePiece model must have {' '.join(SPECIAL_PIECES)} as "
            "its control symbols ([UNK] as its unknown piece); received one "
            f"without {' '.join(lacking)}: train it with train_vocab.py "
            "--tokenizer=sentencepiece"
        )
    rule = found.normalizer_spec
    table = rule.precompiled_charsmap
    return Model(
        pieces,
        kinds,
        tuple(piece.score for piece in found.pieces),
        found.trainer_spec.model_type,
        table,
        _RULES.get(rule.name, NONE) if table else NONE,
    )


def _refusal(received: str) -> str:
    rule = "a SentencePiece model must be a file that its trainer wrote"
    return f"{rule}; received {received}: restore it"


@functools.cache
def _message() -> Any:
    file = text_format.Parse(_PARTS, descriptor_pb2.FileDescriptorProto())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName("electra_tf.Model")
    return message_factory.GetMessageClass(found)


def train_model(
    sentences: Iterable[str],
    vocab_size: int,
    character_coverage: float,
    unicode_normalization: str,
) -> bytes:
    """The content of a file learnt of sentences; the same of the same ones.

    The special pieces have the ids 0 to 4.

    Args:
      sentences: texts, lower-cased and so on as is wanted.
      vocab_size: the number of pieces; fewer where the text has no more.
      character_coverage: share of the characters that get a piece at least;
        the rarest others are [UNK].
      unicode_normalization: "none" or "NFKC", which the model then does.

    Raises:
      InputError: no `sentencepiece` package, no text, or a size too small.
    """
    require_packages(
        "a SentencePiece model is learnt by",
        ("sentencepiece",),
        "sentencepiece",
    )
    import sentencepiece

    pad, unknown, cls, sep, mask = SPECIAL_PIECES
    content = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=content,
            model_type="unigram",
            vocab_size=vocab_size,
            hard_vocab_limit=False,
            character_coverage=character_coverage,
            normalization_rule_name=_NAMES[unicode_normalization],
            pad_id=0,
            unk_id=1,
            bos_id=2,
            eos_id=3,
            pad_piece=pad,
            unk_piece=unknown,
            bos_piece=cls,
            eos_piece=sep,
            control_symbols=[mask],
            max_sentence_length=_MAX_BYTES,
            num_threads=_THREADS,
            minloglevel=2,
        )
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            "vocab_size must leave room for the text's characters, and there "
            f"must be text; received {vocab_size}, of which SentencePiece "
            f"says: {reason}"
        ) from None
    return content.getvalue()
