"""The tokenizer's files as Hugging Face has them, read and written."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from electra_tf.data.tokenizers import (
    SentencePieceTokenizer,
    Tokenizer,
    WordPieceTokenizer,
)
from electra_tf.data.tokenizers.learning import SUFFIX
from electra_tf.data.tokenizers.vocab_file import (
    SPECIAL_PIECES,
    load_vocab,
)
from electra_tf.data.tokenizers.word_borders import BERT, PUNCTUATED
from electra_tf.data.tokenizers.wordpiece import MAX_WORD_CHARS
from electra_tf.errors import InputError, require
from electra_tf.files import read_json, write_bytes, write_text
from electra_tf.weights.huggingface_sentencepiece import (
    CLASS,
    read_sentencepiece,
    written_sentencepiece,
)
from electra_tf.weights.record import as_wordpiece

VOCAB = WordPieceTokenizer.file_name
SETTINGS, WHOLE = "tokenizer_config.json", "tokenizer.json"
_CLASSES = tuple(
    f"{name}Tokenizer{fast}"
    for name in ("Electra", "Bert", "PreTrained")
    for fast in ("", "Fast")
)
_SPECIALS = dict(
    zip(
        ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"),
        SPECIAL_PIECES,
        strict=True,
    )
)


def read_tokenizer(folder: str) -> Tokenizer:
    """The tokenizer of a folder; vocab.txt wins over tokenizer.json.

    Raises:
      InputError: there is none, or one that is no WordPiece as BERT's and no
        SentencePiece model with its file.
    """
    settings = _read(os.path.join(folder, SETTINGS))
    whole = _read(os.path.join(folder, WHOLE))
    _check_class(settings, os.path.join(folder, SETTINGS))
    path = os.path.join(folder, VOCAB)
    pieces = os.path.join(folder, SentencePieceTokenizer.file_name)
    if tf.io.gfile.exists(pieces) and not tf.io.gfile.exists(path):
        source = os.path.join(folder, SETTINGS)
        return read_sentencepiece(pieces, settings, source)
    model = whole.get("model") or {}
    if whole:
        _check_model(model, os.path.join(folder, WHOLE))
    if tf.io.gfile.exists(path):
        vocab = load_vocab(path)
    elif whole:
        vocab = _in_order(model.get("vocab"), os.path.join(folder, WHOLE))
    else:
        raise InputError(
            f"a Hugging Face folder must hold {VOCAB} or {WHOLE}; received "
            f"{folder!r} with neither: put the vocabulary there"
        )
    vocab = _with_added(vocab, whole.get("added_tokens"))
    normalizer = {**(whole.get("normalizer") or {}), **settings}
    chinese = ("tokenize_chinese_chars", "handle_chinese_chars")
    splits = all(normalizer.get(name) in (None, True) for name in chinese)
    lower = normalizer.get("do_lower_case", normalizer.get("lowercase", True))
    accents = normalizer.get("strip_accents")
    return WordPieceTokenizer(
        _named(vocab, settings),
        bool(lower),
        accents,
        BERT if splits else PUNCTUATED,
    )


def _read(path: str) -> dict[str, Any]:
    return read_json(path) if tf.io.gfile.exists(path) else {}


def _check_class(settings: Mapping[str, Any], path: str) -> None:
    name = settings.get("tokenizer_class") or "ElectraTokenizer"
    rule = f"tokenizer_class in {path!r} must be one of {', '.join(_CLASSES)}"
    require(name in _CLASSES, rule, name)


def _check_model(model: Any, path: str) -> None:
    kind = model.get("type") if isinstance(model, dict) else model
    # Old files do not say it.
    rule = f"the model in {path!r} must be WordPiece"
    require(kind in (None, "WordPiece"), rule, kind)
    mark = model.get("continuing_subword_prefix", SUFFIX)
    rule = f"continuing_subword_prefix in {path!r} must be {SUFFIX}"
    require(mark == SUFFIX, rule, mark)


def _in_order(table: Any, path: str) -> list[str]:
    rule = f"the vocabulary in {path!r} must number its pieces 0, 1, ..."
    is_table = isinstance(table, dict) and all(
        isinstance(number, int) for number in table.values()
    )
    require(is_table, rule, type(table).__name__)
    vocab = sorted(table, key=table.__getitem__)
    numbers = [table[piece] for piece in vocab]
    in_turn = numbers == list(range(len(vocab)))
    require(in_turn, rule, f"{len(vocab)} pieces with gaps")
    return vocab


def _with_added(vocab: Sequence[str], added: Any) -> list[str]:
    """Pieces that were added behind the vocabulary's own."""
    found = list(vocab)
    for token in added if isinstance(added, list) else ():
        if isinstance(token, dict) and token.get("id") == len(found):
            found.append(str(token.get("content")))
    return found


