"""Masks of whole words and of spans, derived again word by word."""

import itertools

import numpy as np
import pytest
from tiny_pretraining import CLS, MASK, PAD, SEP, V, rows, tiny_pretrainer

from electra_tf.modeling.noise import Noise
from electra_tf.pretraining.masking import TokenMasker
from electra_tf.pretraining.words import fill

NEVER = (CLS, SEP, MASK, PAD)
LENGTH, PROB = 48, 0.3
STARTS = np.arange(V) < 40  # 36 % of the random pieces go on with a word
# P(a span has at most 1, 2, ..., 10 words).
SHARES = [0.2 * 0.8**n for n in range(10)]
UP_TO = np.cumsum(SHARES) / sum(SHARES)
KINDS = {"whole_word": False, "span": True}


def masker(length=LENGTH, prob=PROB, starts=STARTS, **options):
    return TokenMasker(prob, length, MASK, NEVER, starts_word=starts, **options)


def masked(layer, batch, noise=None):
    with (noise or Noise(1)).scope():
        result = layer(batch)
    return {name: value.numpy() for name, value in result._asdict().items()}


def some_rows(count, length=LENGTH, seed=0):
    """Rows of many lengths, with special tokens within the text."""
    rng = np.random.default_rng(seed)
    batch = rows(rng.integers(2, length + 1, count), seed, length)
    special = rng.random(batch["input_ids"].shape) < 0.04
    special &= batch["input_mask"] > 0
    batch["input_ids"][special] = rng.choice([SEP, MASK, PAD], special.sum())
    return batch


def words_of(ids, mask):
    """Stretches between special tokens, of words, of places."""
    stretches = [[]]
    for place, (token, real) in enumerate(zip(ids, mask, strict=True)):
        if not real or token in NEVER:
            stretches.append([])
        elif STARTS[token] or not stretches[-1]:
            stretches[-1].append([place])
        else:
            stretches[-1][-1].append(place)
    return [words for words in stretches if words]


def in_spans(stretches, order, draws):
    """Numbers of the words as spans, begun in `order`, first reach them."""
    ends = list(itertools.accumulate(map(len, stretches)))
    seen = []
    for word in order:
        length = 1 + int(np.searchsorted(UP_TO, draws[word], side="right"))
        end = min(word + length, next(end for end in ends if end > word))
        seen += [each for each in range(word, end) if each not in seen]
    return seen


def greedy(sizes, budget):
    """Whether each word is taken, one after another."""
    taken = []
    for size in sizes:
        taken.append(0 < size <= budget)
        budget -= size * taken[-1]
    return taken


