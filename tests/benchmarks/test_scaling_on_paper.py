"""The scaling estimate: its parts by other ways, and the page that shows it."""

import importlib.util
import pathlib
import sys

import numpy as np
import pytest

from electra_tf.config.pretraining import make_config

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scaling():
    path = ROOT / "benchmarks" / "scaling_on_paper.py"
    spec = importlib.util.spec_from_file_location("scaling_on_paper", path)
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks up its own module.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
    return module


def test_the_page_shows_what_the_script_prints(scaling):
    page = (ROOT / "docs" / "distributed.md").read_text(encoding="utf-8")
    _, _, shown = page.partition("<!-- scaling_on_paper.py -->\n")
    assert shown == scaling.tables() + "\n"


@pytest.mark.parametrize("num_gpus", [2, 3, 8])
def test_bytes_of_a_ring(scaling, num_gpus):
    """Reduces and gathers chunk by chunk, and counts what each rank sends."""
    values = np.random.default_rng(0).integers(0, 9, (num_gpus, num_gpus))
    expected, sent = values.sum(0), np.zeros(num_gpus)
    for reduces in (True, False):
        for hop in range(num_gpus - 1):
            before = values.copy()
            for rank in range(num_gpus):
                chunk = (rank - hop + (not reduces)) % num_gpus
                right = (rank + 1) % num_gpus
                kept = before[right, chunk] if reduces else 0
                values[right, chunk] = kept + before[rank, chunk]
                sent[rank] += 1 / num_gpus
    np.testing.assert_array_equal(values, [expected] * num_gpus)
    np.testing.assert_allclose(
        scaling.all_reduced_bytes(1.0, num_gpus), sent, rtol=1e-12
    )


def matrix_products(hidden, wide, layers, length, width, scored, pieces):
    """Operations of the matrix products of a sequence, forward."""
    block = 4 * hidden * hidden + 2 * hidden * wide + 2 * length * hidden
    projection = width * hidden if width != hidden else 0
    head = scored * width * pieces
    return 2 * length * (layers * block + projection + head)


@pytest.mark.parametrize(
    ("size", "main", "generator"),
    [
        ("small", (256, 1024, 12, 128, 128), (64, 256, 12, 128, 128)),
        ("base", (768, 3072, 12, 512, 768), (256, 1024, 12, 512, 768)),
        ("large", (1024, 4096, 24, 512, 1024), (256, 1024, 24, 512, 1024)),
    ],
)
def test_hardware_flops_are_mostly_matrix_products(
    scaling, size, main, generator
):
    found = scaling.hardware_flops(make_config({"model_size": size}))
    products = matrix_products(*main, 0, 0)
    products += matrix_products(*generator, 0.15625, 30522)
    assert 1 < found / (3 * products) < 1.06


def test_a_row_by_hand(scaling):
    """Large on 64 GPUs, 32 sequences on each."""
    parameters = 354_655_291
    config = make_config({"model_size": "large"})
    assert scaling.gradient_bytes(config) == 4 * parameters
    seconds = scaling.all_reduce_seconds(4 * parameters, 64, scaling.Cluster())
    expected = 2 * 63 / 64 * 4 * parameters / 25e9 + 126 * 5e-6
    assert seconds == pytest.approx(expected, rel=1e-9)
    inside = scaling.all_reduce_seconds(4 * parameters, 8, scaling.Cluster())
    expected = 2 * 7 / 8 * 4 * parameters / 200e9 + 14 * 5e-6
    assert inside == pytest.approx(expected, rel=1e-9)
    assert scaling.efficiency(3.0, 1.0) == (0.75, 1.0)
    assert scaling.efficiency(1.0, 3.0) == (0.25, pytest.approx(1 / 3))
