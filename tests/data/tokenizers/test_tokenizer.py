"""The tokenizer against a plain-Python derivation of BERT's rules."""

import itertools
import json
import pickle
import random
import sys
import unicodedata

import bert_reference as reference
import pytest
import tensorflow as tf

from electra_tf.data.text import embedded_corpus_path, embedded_vocab_path
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SWITCHES = [(True, True), (True, False), (False, True), (False, False)]
STABLE = [chr(c) for c in range(sys.maxunicode) if reference.is_stable(chr(c))]
# Ideographs, Hangul and private characters are many and alike.
EVERY_KIND = [
    c
    for c in STABLE
    if not (0x3400 <= ord(c) < 0xFB00 or ord(c) >= 0x20000) or ord(c) % 32 == 0
]

# Text, and the pieces BERT's vocabulary gives, by hand.
BY_HAND = {
    "Hello, World!": ["hello", ",", "world", "!"],
    "wait… so": ["wait", "…", "so"],
    "ﬁne": ["ﬁ", "##ne"],
    "½ cup": ["½", "cup"],
    "Straße": ["st", "##raße"],
    "İstanbul": ["istanbul"],
    "Café": ["cafe"],
    "Cafe\u0301": ["cafe"],
    "zero\u200bwidth": ["zero", "##wi", "##dt", "##h"],
    "nul\x00l": ["null"],
    "a\ufffdb": ["ab"],
    "\ufeffhello": ["hello"],
    "東京に": ["東", "京", "に"],
    "x" * 250: ["[UNK]"],
    "🙂": ["[UNK]"],
    "[MASK]": ["[", "mask", "]"],
    "[CLS] a [SEP]": ["[", "cl", "##s", "]", "a", "[", "sep", "]"],
    "U.S.": ["u", ".", "s", "."],
    "a\u2028b\u00a0c\u3000d": ["a", "b", "c", "d"],
    "": [],
    " \t\r\n": [],
}
HARD = [
    *BY_HAND,
    "ＦＵＬＬ　ｗｉｄｔｈ１２",
    "ΑΣ ΣΑΣ Σ ΑΣ. ΑΣα",
    "ガラス 한국어 हिन्दी ไทย العَرَبِيَّة",
    "e\u0301\u0323 e\u0323\u0301 \u0301a \u0301",
    "soft\u00adhyphen \u202edirection\u202c",
    "\u037e\u1fef\u212a\u2126\u226f",
    "ǅ ǲ ŉ İ ı Å Å",
    "👩\u200d👩\u200d👧 🇺🇸",
    "y" * 200,
    "é" * 200,
    "é" * 201,
    "あ" * 200 + " " + "あ" * 201 + " b",
    "a" * 201 + "." + "b" * 199 + "-" + "c" * 900,
    "co-operate don't $3.50 a_b ^`~ «ça» ‘’ — –",
]


@pytest.fixture(scope="module")
def bert() -> Tokenizer:
    return Tokenizer.from_file(embedded_vocab_path())


@pytest.fixture(scope="module")
def bert_ids(bert) -> dict[str, int]:
    return {piece: i for i, piece in enumerate(bert.vocab)}


def _random_text(rng: random.Random) -> str:
    """Words of letters, marks, signs and spaces of all the planes."""
    common = "abcdeEFGÉéßİΣσς .,-'\u0301\u0308\u200d\u00a0東한ガ½ﬁ🙂"
    return "".join(
        rng.choice(common) if rng.random() < 0.7 else rng.choice(STABLE)
        for _ in range(rng.randrange(40))
    )


def _char_vocab(texts: list[str], lower: bool, strip: bool) -> list[str]:
    """A vocabulary in which no character is unknown, and some pairs are."""
    words = {w for t in texts for w in reference.words(t, lower, strip)}
    chars = sorted({c for w in words for c in w})
    pairs = sorted({w[:2] for w in words if len(w) > 1})
    return [*SPECIALS, *chars, *("##" + c for c in chars), *pairs]


def test_pieces_by_hand(bert):
    got = bert.tokens(bert.tokenize(tf.constant(list(BY_HAND))))
    assert dict(zip(BY_HAND, got, strict=True)) == BY_HAND


def test_hard_cases_equal_the_reference(bert, bert_ids):
    got = bert.tokenize(tf.constant(HARD)).to_list()
    for text, ids in zip(HARD, got, strict=True):
        assert ids == reference.ids(text, bert_ids), text


