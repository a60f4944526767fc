"""SentencePiece against the `sentencepiece` package and Unicode's own rules."""

import io
import itertools
import json
import pickle
import unicodedata

import numpy as np
import pages
import pytest
import sentencepiece
import squad_alignment
import tensorflow as tf

from electra_tf.data.records.format import parse_examples
from electra_tf.data.records.packer import Document, DocumentPacker, Stats
from electra_tf.data.tokenizers import (
    SentencePieceTokenizer,
    Tokenizer,
    WordPieceTokenizer,
    pack_words,
)
from electra_tf.data.tokenizers.learning import measure_coverage
from electra_tf.errors import InputError
from electra_tf.finetune.tasks.answers import tokenize_passages
from electra_tf.finetune.tasks.squad import Question
from electra_tf.modeling.noise import Noise
from electra_tf.pretraining.masking import TokenMasker
from electra_tf.serving.saved_model import graph_ops, is_portable
from electra_tf.weights.huggingface_tokenizer import (
    read_tokenizer,
    write_tokenizer,
)

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CASES = {"cased": False, "lower": True}


@pytest.fixture(scope="module")
def cased() -> SentencePieceTokenizer:
    return SentencePieceTokenizer.learn(pages.all_pages(), 900, False)[0]


@pytest.fixture(scope="module")
def lower() -> SentencePieceTokenizer:
    return SentencePieceTokenizer.learn(pages.all_pages(), 900, True, False)[0]


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return [*pages.mixed_lines(1000), "", " ", "\ufffd", "\x00", "Z\x00üge"]


def package(model: bytes) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=model)


def nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def test_ids_equal_the_package(cased, lower, lines):
    """On raw lines; lower-cased ones where the tokenizer lower-cases."""
    theirs = package(cased.model)
    got = cased.tokenize(tf.constant(lines)).to_list()
    assert got == theirs.encode(lines)
    assert len({i for row in got for i in row}) > 500
    low = [line.lower().replace("\x00", "") for line in lines]
    got = lower.tokenize(tf.constant(lines)).to_list()
    assert got == package(lower.model).encode(low)
    assert got != theirs.encode(lines)


@pytest.mark.parametrize("language", pages.LANGUAGES)
def test_unknown_share_and_the_way_back(language):
    """Learnt of one half of a page, measured on the other."""
    learnt, held = pages.halves(language)
    made, _ = SentencePieceTokenizer.learn(learnt, 400, False)
    ids = made.tokenize(tf.constant(held))
    assert np.mean(ids.values.numpy() == made.unk_id) < 0.01
    texts = ["".join(row).replace("▁", " ") for row in made.tokens(ids)]
    for text, line, row in zip(texts, held, ids.to_list(), strict=True):
        if made.unk_id not in row:
            assert text == " " + " ".join(nfkc(line).split())
    words, _ = WordPieceTokenizer.learn(learnt, 600, False)
    if language != "th":
        of_words = words.tokenize(tf.constant(held)).values.numpy()
        assert np.mean(of_words == words.unk_id) < 0.01


@pytest.mark.parametrize("case", CASES)
def test_offsets(request, lines, case):
    tokenizer, lowered = request.getfixturevalue(case), CASES[case]
    columns = tokenizer.tokenize_with_offsets(tf.constant(lines))
    rows = zip(lines, *(c.to_list() for c in columns), strict=True)
    for text, *row in rows:
        check_offsets(tokenizer, text, row, lowered)


def check_offsets(tokenizer, text, row, lowered):
    """Ordered, on borders of characters, over all that is not white space."""
    data = text.encode()
    borders = {0, *itertools.accumulate(len(c.encode()) for c in text)}
    before, pieces = 0, ""
    for id_, start, end in zip(*row, strict=True):
        assert before <= start <= end <= len(data)
        assert {start, end} <= borders
        gap = data[before:start].decode()
        assert all(is_left_out(c) for c in gap), (text, gap)
        before = end
        pieces += tokenizer.vocab[id_].replace("▁", "")
        part = data[start:end].decode()
        assert not part[:1].isspace()
        found = nfkc(part.lower() if lowered else part)
        found = "".join(c for c in found if not is_left_out(c))
        if not found:
            continue  # a character that the next piece has, or a lone mark
        if "[UNK]" in pieces:
            pieces = ""
            continue
        # "(½": of the piece "(1" the bracket; the rest is the last piece's.
        assert pieces.startswith(found), (text, part)
        pieces = pieces.removeprefix(found)
    assert all(is_left_out(c) for c in data[before:].decode())
    assert pieces in ("", "[UNK]")  # of a NUL alone


