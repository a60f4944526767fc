"""The example rule, against another telling of it, and long lines."""

import itertools

import numpy as np
import pytest

from electra_tf.data.records.examples import DocumentDraws, ExampleBuilder

CLS, SEP = 101, 102


def authors_rule(lines, max_length, draws):
    """facts.md 1d told on one string of marks, a token at a time.

    Each example's text is a string of tokens, with "|" behind each line; the
    walk below is a state machine over it with states A (first) and B (second).
    """
    draws = iter(draws)

    def plan():
        target = max_length
        if next(draws) < 0.05:
            target = 5 + int(next(draws) * (max_length - 4))
        return target, next(draws) < 0.1

    examples, text, tokens = [], [], 0
    target, single = plan()
    for i, line in enumerate(lines):
        text += [*line, "|"]
        tokens += len(line)
        if tokens >= target or (i == len(lines) - 1 and tokens):
            examples.append(_walk(text, target, single, max_length, draws))
            text, tokens = [], 0
            if i < len(lines) - 1 or tokens:
                target, single = plan()
    if tokens:
        examples.append(_walk(text, target, single, max_length, draws))
    return examples


def _walk(text, target, single, max_length, draws):
    segments = {"A": [], "B": []}
    half = 10**9 if single else (target - 3) // 2
    sentence = []
    for mark in text:
        if mark != "|":
            sentence.append(mark)
            continue
        in_first = len(segments["A"])
        if in_first == 0 or in_first + len(sentence) < half:
            state = "A"
        elif segments["B"] or in_first >= half:
            state = "B"
        else:
            state = "A" if next(draws) < 0.5 else "B"
        segments[state] += sentence
        sentence = []
    while len(segments["A"]) > max_length - 2:
        segments["A"].pop()
    while segments["B"] and (
        len(segments["A"]) + len(segments["B"]) > max_length - 3
    ):
        segments["B"].pop()
    return segments["A"], segments["B"]


def forced(values):
    iterator = iter(values)
    return lambda: next(iterator)


def random_document(rng, num_lines, longest):
    return [
        rng.integers(1000, 2000, rng.integers(0, longest + 1)).tolist()
        for _ in range(num_lines)
    ]


@pytest.mark.parametrize("max_length", [5, 6, 16, 64])
def test_authors_rule_equals_its_other_telling(max_length):
    rng = np.random.default_rng(0)
    builder = ExampleBuilder(CLS, SEP, max_length, split_long_lines=False)
    compared = 0
    for _ in range(150):
        lines = random_document(rng, rng.integers(1, 30), max_length)
        draws = rng.random(1000)
        draws[rng.random(1000) < 0.2] *= 0.05  # short and single ones often
        ours = builder.build([[line] for line in lines], forced(draws))
        expected = authors_rule(lines, max_length, draws)
        assert [tuple(example) for example in ours] == expected
        compared += len(expected)
    assert compared > 300