def test_embedded_corpus_equals_the_reference(bert, bert_ids):
    with open(embedded_corpus_path(), encoding="utf-8") as f:
        lines = f.read().splitlines()[::9]
    got = bert.tokenize(tf.constant(lines)).to_list()
    assert got == [reference.ids(line, bert_ids) for line in lines]


@pytest.mark.parametrize(("lower", "strip"), SWITCHES)
def test_every_character_equals_the_reference(lower, strip):
    texts = [f"a{char}b" for char in EVERY_KIND]
    vocab = _char_vocab(texts, lower, strip)
    index = {piece: i for i, piece in enumerate(vocab)}
    tokenizer = Tokenizer(vocab, lower, strip)
    got = tokenizer.tokenize(tf.constant(texts)).to_list()
    wrong = [
        hex(ord(text[1]))
        for text, ids in zip(texts, got, strict=True)
        if ids != reference.ids(text, index, lower, strip)
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("lower", "strip", "borders"),
    [
        *((*switches, "bert") for switches in SWITCHES),
        (True, True, "punctuation"),
        (False, False, "punctuation"),
        (True, False, "spaces"),
    ],
)
def test_random_text_ids_and_offsets(lower, strip, borders):
    rng = random.Random(7)
    texts = [*HARD, *(_random_text(rng) for _ in range(1500))]
    vocab = _char_vocab(texts[:1000], lower, strip)
    index = {piece: i for i, piece in enumerate(vocab)}
    tokenizer = Tokenizer(vocab, lower, strip, borders)
    plain = tokenizer.tokenize(tf.constant(texts)).to_list()
    ids, starts, ends = (
        t.to_list() for t in tokenizer.tokenize_with_offsets(tf.constant(texts))
    )
    assert ids == plain
    switches = (lower, strip, borders)
    assert ids == [reference.ids(t, index, *switches) for t in texts]
    for text, *row in zip(texts, ids, starts, ends, strict=True):
        _check_offsets(text, vocab, row, *switches)


@pytest.mark.parametrize(("lower", "strip"), [(True, False), (True, True)])
def test_nfkc_comes_behind_casing(lower, strip):
    rng = random.Random(8)
    texts = [*HARD, "ｶﾞｷﾞ 가각 ＡＢＣ①㍿ e\u0301\u0323 K\u1161\u314f"]
    texts += [_random_text(rng) for _ in range(800)]
    folded = [
        unicodedata.normalize(
            "NFKC", reference.fold(reference.clean(text), lower, strip)
        )
        for text in texts
    ]
    vocab = _char_vocab(folded[:500], False, False)
    index = {piece: i for i, piece in enumerate(vocab)}
    tokenizer = Tokenizer(vocab, lower, strip, unicode_normalization="NFKC")
    ids, starts, ends = (
        t.to_list() for t in tokenizer.tokenize_with_offsets(tf.constant(texts))
    )
    assert ids == [reference.ids(t, index, False, False) for t in folded]
    for text, *row in zip(texts, starts, ends, strict=True):
        data, before = text.encode(), (0, 0)
        for span in zip(*row, strict=True):
            assert before[0] <= span[0] < span[1]
            assert before[1] <= span[1] <= len(data)
            # Whole characters; what lies between leaves nothing, but space.
            left = data[before[1] : span[0]].decode()
            found = reference.fold(reference.clean(left), lower, strip)
            assert not found.strip(), text
            before = span
    data = "a ｶﾞ각".encode()
    _, starts, ends = tokenizer.tokenize_with_offsets(tf.constant([data]))
    spans = zip(starts[0].numpy(), ends[0].numpy(), strict=True)
    found = [data[start:end].decode() for start, end in spans]
    assert found[:2] == ["a", "ｶﾞ"]


def _check_offsets(text, vocab, row, lower, strip, borders):
    data = text.encode("utf-8")
    words = iter(reference.words(text, lower, strip, borders))
    spans = list(zip(*row, strict=True))
    for i, (id_, start, end) in enumerate(spans):
        assert 0 <= start < end <= len(data)
        piece = vocab[id_]
        if not piece.startswith("##"):
            word = next(words)
        expected = word if piece == "[UNK]" else piece.removeprefix("##")
        # Alone, a capital sigma is never the last letter of a word.
        found = reference.fold(
            reference.clean(data[start:end].decode("utf-8")), lower, strip
        ).replace("ς", "σ")
        expected = expected.replace("ς", "σ")
        neighbours = spans[max(0, i - 1) : i] + spans[i + 1 : i + 2]
        if any(s < end and start < e for _, s, e in neighbours):
            # Pieces of one character (한 is three letters) share it.
            assert expected in found
        else:
            assert found.strip() == expected
    for before, after in itertools.pairwise(spans):
        assert before[1] <= after[1]
        assert before[2] <= after[2]
    assert next(words, None) is None


