"""Which tokens are masked, how many, and how they look."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_pretraining import CLS, MASK, PAD, SEP, V, rows

from electra_tf.config.sizes import num_slots
from electra_tf.modeling.noise import Noise
from electra_tf.pretraining.masking import TokenMasker, write_slots

NEVER = (CLS, SEP, MASK, PAD)


def masker(length, prob=0.15, **options):
    return TokenMasker(prob, length, MASK, NEVER, **options)


def masked(layer, batch, noise=None):
    with (noise or Noise(1)).scope():
        result = layer(batch)
    return {name: value.numpy() for name, value in result._asdict().items()}


@pytest.mark.parametrize(
    ("prob", "length", "slots"),
    [
        (0.15, 128, 19),
        (0.15, 512, 79),
        (0.25, 512, 130),
        (0.15, 5, 1),
        (0.15, 3, 1),
        (0.999, 8, 8),
        (0.15, 200, 31),
    ],
)
def test_slots(prob, length, slots):
    assert num_slots(prob, length) == slots
    assert masker(length, prob).num_slots == slots


def used(prob, length):
    lengths = range(2, length + 1)
    batch = rows(lengths=lengths, length=length)
    weights = masked(masker(length, prob), batch)["weights"]
    assert set(np.unique(weights)) <= {0, 1}
    return dict(zip(lengths, weights.sum(1).astype(int), strict=True))


@pytest.mark.parametrize(("prob", "length"), [(0.15, 128), (0.25, 60)])
def test_number_of_masked_tokens(prob, length):
    for n, k in used(prob, length).items():
        # Python's round, too, rounds halves to even.
        expected = max(1, min(num_slots(prob, length), round(n * prob)))
        assert k == min(expected, n - 2), n


@pytest.mark.parametrize(("start", "end"), [(0.3, 0.1), (0.15, 0.4)])
def test_the_rate_moves_from_start_to_end(start, end):
    """k of a step's own rate, in the slots of the larger one; linear in t."""
    lengths = range(2, 61)
    batch = rows(lengths=lengths, length=60)
    layer = masker(60, start, mask_prob_end=end, num_train_steps=40)
    slots = num_slots(max(start, end), 60)
    assert layer.num_slots == slots
    for step in (0, 1, 13, 20, 39, 40, 50):
        result = masked(layer, batch, Noise(1, step))
        assert result["positions"].shape[1] == slots
        rate = start + (end - start) * min(step, 40) / 40
        for n, k in zip(lengths, result["weights"].sum(1), strict=True):
            if abs(n * rate % 1 - 0.5) > 1e-4:  # float32 decides on halves
                assert k == min(max(1, min(slots, round(n * rate))), n - 2)
    assert TokenMasker.from_config(layer.get_config()).num_slots == slots


def test_halves_are_rounded_to_even():
    counts = used(0.15, 128)
    halves = {10: 2, 30: 4, 50: 8, 70: 10, 90: 14, 110: 16}
    assert {n: counts[n] for n in halves} == halves
    assert counts[128] == 19  # the slots' number, though 19.2 + 0.64 is more
    assert counts[3] == 1  # at least one
    assert counts[2] == 0  # nothing but [CLS] and [SEP]


@pytest.fixture(scope="module")
def many():
    """11,000 rows of 64 places, some of them special: about 99,000 slots."""
    batch = rows(lengths=[60] * 11_000, length=64)
    batch["input_ids"][:, [7, 20]] = MASK
    batch["input_ids"][:, 30] = SEP
    batch["input_ids"][:, 31] = PAD
    batch["input_ids"][:, 32] = CLS
    return batch


CANDIDATES = np.setdiff1d(np.arange(1, 59), [7, 20, 30, 31, 32])


@pytest.fixture(scope="module", params=[False, True], ids=["without", "with"])
def drawn(request, many):
    layer = masker(64, with_replacement=request.param)
    return request.param, many["input_ids"], masked(layer, many)


def test_only_candidates_are_masked(drawn):
    _, _, result = drawn
    assert (result["weights"] == 1).all()
    assert result["positions"].shape == (11_000, 9)
    chosen = np.unique(result["positions"])
    np.testing.assert_array_equal(chosen, CANDIDATES)


def test_positions_repeat_only_with_replacement(drawn):
    with_replacement, _, result = drawn
    distinct = [len(set(row)) for row in result["positions"]]
    if not with_replacement:
        assert set(distinct) == {9}
        return
    n = len(CANDIDATES)
    expected = n * (1 - (1 - 1 / n) ** 9)
    assert np.mean(distinct) == pytest.approx(expected, abs=0.04)


def test_positions_are_uniform(drawn):
    """In every slot and over all; chi-square at four sigma."""
    _, _, result = drawn
    n = len(CANDIDATES)
    for positions in (result["positions"], result["positions"][:, 0]):
        counts = np.bincount(positions.ravel(), minlength=64)[CANDIDATES]
        expected = positions.size / n
        chi2 = ((counts - expected) ** 2 / expected).sum()
        assert chi2 < (n - 1) + 4 * np.sqrt(2 * (n - 1))