def _named(vocab: Sequence[str], settings: Mapping[str, Any]) -> list[str]:
    """Special pieces under other names take ours; their ids stay."""
    found = list(vocab)
    for name, ours in _SPECIALS.items():
        theirs = settings.get(name, ours)
        if isinstance(theirs, dict):  # an AddedToken
            theirs = theirs.get("content")
        if ours not in found and theirs in found:
            found[found.index(theirs)] = ours
    return found


def write_tokenizer(tokenizer: Tokenizer, folder: str, length: int) -> None:
    """Writes the vocabulary, tokenizer_config.json and tokenizer.json.

    Args:
      tokenizer: of WordPiece or SentencePiece.
      folder: is there.
      length: tokens that the model takes.

    Raises:
      InputError: another one, which Hugging Face's ELECTRA has no place for.
    """
    settings = {
        "tokenizer_class": CLASS,
        "do_lower_case": tokenizer.do_lower_case,
        "strip_accents": tokenizer.strip_accents,
        "model_max_length": length,
        **_SPECIALS,
    }
    if isinstance(tokenizer, SentencePieceTokenizer):
        parts = written_sentencepiece(tokenizer)
    else:
        ours = as_wordpiece(tokenizer, "Hugging Face", (BERT, PUNCTUATED))
        parts = _written_wordpiece(ours)
        settings["tokenizer_class"] = "ElectraTokenizer"
        settings["tokenize_chinese_chars"] = ours.word_borders == BERT
    files = {SETTINGS: settings, WHOLE: _frame(tokenizer) | parts}
    for name, content in files.items():
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        write_text(os.path.join(folder, name), text)
    path = os.path.join(folder, tokenizer.file_name)
    write_bytes(path, tokenizer.content())


def _frame(tokenizer: Tokenizer) -> dict[str, Any]:
    """What tokenizer.json says of special tokens."""
    cls, sep = tokenizer.cls_id, tokenizer.sep_id

    def special(name: str, segment: int) -> dict[str, Any]:
        return {"SpecialToken": {"id": name, "type_id": segment}}

    def text(name: str, segment: int) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": segment}}

    single = [special("[CLS]", 0), text("A", 0), special("[SEP]", 0)]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": number,
                "content": piece,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for number, piece in sorted(
                zip(tokenizer.special_ids, SPECIAL_PIECES, strict=True)
            )
        ],
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": [*single, text("B", 1), special("[SEP]", 1)],
            "special_tokens": {
                name: {"id": name, "ids": [number], "tokens": [name]}
                for name, number in (("[CLS]", cls), ("[SEP]", sep))
            },
        },
    }


def _written_wordpiece(tokenizer: WordPieceTokenizer) -> dict[str, Any]:
    """The rest of tokenizer.json; it alone says how long a word may be."""
    return {
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": tokenizer.word_borders == BERT,
            "strip_accents": tokenizer.strip_accents,
            "lowercase": tokenizer.do_lower_case,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": SUFFIX, "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": SUFFIX,
            "max_input_chars_per_word": MAX_WORD_CHARS,
            "vocab": {piece: i for i, piece in enumerate(tokenizer.vocab)},
        },
    }