def test_offsets_by_hand(bert):
    text = "Cafe\u0301, ﬁ t\u200bhe " + "z" * 250 + " 東京"
    _, starts, ends = bert.tokenize_with_offsets(tf.constant(["", text]))
    data = text.encode("utf-8")
    spans = [
        data[s:e].decode("utf-8")
        for s, e in zip(starts[1].numpy(), ends[1].numpy(), strict=True)
    ]
    assert starts[0].shape[0] == 0
    assert spans == [
        "Cafe\u0301",
        ",",
        "ﬁ",
        "t\u200bhe",
        "z" * 250,
        "東",
        "京",
    ]


def test_invalid_utf8_is_left_out(bert, bert_ids):
    rng = random.Random(3)
    parts = [b"a", b"the ", "é東😀 ".encode(), b". "]
    texts = [b"\xff", b"ab\xc3", b"\xed\xa0\x80x", b"\xc0\x80y", b"\x80" * 9]
    for _ in range(500):
        good = b"".join(rng.choice(parts) for _ in range(10))
        cut = rng.randrange(len(good))
        junk = bytes(rng.randrange(256) for _ in range(3))
        texts.append(good[:cut] + junk + good[cut + rng.randrange(3) :])
    ids, starts, ends = bert.tokenize_with_offsets(tf.constant(texts))
    assert ids.to_list() == bert.tokenize(tf.constant(texts)).to_list()
    assert ids.to_list() == [
        reference.ids(t.decode("utf-8", "ignore"), bert_ids) for t in texts
    ]
    lengths = tf.strings.length(texts)[:, tf.newaxis]
    assert tf.reduce_all((starts >= 0) & (starts < ends))
    assert tf.reduce_all(tf.cast(lengths, tf.int32) >= ends)


def test_casing_and_accents_are_separate():
    vocab = [*SPECIALS, "ガ", "##ラ", "##ス", "カ", "É", "é", "E", "e"]
    text = tf.constant(["ガラス É"])

    def tokens(lower, strip):
        tokenizer = Tokenizer(vocab, lower, strip)
        return tokenizer.tokens(tokenizer.tokenize(text))[0]

    assert tokens(True, False) == ["ガ", "##ラ", "##ス", "é"]
    assert tokens(True, None) == ["カ", "##ラ", "##ス", "e"]
    assert tokens(False, True) == ["カ", "##ラ", "##ス", "E"]
    assert tokens(False, None) == ["ガ", "##ラ", "##ス", "É"]


def test_special_ids_and_types(bert):
    assert bert.vocab_size == 30522
    assert bert.special_ids == (0, 100, 101, 102, 103)
    assert (bert.pad_id, bert.unk_id) == (0, 100)
    assert (bert.cls_id, bert.sep_id, bert.mask_id) == (101, 102, 103)
    for ragged in bert.tokenize_with_offsets(tf.constant(["a b", "c"])):
        assert ragged.dtype == tf.int32
        assert ragged.shape.as_list() == [2, None]
    empty = bert.tokenize_with_offsets(tf.constant([], tf.string))
    assert [t.to_list() for t in empty] == [[], [], []]
    assert bert.tokens(103) == "[MASK]"
    assert bert.tokens([[1996], []]) == [["the"], []]


class _Exported(tf.Module):
    def __init__(self, tokenizer):
        super().__init__()
        self._tokenizer = tokenizer

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def offsets(self, text):
        ids, starts, ends = self._tokenizer.tokenize_with_offsets(text)
        return {
            "ids": ids.to_tensor(-1),
            "starts": starts.to_tensor(-1),
            "ends": ends.to_tensor(-1),
        }


def test_exported_module_equals_eager(bert, tmp_path):
    texts = tf.constant([t for t in HARD if "\x00" not in t])
    module = _Exported(bert)
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path)).offsets(texts)
    eager = bert.tokenize_with_offsets(texts)
    for got, expected in zip(
        (loaded["ids"], loaded["starts"], loaded["ends"]), eager, strict=True
    ):
        assert got.numpy().tolist() == expected.to_tensor(-1).numpy().tolist()