def expected_row(ids, mask, draws, spans):
    """Places that are masked, and those that show [MASK]."""
    stretches = words_of(ids, mask)
    words = list(itertools.chain(*stretches))
    order = np.argsort(-draws["positions"][: len(words)], kind="stable")
    if spans:
        order = in_spans(stretches, order, draws["span_lengths"])
    budget = max(1, min(masker().num_slots, round(mask.sum() * PROB)))
    chosen = greedy([len(words[word]) for word in order], budget)
    taken = [word for word, ok in zip(order, chosen, strict=True) if ok]
    shown = [word for word in taken if draws["show_mask"][word] < 0.85]
    return [
        {p for word in each for p in words[word]} for each in (taken, shown)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_those_of_a_walk_over_the_words(kind):
    spans, count = KINDS[kind], 300
    batch, noise = some_rows(count), Noise(7, step=3)
    names = ("positions", "span_lengths", "show_mask")
    draws = {n: noise.uniform(n, count, LENGTH).numpy() for n in names}
    result = masked(masker(spans=spans), batch, noise)
    skipped = 0
    for row, (ids, mask) in enumerate(
        zip(batch["input_ids"], batch["input_mask"], strict=True)
    ):
        here = {name: values[row] for name, values in draws.items()}
        places, shown = expected_row(ids, mask, here, spans)
        used = result["weights"][row] > 0
        assert list(result["positions"][row][used]) == sorted(places)
        seen = ids.copy()
        seen[list(shown)] = MASK
        np.testing.assert_array_equal(result["input_ids"][row], seen)
        np.testing.assert_array_equal(
            result["ids"][row][used], ids[sorted(places)]
        )
        assert not result["positions"][row][~used].any()
        assert not result["ids"][row][~used].any()
        skipped += len(places) < round(mask.sum() * PROB)
    assert skipped  # some rows leave a token over: the rule was put to work


def test_words_that_fit_are_taken_in_their_order():
    """Also of budgets smaller than all, of giants, of rows without words."""
    rng = np.random.default_rng(2)
    sizes = rng.geometric(0.3, (400, 30)) * (rng.random((400, 30)) < 0.8)
    sizes[:100] = rng.integers(1, 25, (100, 30))
    sizes[100:110] = 0
    # Each giant is just too long for what the ones leave: a pass a giant.
    sizes[110] = np.ravel([[1, 15 - n] for n in range(15)])
    budget = rng.integers(1, 25, 400)
    budget[110] = 15
    actual = fill(sizes.astype(np.int32), budget.astype(np.int32))
    expected = [greedy(*row) for row in zip(sizes, budget, strict=True)]
    np.testing.assert_array_equal(actual, expected)


@pytest.fixture(scope="module", params=KINDS)
def many(request):
    """10,000 rows of up to 128 places."""
    batch = rows(np.arange(10_000) % 97 + 32, length=128)
    layer = masker(128, 0.15, spans=KINDS[request.param])
    return request.param, batch, masked(layer, batch)


def test_no_word_is_chosen_or_shown_in_part(many):
    _, batch, result = many
    ids = batch["input_ids"]
    chosen = np.zeros(ids.shape, bool)
    row, slot = np.nonzero(result["weights"])
    chosen[row, result["positions"][row, slot]] = True
    assert chosen.sum() == result["weights"].sum()  # no place twice
    assert (batch["input_mask"][chosen] == 1).all()
    assert not np.isin(ids[chosen], NEVER).any()
    shown = result["input_ids"] == MASK
    assert not (shown & ~chosen).any()
    # A piece that goes on shares the fate of the piece before it.
    goes_on = ~STARTS[ids] & (batch["input_mask"] == 1)
    goes_on &= ~np.isin(np.roll(ids, 1, 1), NEVER)
    for fate in (chosen, shown):
        assert (fate == np.roll(fate, 1, 1))[goes_on].all()
    words = chosen & ~goes_on
    sigma = np.sqrt(0.85 * 0.15 / words.sum())
    assert abs(shown[words].mean() - 0.85) < 4 * sigma


def test_as_many_tokens_are_masked_as_one_by_one(many):
    kind, batch, result = many
    one_by_one = masked(masker(128, 0.15, None), batch)["weights"].sum()
    assert result["weights"].sum() <= one_by_one
    assert result["weights"].sum() == pytest.approx(one_by_one, rel=0.005)
    if kind == "span":
        # Neighbours are masked together; of single words 42 % of the places
        # follow another one.
        places = np.where(result["weights"] > 0, result["positions"], -9)
        follow = (np.diff(places, axis=1) == 1).sum()
        assert follow > 0.7 * result["weights"].sum()


@pytest.mark.parametrize("spans", KINDS.values(), ids=KINDS)
def test_masks_depend_on_seed_step_and_place_alone(spans):
    batch, layer = some_rows(6, seed=4), masker(spans=spans)
    whole = masked(layer, batch)
    part = {name: value[2:5] for name, value in batch.items()}
    for name, value in masked(layer, part, Noise(1, first_row=2)).items():
        np.testing.assert_array_equal(value, whole[name][2:5], err_msg=name)
    for other in (Noise(2), Noise(1, step=1)):
        moved = masked(layer, batch, other)["positions"]
        assert not np.array_equal(moved, whole["positions"])


def test_a_row_whose_words_are_too_long_stays_as_it_is():
    batch = rows([12], length=12)
    batch["input_ids"][0, 1:11] = [7, *[50] * 9]  # one word, for two slots
    result = masked(masker(12, show_prob=1.0), batch)
    assert not result["weights"].any()
    np.testing.assert_array_equal(result["input_ids"], batch["input_ids"])


def test_the_configuration_chooses_the_masker():
    for kind, spans in KINDS.items():
        layer = tiny_pretrainer(masking=kind).objective.masker
        assert layer.spans == spans
        assert layer.starts_word == (True,) * V  # of the tokenizer
    assert tiny_pretrainer().objective.masker.starts_word is None


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"with_replacement": True}, "starts_word must be None"),
        ({"spans": True, "starts": None}, "starts_word must be given"),
    ],
)
def test_what_does_not_go_together_is_refused(options, rule):
    with pytest.raises(ValueError, match=rule):
        masker(**options)