def is_left_out(char: str) -> bool:
    """White space, to SentencePiece; U+2581 is its mark for it."""
    return char.isspace() or char in "\u200b\ufffd\u2581\x00"


def test_offsets_by_hand(lower):
    text = " \u3000İzmir\u200d の㍿ｶﾞ e\u0301\u0301 "
    ids, starts, ends = lower.tokenize_with_offsets(tf.constant([text]))
    data, found = text.encode(), []
    for piece, start, end in zip(
        lower.tokens(ids)[0], starts[0].numpy(), ends[0].numpy(), strict=True
    ):
        found.append((piece, data[start:end].decode()))
    joined = "".join(part for _, part in found)
    assert joined == "".join(text.split())
    at = next(i for i, (_, part) in enumerate(found) if "㍿" in part)
    expanded = "".join(piece for piece, _ in found[: at + 1])
    assert expanded.endswith(("株式会社", "[UNK]"))
    assert [part for _, part in found[at - 1 : at]] in ([""], ["の"])


def test_the_same_in_a_graph_after_pickling_and_in_a_saved_model(
    lower, lines, tmp_path
):
    expected = lower.tokenize_with_offsets(tf.constant(lines))
    copy = pickle.loads(pickle.dumps(lower))
    again = Tokenizer.from_config(json.loads(json.dumps(lower.get_config())))
    assert copy.settings() == again.settings() == lower.settings()
    tf.random.set_seed(1)  # clears what ran eagerly
    module = tf.Module()
    module.split = tf.function(
        lambda texts: [
            x.to_tensor(-1) for x in copy.tokenize_with_offsets(texts)
        ],
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for found in (
        again.tokenize_with_offsets(tf.constant(lines)),
        lower.tokenize_with_offsets(tf.constant(lines)),
    ):
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.to_list() == theirs.to_list()
    for dense, ragged in zip(
        loaded.split(tf.constant(lines)), expected, strict=True
    ):
        np.testing.assert_array_equal(dense, ragged.to_tensor(-1))
    ops = graph_ops(str(tmp_path))
    assert "SentencepieceTokenizeWithOffsetsOp" in ops
    assert all(map(is_portable, ops))


def test_answers_and_words_land_on_the_text(lower):
    """What fine-tuning makes of offsets, on pages with every odd form."""
    rng = np.random.default_rng(3)
    contexts = pages.all_pages()
    for context, passage in zip(
        contexts, tokenize_passages(lower, contexts), strict=True
    ):
        start, end = sorted(rng.choice(len(context), 2, replace=False))
        if context[start].isspace():
            start += 1  # answers do not begin so
        if not context[start:end].strip():
            continue
        question = Question("id", "", context, (), (int(start), int(end)))
        found = passage.tokens_of(*question.span)
        assert squad_alignment.is_aligned(question, passage, *found), context
    words = ["㈱ミドリ商会", "ｺｰﾋｰ", "\u200b", "Äpfel"]
    packed, places = pack_words(lower, tf.ragged.constant([words]), 64)
    ids = packed.input_ids.numpy()[0]
    edges = [*places.to_list()[0], int(packed.input_mask.numpy().sum()) - 1]
    found = [
        "".join(lower.tokens(ids[a:b])) for a, b in itertools.pairwise(edges)
    ]
    assert found == ["▁(株)ミドリ商会", "▁コーヒー", "[UNK]", "▁äpfel"]


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_records_have_the_ids_of_whole_lines(request, case, split):
    """Sentences that no space parts are not begun anew."""
    tokenizer = request.getfixturevalue(case)
    text = [*pages.page("ja")[:6], *pages.page("de")[:4]]
    text = ["".join(text[:4]), text[4] + "  " + text[5], " ".join(text[6:])]
    text += ["Ǆ。İ。Σ。 ㍿。" * 3, "", "。"]
    pack = DocumentPacker(tokenizer, 512, 0, split).pack
    packed = pack([Document(0, text, False)])
    examples = parse_examples(tf.constant(packed.train), 512)
    ids = examples["input_ids"].numpy().ravel()
    found = ids[
        ~np.isin(ids, [tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id])
    ]
    whole = tokenizer.tokenize(tf.constant(text))
    np.testing.assert_array_equal(found, whole.values)
    assert packed.counted.stats.tokens_seen == len(found)
    packer = DocumentPacker(tokenizer, 512, 0, split)
    lines = packer._tokenize([Document(0, text[:1], False)], Stats())[0]
    sentences = ["".join(tokenizer.tokens(ids)) for ids in lines[0]]
    parts = [nfkc(line) for line in pages.page("ja")[:4]]
    parts[3:4] = [
        "がんばれば昨日には東京へ着ける、と先生が言った。",
        "バスもある。",
    ]
    parts[0] = "▁" + parts[0]
    assert sentences == (parts if split else ["".join(parts)])


def test_long_text_without_spaces_loses_nothing(cased):
    """Pieces of scripts without spaces are places to cut at."""
    text = "".join(line.rstrip("。") for line in pages.page("ja")[:20])
    packed = DocumentPacker(cased, 64, 0, True).pack(
        [Document(0, [text], False)]
    )
    stats = packed.counted.stats
    assert stats.tokens_seen > 300
    assert stats.tokens_kept == stats.tokens_seen


def test_no_word_is_masked_in_part(cased):
    lines = [*pages.page("de"), *pages.page("ko"), *pages.page("ar")]
    ids = cased.tokenize(tf.constant(lines)).to_tensor(cased.pad_id)
    edge = tf.ones_like(ids[:, :1])
    ids = tf.concat([edge * cased.cls_id, ids, edge * cased.sep_id], 1)
    batch = {
        "input_ids": ids,
        "input_mask": tf.cast(ids != cased.pad_id, tf.int32),
        "segment_ids": tf.zeros_like(ids),
    }
    layer = TokenMasker(
        0.3,
        ids.shape[1],
        cased.mask_id,
        [cased.special_ids[i] for i in (0, 2, 3, 4)],
        starts_word=cased.starts_word,
    )
    with Noise(1).scope():
        masked = layer(batch)
    chosen = np.zeros(ids.shape, bool)
    for row, (places, weights) in enumerate(
        zip(
            masked.positions.numpy(),
            masked.weights.numpy(),
            strict=True,
        )
    ):
        chosen[row, places[weights > 0]] = True
    tokens, words = cased.tokens(ids), 0
    for row in range(len(lines)):
        word = -1
        numbers = []
        for token in tokens[row]:
            word += (
                token.startswith("▁") or token in SPECIALS[:1] + SPECIALS[2:]
            )
            numbers.append(word)
        shares = [
            chosen[row][np.array(numbers) == n].mean() for n in set(numbers)
        ]
        assert set(shares) <= {0.0, 1.0}
        words += sum(shares)
    assert words > 300


def test_what_follows_begins_no_word(cased):
    texts = tf.constant(["です。", " です。", "", "🙂です"])
    found = cased.tokens(cased.tokenize_after(texts))
    bare = cased.tokens(cased.tokenize(tf.constant(["です。"])))[0]
    assert "".join(found[0]) == "です。"
    assert "".join(found[1]) == "".join(bare) == "▁です。"
    assert found[2] == []
    assert found[3][0] == "[UNK]"
    assert "".join(found[3][1:]) == "です"


def test_words_and_casing(cased, lower):
    word = dict(zip(cased.vocab, cased.words, strict=True))
    begins = dict(zip(cased.vocab, cased.starts_word, strict=True))
    assert all(word[p] == "" for p in ("▁", "。", *SPECIALS))
    assert begins["▁"]
    assert not begins["[UNK]"]
    assert any(begins[p] and w.isalpha() for p, w in word.items())
    got = lower.tokens(lower.tokenize(tf.constant(["がくせい ÄPFEL"])))[0]
    assert "が" in "".join(got) or "[UNK]" in got
    stripped = SentencePieceTokenizer(lower.model, True, True)
    text = stripped.normalize(tf.constant(["がÄ"])).numpy()[0].decode()
    assert text == "かa"
    assert lower.normalize(tf.constant(["がÄ"])).numpy()[0].decode() == "がä"


def test_learning_is_told_and_repeats_itself():
    page = pages.page("tr")
    one, words = SentencePieceTokenizer.learn(page, 60)
    assert one.vocab_size == 60
    assert list(one.vocab[:5]) == SPECIALS
    assert SentencePieceTokenizer.learn(page, 60)[0].model == one.model
    most, _ = SentencePieceTokenizer.learn(page, 10**6)
    assert 60 < most.vocab_size < 10**6
    fit = measure_coverage(one, words)
    assert fit.counts.sum() == fit.num_pieces
    assert fit.num_words == words.total() == sum(len(x.split()) for x in page)
    assert fit.counts[one.unk_id] == 0


def test_files_and_their_kind(cased, tmp_path):
    plain, _ = SentencePieceTokenizer.learn(
        pages.page("ja"), 200, False, unicode_normalization="none"
    )
    assert plain.unicode_normalization == "none"
    got = plain.tokens(plain.tokenize(tf.constant(["（１　８）", "(1 8)"])))
    assert "".join(got[0]) == "▁（１▁８）"
    assert "（" not in "".join(got[1])
    for tokenizer, told in ((cased, False), (plain, True)):
        folder = str(tmp_path / str(told))
        tokenizer.save(folder)
        settings = json.loads(
            (tmp_path / str(told) / "tokenizer.json").read_text()
        )
        assert ("unicode_normalization" in settings) == told
        path = Tokenizer.find_file(folder)
        assert path == f"{folder}/spiece.model"
        for again in (
            Tokenizer.from_folder(folder),
            Tokenizer.from_file(path, do_lower_case=False),
        ):
            assert again.settings() == tokenizer.settings()
    with pytest.raises(InputError, match=r"must be NFKC, which .*'none'"):
        SentencePieceTokenizer(cased.model, unicode_normalization="none")


@pytest.mark.parametrize("options", [(False, False), (True, True)])
def test_hugging_face_s_tokenizers_gives_the_same(tmp_path, options):
    """A folder for transformers, read by the library that it reads with."""
    tokenizers = pytest.importorskip("tokenizers")
    ours, _ = SentencePieceTokenizer.learn(pages.all_pages(), 600, *options)
    write_tokenizer(ours, str(tmp_path), 64)
    assert read_tokenizer(str(tmp_path)).settings() == ours.settings()
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    # A "[MASK]" in a text is a mask to it, as of any vocabulary.
    lines = [x for x in pages.mixed_lines(1000) if "[" not in x]
    lines += [*pages.all_pages(), "～ ~"]
    found = [row.ids for row in theirs.encode_batch(lines)]
    expected = ours.tokenize(tf.constant(lines)).to_list()
    assert found == [[2, *row, 3] for row in expected]
    settings = tmp_path / "tokenizer_config.json"
    settings.write_text('{"tokenizer_class": "ElectraTokenizer"}')
    with pytest.raises(InputError, match=r"spiece\.model, must be PreTrained"):
        read_tokenizer(str(tmp_path))


def trained(**changed) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(pages.page("de")),
        model_writer=model,
        vocab_size=80,
        minloglevel=2,
        **changed,
    )
    return model.getvalue()