# TensorFlow's own ops; all are in TensorFlow 2.12 and its TF Serving.
CORE_OPS = set(
    "AddV2 Any BroadcastTo Cast ConcatV2 Const Cumsum Equal ExpandDims "
    "GatherV2 Greater Identity Less LogicalAnd LogicalNot LogicalOr Max "
    "Maximum Mul NoOp Pack Placeholder Prod Range Reshape SegmentMax "
    "SegmentSum SelectV2 Shape Size Squeeze StatelessIf StaticRegexFullMatch "
    "StaticRegexReplace StridedSlice StringLength StringLower Sub Sum Tile "
    "UnicodeDecodeWithOffsets UnicodeEncode UnicodeTranscode Unique "
    "UnsortedSegmentSum UpperBound Where".split()
)
# TF Text's: TF Serving carries both of them since 2.12 (TF Text 2.12.1).
TEXT_OPS = {"FastWordpieceTokenizeWithOffsets", "NormalizeUTF8"}


@pytest.mark.parametrize("method", ["tokenize", "tokenize_with_offsets"])
def test_graph_has_only_ops_that_old_servers_have(bert, method):
    function = tf.function(
        getattr(bert, method),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    graph = function.get_concrete_function().graph.as_graph_def()
    ops = {node.op for node in graph.node}
    for part in graph.library.function:
        ops.update(node.op for node in part.node_def)
    assert ops - CORE_OPS == TEXT_OPS


def test_works_in_a_dataset_and_after_pickling(bert):
    texts = ["The first.", "second " + "w" * 300]
    copy = pickle.loads(pickle.dumps(bert))
    dataset = tf.data.Dataset.from_tensor_slices(texts).batch(2)
    (mapped,) = dataset.map(copy.tokenize)
    assert mapped.to_list() == bert.tokenize(tf.constant(texts)).to_list()
    assert copy.settings() == bert.settings()


@pytest.mark.parametrize("folder", ["ram://tokenizer/a", None])
def test_save_and_read_again(folder, tmp_path):
    folder = folder or str(tmp_path / "new" / "folder")
    vocab = [*SPECIALS, "é", "か", "ok"]
    Tokenizer(vocab, do_lower_case=True, strip_accents=False).save(folder)
    again = Tokenizer.from_folder(folder)
    assert again.vocab == tuple(vocab)
    assert (again.do_lower_case, again.strip_accents) == (True, False)
    with tf.io.gfile.GFile(folder + "/tokenizer.json") as f:
        assert json.loads(f.read()) == again.settings()
    assert set(again.settings()) == {
        "kind",
        "do_lower_case",
        "strip_accents",
        "vocab_sha256",
    }
    assert again.settings()["kind"] == "wordpiece"
    # Told where it is another than BERT's: older folders do not tell.
    Tokenizer(vocab, True, False, "spaces").save(folder)
    again = Tokenizer.from_folder(folder)
    assert again.settings()["word_borders"] == "spaces"
    assert again.tokens(again.tokenize(["ok.ok"])) == [["[UNK]"]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "words"}, "kind must be one of.*received 'words'"),
        ({"cased": True}, "must have kind .*cased"),
        ({"word_borders": "lines"}, "one of bert, .* received 'lines'"),
        ({"strip_accents": None}, "strip_accents \\(bool\\).*None"),
        (
            {"vocab_sha256": "0" * 64},
            "must have the sha256 of tokenizer.json, 000",
        ),
    ],
)
def test_folder_that_does_not_fit_is_refused(tmp_path, change, message):
    Tokenizer([*SPECIALS, "a"]).save(str(tmp_path))
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=message):
        Tokenizer.from_folder(str(tmp_path))


def test_changed_or_missing_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"tokenizer\.json.* received no file"):
        Tokenizer.from_folder(str(tmp_path))
    Tokenizer([*SPECIALS, "a", "b"]).save(str(tmp_path))
    vocab_file = tmp_path / "vocab.txt"
    vocab_file.write_text("\n".join([*SPECIALS, "b", "a"]))
    with pytest.raises(InputError, match="sha256"):
        Tokenizer.from_folder(str(tmp_path))
    vocab_file.unlink()
    with pytest.raises(InputError, match="does not exist"):
        Tokenizer.from_folder(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(InputError, match="that is not JSON"):
        Tokenizer.from_folder(str(tmp_path))


@pytest.mark.parametrize(
    ("vocab", "message"),
    [
        ([], "received one of 0 pieces"),
        (SPECIALS[:3], r"without \[SEP\] \[MASK\]"),
        ([*SPECIALS, "a", "b", "a"], "'a' on lines 6 and 8"),
        ([*SPECIALS, ""], "an empty line 6"),
        ([*SPECIALS, "a "], "white space.*'a ' on line 6"),
    ],
)
def test_bad_vocabulary_is_refused(vocab, message):
    with pytest.raises(InputError, match=message):
        Tokenizer(vocab)
