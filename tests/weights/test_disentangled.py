"""Tables of gradient_disentangled: sums outside a run, differences in it."""

import numpy as np
import pytest

from electra_tf.errors import InputError
from electra_tf.weights.native import split_tables, sum_tables

NAMES = ("word_embeddings", "position_embeddings")


def stored(generator):
    rng = np.random.default_rng(0)
    names = [f"electra/embeddings/{name}_delta" for name in NAMES]
    names += [f"{generator}/embeddings/{name}" for name in NAMES]
    names += ["electra/embeddings/LayerNorm/gamma", "other/kernel"]
    return {name: rng.normal(size=(3, 2)) for name in names}


@pytest.mark.parametrize("generator", ["generator", "generator_ltr"])
def test_sums_and_back(generator):
    arrays = stored(generator)
    sums = dict(sum_tables(arrays))
    for name in NAMES:
        expected = arrays[f"electra/embeddings/{name}_delta"]
        expected = expected + arrays[f"{generator}/embeddings/{name}"]
        np.testing.assert_array_equal(
            sums.pop(f"electra/embeddings/{name}"), expected
        )
    # All else is as it was.
    assert sums == {n: arrays[n] for n in arrays if not n.endswith("_delta")}
    again = split_tables(sum_tables(arrays), arrays)
    assert again.keys() == arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_allclose(again[name], value, atol=1e-12)


def test_plain_weights_stay():
    plain = {n: v for n, v in stored("generator").items() if "delta" not in n}
    plain["electra/embeddings/word_embeddings"] = np.ones((3, 2))
    assert dict(sum_tables(plain)) == plain
    assert dict(split_tables(plain, plain)) == plain


def test_tables_without_a_generators_are_one_clear_line():
    """As weights of tying=embeddings are, where both share one table."""
    wanted = stored("generator")
    shared = {
        n.removesuffix("_delta"): array
        for n, array in wanted.items()
        if not n.startswith("generator/")
    }
    with pytest.raises(InputError, match="electra/embeddings/word_embeddings"):
        dict(split_tables(shared, wanted))
    alone = {n: a for n, a in wanted.items() if not n.startswith("generator")}
    with pytest.raises(InputError, match="none of a generator's"):
        dict(sum_tables(alone))