def test_forced_choices_by_hand():
    lines = [[[1, 2, 3]], [[4, 5]], [[6, 7, 8, 9]], [[10]]]
    builder = ExampleBuilder(CLS, SEP, 12, split_long_lines=False)
    # Full target, a pair, half of 9 is 4: 1-3, then a coin for 4-5.
    heads = list(builder.build(lines, forced([0.5, 0.5, 0.4])))
    tails = list(builder.build(lines, forced([0.5, 0.5, 0.6])))
    single = list(builder.build(lines, forced([0.5, 0.09])))
    assert heads == [([1, 2, 3, 4, 5], [6, 7, 8, 9])]  # 10 does not fit
    assert tails == [([1, 2, 3], [4, 5, 6, 7, 8, 9])]
    assert single == [([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [])]


def test_layout():
    builder = ExampleBuilder(CLS, SEP, 12)
    pair, single = (
        builder.build(
            [[[7, 8]], [[9] * 8]], forced([0.5, 0.5, 0.9] + [0.5] * 20)
        ),
        builder.build([[[7, 8]]], forced([0.5, 0.5])),
    )
    assert builder.layout(next(pair)) == (
        [CLS, 7, 8, SEP, *[9] * 7, SEP],
        4,
        8,
    )
    assert builder.layout(next(single)) == ([CLS, 7, 8, SEP], 4, 0)


def test_rates_of_single_segments_and_short_targets():
    builder = ExampleBuilder(CLS, SEP, 64)
    line = [[1] * 10 for _ in range(20)]
    singles = shorts = total = 0
    for number in range(400):
        examples = list(builder.build([line] * 5, DocumentDraws(1, number)))
        for example in examples[:-1]:
            total += 1
            singles += not example.second
            shorts += len(example.first) + len(example.second) < 50
    assert total > 5000
    assert abs(singles / total - 0.1) < 0.02
    # Targets from 5 to 64; three in four of them leave fewer than 50.
    assert abs(shorts / total - 0.05 * 0.8) < 0.01


WORD_STARTS = [token % 3 != 0 for token in range(3000)]


@pytest.mark.parametrize("max_length", [16, 64, 128])
def test_split_lines_lose_nothing_and_tear_no_word(max_length):
    rng = np.random.default_rng(1)
    builder = ExampleBuilder(CLS, SEP, max_length, True, WORD_STARTS)
    for number in range(50):
        document = [
            [[1, *s] for s in random_document(rng, 12, 2 * max_length)]
            for _ in range(5)
        ]
        examples = list(builder.build(document, DocumentDraws(0, number)))
        seen = iter([t for line in document for s in line for t in s])
        for example in examples:
            # In its order, but for sentences that changed the segment.
            kept = [*example.first, *example.second]
            assert sorted(kept) == sorted(itertools.islice(seen, len(kept)))
            ids, first_length, second_length = builder.layout(example)
            assert len(ids) <= max_length
            assert first_length + second_length == len(ids)
            assert WORD_STARTS[example.first[0]]
            assert not example.second or WORD_STARTS[example.second[0]]
        assert not list(seen)


def test_examples_of_split_lines_are_nearly_full():
    rng = np.random.default_rng(2)
    document = [[rng.integers(1, 9, 25).tolist() for _ in range(40)]] * 10
    builder = ExampleBuilder(CLS, SEP, 128)
    examples = list(builder.build(document, lambda: 0.5))
    used = [len(e.first) + len(e.second) for e in examples[:-1]]
    assert min(used) >= 125 * 7 / 8 - 1
    assert len(examples) > 70


def test_a_line_is_split_at_a_sentence_end():
    # 20 tokens fit; a stub of 2 (an eighth) may stay empty.
    builder = ExampleBuilder(CLS, SEP, 23)
    document = [[[1] * 9, [2] * 9, [3] * 9]]
    examples = builder.build(document, lambda: 0.6)
    assert list(examples) == [([1] * 9, [2] * 9), ([3] * 9, [])]


def test_a_word_longer_than_an_example_is_the_only_loss():
    starts = [False] * 10
    starts[1] = True
    builder = ExampleBuilder(CLS, SEP, 12, True, starts)
    document = [[[1, *[2] * 20, 1, 3]]]
    examples = list(builder.build(document, lambda: 0.6))
    assert examples == [([1, *[2] * 8], []), ([1, 3], [])]


def test_draws_are_a_function_of_seed_and_document():
    def first(seed, number):
        draw = DocumentDraws(seed, number)
        return [draw() for _ in range(4)]

    assert first(1, 2) == first(1, 2)
    assert first(1, 2) != first(2, 1) != first(1, 3)
    draw = DocumentDraws(0, 0)
    values = np.array([draw() for _ in range(20_000)])
    assert 0 <= values.min()
    assert values.max() < 1
    assert abs(values.mean() - 0.5) < 0.01


def test_empty_documents_make_no_example():
    for split in (False, True):
        builder = ExampleBuilder(CLS, SEP, 16, split)
        assert list(builder.build([], lambda: 0.5)) == []
        assert list(builder.build([[[]], []], lambda: 0.5)) == []


def test_a_length_below_five_is_refused():
    with pytest.raises(ValueError, match="at least 5"):
        ExampleBuilder(CLS, SEP, 4)