def test_models_that_do_not_fit_are_refused(cased, tmp_path):
    """Whatever is in the file: one line, and no crash."""
    usual = trained()
    as_text = trained(
        unk_piece="[UNK]",
        user_defined_symbols=SPECIALS[:1] + SPECIALS[2:],
    )
    for content, message in (
        (usual, r"without \[PAD\] \[UNK\] \[CLS\] \[SEP\] \[MASK\]"),
        (as_text, r"without \[PAD\] \[CLS\] \[SEP\] \[MASK\]"),
        (b"", "must be a file that its trainer wrote; received 0 bytes"),
        (b"[PAD]\n[UNK]\n", "must be a file that its trainer wrote"),
        (cased.model[:-9], "trainer wrote"),
    ):
        path = tmp_path / "some.model"
        path.write_bytes(content)
        with pytest.raises(InputError, match=message) as caught:
            Tokenizer.from_file(str(path))
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
    rng = np.random.default_rng(0)
    for _ in range(40):
        content = bytearray(cased.model)
        for place in rng.integers(0, len(content), 4):
            content[place] = rng.integers(256)
        try:
            SentencePieceTokenizer(bytes(content))
        except InputError:
            pass
    with pytest.raises(InputError, match="which does not exist"):
        Tokenizer.from_file(str(tmp_path / "none.model"))
