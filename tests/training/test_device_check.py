"""The page about a device, made on the CPU with two virtual devices."""

import numpy as np
import pytest

from electra_tf.training import device_check
from electra_tf.training.device_check import Check, Rate, page


def test_each_way_that_differs_is_told(monkeypatch):
    def losses(precision="float32", jit_compile=False, distribution=None):
        if jit_compile:
            raise NotImplementedError("no XLA here\nat all")
        worse = {"mixed_bfloat16": 1.04, "mixed_float16": 1.06}
        return np.array([40.0, 30.0 * worse.get(precision, 1)])

    monkeypatch.setattr(device_check, "losses", losses)
    found = {check.name: check for check in device_check.checks(None)}
    assert set(found) == set(device_check.LIMITS)
    assert found["float32"].worst == 0
    assert found["float32"].passed
    assert found["mixed_bfloat16"].worst == pytest.approx(4)
    assert found["mixed_bfloat16"].passed
    assert not found["mixed_float16"].passed
    assert found["XLA"].note == "no XLA here"
    assert np.isnan(found["two replicas"].worst)


def test_the_page():
    nothing = float("nan")
    checks = [Check("float32", 0.06), Check("XLA", nothing, "not there")]
    rates = {"float32": [Rate(16, 12.34, nothing), Rate(64, 5, 2)]}
    text = page("CPU", checks, rates)
    assert "| float32 | 0.0600 % | 0.05 % | FAILED |" in text
    assert "| XLA | not run | 0.05 % | not there |" in text
    assert "| float32 | 16 | 12.3 | - |" in text
    assert "| float32 | 64 | 5.0 | 2.00 |" in text


@pytest.mark.slow
def test_steps_on_this_device_are_the_cpus():
    first, again = device_check.losses(), device_check.losses()
    np.testing.assert_array_equal(first, again)
    assert first[-1] < first[0]


@pytest.mark.gpu
@pytest.mark.skipif(not device_check.num_gpus(), reason="no GPU here")
def test_a_gpu_trains_as_the_cpu_does():
    tried = [c for c in device_check.checks(None) if not np.isnan(c.worst)]
    assert tried
    assert all(check.passed for check in tried)
