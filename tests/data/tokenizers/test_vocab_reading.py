"""Vocabulary files, whatever is in them: a tokenizer or one InputError."""

import contextlib

import pytest
import tensorflow as tf
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from electra_tf.data.tokenizers import Tokenizer
from electra_tf.data.tokenizers.vocab_file import load_vocab
from electra_tf.errors import InputError

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
HEAD = "\n".join([*SPECIALS, "a", "b", "##b"])
PIECES = st.text(
    st.one_of(
        st.sampled_from("ab#\n\r\t \0\x0b\x85\u2028\u3000\ufeff\ufffd[]-京"),
        st.characters(codec="utf-8"),
    ),
    max_size=12,
)


def opened(path: str) -> Tokenizer | None:
    """What a file gives; None where it is refused."""
    with contextlib.suppress(InputError):
        return Tokenizer.from_file(path)
    return None


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.binary(max_size=20).map(lambda x: f"{HEAD}\n".encode() + x),
        PIECES.map(lambda x: f"{HEAD}\n{x}\n".encode()),
        PIECES.map(lambda x: f"\ufeff{x}\n{HEAD}".encode()),
    )
)
@example(f"{HEAD}\na b".encode())
@example(f"{HEAD}\n\0".encode())
@example(f"{HEAD}\n##".encode())
@example(f"{HEAD}\n{'x' * 1000}".encode())
@example(b"\xef\xbb\xbf")
def test_any_bytes_give_a_tokenizer_or_one_line(tmp_path, content):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    tokenizer = opened(str(path))
    if tokenizer is None:
        return
    # What was read is what is kept, and no piece runs across two words.
    tokenizer.save(str(tmp_path / "again"))
    assert Tokenizer.from_folder(str(tmp_path / "again")).vocab == (
        tokenizer.vocab
    )
    texts = [*tokenizer.vocab, "a b", "b a"]
    ids = tokenizer.tokenize(tf.constant(texts))
    for piece in tokenizer.tokens(ids.flat_values):
        assert len(piece.split()) < 2


def test_a_byte_order_mark_is_no_part_of_a_piece(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes(b"\xef\xbb\xbf" + HEAD.encode())
    assert load_vocab(str(path)) == HEAD.split("\n")


@pytest.mark.parametrize("space", [" ", "\t", "\u00a0", "\u2028", "\u3000"])
def test_a_piece_with_white_space_is_refused(space):
    for piece in (f"a{space}b", f"##{space}b"):
        with pytest.raises(InputError, match=r"white space; received.*line 6"):
            Tokenizer([*SPECIALS, piece])


@pytest.mark.parametrize(
    ("vocab", "message"),
    [
        (None, "must be a list of texts"),
        ("abc", "must be a list of texts"),
        (set(SPECIALS), "must be a list of texts"),
        (dict.fromkeys(SPECIALS), "must be a list of texts"),
        ([*SPECIALS, 5], "line 6 of a vocabulary must be text; received 5"),
        ([*SPECIALS, b"a"], "must be text; received b'a'"),
        ([*SPECIALS, "\ud83d"], "must be text; received"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(vocab, message):
    with pytest.raises(InputError, match=message):
        Tokenizer(vocab)