def test_85_percent_show_mask_and_the_others_stay(drawn):
    with_replacement, ids, result = drawn
    at = np.take_along_axis(ids, result["positions"], 1)
    np.testing.assert_array_equal(result["ids"], at)
    seen = np.take_along_axis(result["input_ids"], result["positions"], 1)
    shown = seen == MASK
    np.testing.assert_array_equal(seen[~shown], at[~shown])
    if not with_replacement:
        sigma = np.sqrt(0.85 * 0.15 / shown.size)
        assert abs(shown.mean() - 0.85) < 4 * sigma
    elsewhere = np.ones(ids.shape, bool)
    np.put_along_axis(elsewhere, result["positions"], False, 1)
    np.testing.assert_array_equal(
        result["input_ids"][elsewhere], ids[elsewhere]
    )


@pytest.mark.parametrize("show_prob", [0.0, 1.0])
def test_extremes_of_what_is_shown(show_prob):
    batch = rows()
    layer = masker(16, 0.4, show_prob=show_prob)
    result = masked(layer, batch)
    expected = batch["input_ids"].copy()
    if show_prob:
        for row, places in enumerate(result["positions"]):
            for place, weight in zip(
                places, result["weights"][row], strict=True
            ):
                expected[row, place] = MASK if weight else expected[row, place]
    np.testing.assert_array_equal(result["input_ids"], expected)
    assert (result["input_ids"] == MASK).any() == bool(show_prob)


def test_unused_slots_are_zero():
    result = masked(masker(16, 0.4), rows())
    unused = result["weights"] == 0
    assert unused.any()
    assert (result["positions"][unused] == 0).all()
    assert (result["ids"][unused] == 0).all()
    assert (result["input_ids"][:, 0] == CLS).all()


@pytest.mark.parametrize("with_replacement", [False, True])
def test_rows_without_candidates_stay_as_they_are(with_replacement):
    batch = rows(lengths=[2, 0, 6, 3])
    batch["input_ids"][3, 1] = MASK
    layer = masker(16, with_replacement=with_replacement, show_prob=1.0)
    result = masked(layer, batch)
    np.testing.assert_array_equal(result["weights"].sum(1), [0, 0, 1, 0])
    for row in (0, 1, 3):
        np.testing.assert_array_equal(
            result["input_ids"][row], batch["input_ids"][row]
        )
        assert (result["positions"][row] == 0).all()


@pytest.mark.parametrize("with_replacement", [False, True])
def test_padding_is_what_the_mask_says_whatever_its_ids(with_replacement):
    batch = rows(lengths=[5, 9] * 20)
    real = batch["input_mask"] == 1
    batch["input_ids"][~real] = 33
    layer = masker(16, 0.4, with_replacement=with_replacement)
    result = masked(layer, batch)
    assert real[np.arange(40)[:, None], result["positions"]].all()
    assert (result["input_ids"][~real] == 33).all()


def test_other_steps_mask_otherwise_and_the_same_step_alike():
    batch, layer = rows(), masker(16, 0.4)
    first, again = (masked(layer, batch) for _ in range(2))
    other = masked(layer, batch, Noise(1, step=1))
    np.testing.assert_array_equal(first["positions"], again["positions"])
    assert not np.array_equal(first["positions"], other["positions"])


@pytest.mark.parametrize("with_replacement", [False, True])
def test_a_part_of_a_batch_is_masked_as_in_the_whole(with_replacement):
    batch = rows(lengths=[16, 15, 14, 9, 8, 16])
    layer = masker(16, 0.4, with_replacement=with_replacement)
    whole = masked(layer, batch)
    part = {name: value[2:5] for name, value in batch.items()}
    result = masked(layer, part, Noise(1, first_row=2))
    for name, value in result.items():
        np.testing.assert_array_equal(value, whole[name][2:5], err_msg=name)


def test_without_a_scope_every_call_masks_otherwise():
    layer = masker(16, 0.4)
    first, second = (layer(rows()).positions.numpy() for _ in range(2))
    assert not np.array_equal(first, second)


def test_write_slots_row_by_row():
    rng = np.random.default_rng(3)
    batch, length, slots = 40, 9, 6
    ids = rng.integers(0, V, (batch, length)).astype(np.int32)
    positions = rng.integers(0, length, (batch, slots)).astype(np.int32)
    written = rng.integers(0, V, (batch, slots)).astype(np.int32)
    used = rng.random((batch, slots)) < 0.7
    expected = ids.copy()
    doubled = 0
    for row in range(batch):
        for place in range(length):
            here = used[row] & (positions[row] == place)
            if here.any():
                # The authors' floor of the mean, also of two or three.
                expected[row, place] = written[row][here].sum() // here.sum()
                doubled += here.sum() > 1
    assert doubled > 20
    actual = write_slots(ids, positions, written, tf.constant(used))
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("prob", [0, 1, -0.5])
def test_probabilities_outside_are_refused(prob):
    with pytest.raises(ValueError, match=f"between 0 and 1.*{prob}"):
        masker(16, prob)
