"""Windows over passages: their layout, their characters, their targets."""

import json
import os
import random
import unicodedata

import numpy as np
import pytest
import squad_alignment

from electra_tf.data.tokenizers import Tokenizer
from electra_tf.finetune.models.windows import WindowSettings, most_context
from electra_tf.finetune.tasks.answers import (
    cut_questions,
    tokenize_passages,
    window_targets,
)
from electra_tf.finetune.tasks.squad import Question, read_squad

WORDS = "zero one two three four five six seven eight nine".split()
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# Letters of several bytes, of several code points, outside of the first plane;
# marks, ligatures, ideographs, characters that the tokenizer leaves out.
HARD = (
    "Ænïma naïve Zürich Ελλάς ΌΣΟΣ straße İstanbul ﬁn ½ … “quoted” "
    "東京 カラス 한국 𝒳𝒴 😀 e\u0301t\u0301e\u0301 "
    "zero\u200bwidth soft\u00adhyphen non\u00a0breaking a.b,c (1895-1943) $5"
).split(" ")


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer([*SPECIALS, *WORDS])


@pytest.fixture(scope="module")
def letters():
    """A tokenizer that splits the hard words into many pieces."""
    folded = sorted({c for word in HARD for c in fold(word)})
    return Tokenizer(
        [*SPECIALS, *folded, *(f"##{c}" for c in folded), "##ich", "na"]
    )


def fold(text):
    text = unicodedata.normalize("NFD", text.lower())
    return [c for c in text if unicodedata.category(c)[0] not in "MCZ"]


def question(context, answer=None, asked="zero"):
    span, answers = None, ()
    if answer is not None:
        start = context.index(answer)
        span, answers = (start, start + len(answer)), (answer,)
    return Question("id", asked, context, answers, span)


def test_the_layout_of_rows(tokenizer):
    asked = question("one two three four five", asked="zero nine")
    settings = WindowSettings(doc_stride=2, max_query_length=4)
    cut, arrays = cut_questions(tokenizer, [asked], 8, settings)
    cls, sep = tokenizer.cls_id, tokenizer.sep_id
    ids = {word: tokenizer.vocab.index(word) for word in WORDS}
    head = [cls, ids["zero"], ids["nine"], sep]
    assert arrays["input_ids"].tolist() == [
        [*head, ids["one"], ids["two"], ids["three"], sep],
        [*head, ids["three"], ids["four"], ids["five"], sep],
    ]
    assert arrays["input_mask"].tolist() == [[1] * 8] * 2
    assert arrays["segment_ids"].tolist() == [[0] * 4 + [1] * 4] * 2
    assert arrays["answer_mask"].tolist() == [[1, 0, 0, 0, 1, 1, 1, 0]] * 2
    assert cut.windows.first.numpy().tolist() == [0, 2]
    assert cut.windows.length.numpy().tolist() == [3, 3]
    assert cut.windows.begin.numpy().tolist() == [4, 4]
    assert cut.num_cut == 0


def test_short_rows_are_padded_and_long_questions_cut(tokenizer):
    texts = [question("one two three"), question("one", asked="two " * 5)]
    cut, arrays = cut_questions(tokenizer, texts, 32, WindowSettings(2, 3))
    assert cut.num_cut == 1
    assert arrays["input_ids"].shape == (2, 7)  # the longest row
    assert arrays["input_mask"].sum(axis=1).tolist() == [7, 7]
    assert cut.windows.row.numpy().tolist() == [0, 1]


def test_each_token_counts_where_it_has_the_most_context(tokenizer):
    asked = question(" ".join(WORDS))
    # Windows 0-4, 2-6, 4-8, 6-9; the lesser side's context decides, and then
    # the first; the last window is shorter.
    cut, _ = cut_questions(tokenizer, [asked], 9, WindowSettings(2, 1))
    first = cut.windows.first.numpy()
    owner = {}
    for number, owned in enumerate(most_context(cut.windows).to_list()):
        for token in np.flatnonzero(owned) + first[number]:
            assert token not in owner
            owner[int(token)] = number
    assert [owner[t] for t in range(10)] == [0, 0, 0, 0, 1, 1, 2, 2, 3, 3]


