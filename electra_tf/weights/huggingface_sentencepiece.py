"""SentencePiece's tokenizer as Hugging Face's `tokenizers` has it: Unigram.

The model itself lies beside, as spiece.model, and is what is read back.
"""

import base64
from collections.abc import Mapping
from typing import Any

from electra_tf.data.tokenizers import SentencePieceTokenizer, Tokenizer
from electra_tf.data.tokenizers.normalization import NFKC
from electra_tf.data.tokenizers.sentencepiece_model import (
    UNIGRAM,
    WORD,
    read_model,
)
from electra_tf.errors import require

CLASS = "PreTrainedTokenizerFast"
_TILDE, _STAND_IN = "\N{FULLWIDTH TILDE}", "\ue000"


def read_sentencepiece(
    path: str, settings: Mapping[str, Any], source: str
) -> Tokenizer:
    """The tokenizer of a spiece.model.

    Args:
      path: of the file.
      settings: the content of tokenizer_config.json beside it.
      source: that file, for messages.

    Raises:
      InputError: a class that reads the model in its own way, or a model that
        `SentencePieceTokenizer` refuses.
    """
    rule = f"tokenizer_class in {source!r}, beside a spiece.model, must be "
    name = settings.get("tokenizer_class")
    require(name == CLASS, rule + CLASS, name)
    lower = bool(settings.get("do_lower_case", False))
    accents = bool(settings.get("strip_accents", False))
    return SentencePieceTokenizer.read(path, lower, accents)


def written_sentencepiece(tokenizer: SentencePieceTokenizer) -> dict[str, Any]:
    """What tokenizer.json says of it beside special tokens.

    Raises:
      InputError: the model is no unigram one.
    """
    model = read_model(tokenizer.model)
    rule = "a SentencePiece model for Hugging Face must be of the type unigram"
    require(model.type == UNIGRAM, rule, f"type {model.type}")
    normalizers: list[dict[str, Any]] = []
    if tokenizer.do_lower_case:
        normalizers += [{"type": "Lowercase"}]
    if tokenizer.strip_accents:
        normalizers += [{"type": "NFD"}, _replace(r"\p{Mn}", "")]
    if tokenizer.unicode_normalization == NFKC:
        # Their table joins nothing across characters, as ours does "ｶﾞ"; and
        # ours leaves the full-width tilde alone, other than NFKC.
        normalizers += [
            _replace(_TILDE, _STAND_IN),
            {"type": "NFKC"},
            _replace(_STAND_IN, _TILDE),
        ]
    if model.charsmap:
        table = base64.b64encode(model.charsmap).decode()
        normalizers += [{"type": "Precompiled", "precompiled_charsmap": table}]
    normalizers += [
        _replace(rf"[\s{WORD}]+", " "),
        {"type": "Strip", "strip_left": True, "strip_right": True},
    ]
    marked = {
        "type": "Metaspace",
        "replacement": WORD,
        "prepend_scheme": "always",
        "split": False,
    }
    return {
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": marked,
        "decoder": marked,
        "model": {
            "type": "Unigram",
            "unk_id": tokenizer.unk_id,
            "vocab": list(zip(model.pieces, model.scores, strict=True)),
            "byte_fallback": False,
        },
    }


def _replace(pattern: str, content: str) -> dict[str, Any]:
    return {
        "type": "Replace",
        "pattern": {"Regex": pattern},
        "content": content,
    }