def test_targets_are_places_in_the_row(tokenizer):
    context = "one two three four five"
    asked = [
        question(context, "two three"),
        question(context, "three four"),
        question(context),  # no answer
    ]
    cut, _ = cut_questions(tokenizer, asked, 7, WindowSettings(2, 1))
    targets = window_targets(cut, asked)
    # Rows: [CLS] zero [SEP] x y z [SEP], with one two three, three four five.
    assert targets["start"].tolist() == [4, 0, 0, 3, 0, 0]
    assert targets["end"].tolist() == [5, 0, 0, 4, 0, 0]
    assert targets["is_impossible"].tolist() == [0, 1, 1, 0, 1, 1]


def test_offsets_are_in_characters(letters):
    text = "😀 naïve Zürich"
    (passage,) = tokenize_passages(letters, [text])
    found = [
        text[s:e] for s, e in zip(passage.starts, passage.ends, strict=True)
    ]
    assert "".join(found) == "😀naïveZürich"
    assert found[1] == "na"


def test_lone_surrogates_do_no_harm(letters):
    (passage,) = tokenize_passages(letters, ["a\ud83d b"])
    assert passage.starts.tolist()[-1] == 3


def test_a_passage_of_which_nothing_is_left(tokenizer):
    asked = [question("\u200b\u200b", "\u200b")]
    cut, arrays = cut_questions(tokenizer, asked, 32, WindowSettings())
    assert arrays["answer_mask"].tolist() == [[1, 0, 0, 0]]
    targets = window_targets(cut, asked)
    assert [targets[n].tolist() for n in targets] == [[0], [0], [1]]


def random_questions(rng, number):
    """Answers are runs of words, cut out by the random source itself."""
    questions = []
    for _ in range(number):
        words = rng.choices(HARD, k=rng.randrange(5, 60))
        context = "  ".join(words)
        first = rng.randrange(len(words))
        last = min(len(words) - 1, first + rng.randrange(3))
        start = sum(len(word) + 2 for word in words[:first])
        answer = "  ".join(words[first : last + 1])
        questions.append(
            Question(
                "id", "a", context, (answer,), (start, start + len(answer))
            )
        )
    return questions


@pytest.mark.parametrize(("length", "stride"), [(128, 30), (80, 9)])
def test_hard_texts_are_aligned(letters, length, stride):
    questions = random_questions(random.Random(0), 60)
    found = squad_alignment.check(letters, questions, length, stride)
    assert found["misaligned"] == 0
    assert found["unreachable"] == 0
    assert found["exact"] == 60
    assert found["windows"] > 80


def test_the_check_sees_a_shifted_offset(letters, monkeypatch):
    """Bytes taken for characters are found out."""
    questions = random_questions(random.Random(0), 10)
    original = tokenize_passages

    def in_bytes(tokenizer, texts):
        raw = [text.encode() for text in texts]
        _, starts, ends = tokenizer.tokenize_with_offsets(raw)
        return [
            type(passage)(passage.ids, s.numpy(), e.numpy())
            for passage, s, e in zip(
                original(tokenizer, texts), starts, ends, strict=True
            )
        ]

    monkeypatch.setattr(
        "electra_tf.finetune.tasks.answers.tokenize_passages", in_bytes
    )
    found = squad_alignment.check(letters, questions, 128, 30)
    assert found["misaligned"] > 5


@pytest.mark.slow
@pytest.mark.skipif(
    "ELECTRA_SQUAD_FILES" not in os.environ,
    reason="ELECTRA_SQUAD_FILES: SQuAD 1.1 files, with colons between",
)
def test_real_questions_are_aligned(capsys):
    from electra_tf.data.text import embedded_vocab_path

    tokenizer = Tokenizer.from_file(embedded_vocab_path())
    questions = []
    for path in os.environ["ELECTRA_SQUAD_FILES"].split(":"):
        questions += read_squad(path).questions
    for length, stride in ((512, 128), (384, 128), (128, 32)):
        found = squad_alignment.check(tokenizer, questions, length, stride)
        with capsys.disabled():
            print(f"\n{length}/{stride}: {json.dumps(found, default=int)}")
        assert found["misaligned"] == 0
        assert found["unreachable"] == 0
