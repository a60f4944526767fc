"""The batch size's warm-up against counting step by step."""

import pytest

from electra_tf.config.optimization import OptimizerConfig
from electra_tf.config.pretraining import make_config
from electra_tf.training.cost.flops import (
    flops_until,
    step_flops,
    steps_within,
    train_flops,
)
from electra_tf.training.cost.summary import Summary, summarize


def warm(size, start, steps, **values):
    return OptimizerConfig(
        train_batch_size=size,
        train_batch_size_start=start,
        batch_warmup_steps=steps,
        **values,
    )


@pytest.mark.parametrize(
    ("size", "start", "steps", "firsts"),
    [
        (8, 4, 1, {4: 0, 8: 1}),
        (64, 8, 100, {8: 0, 16: 33, 32: 66, 64: 100}),
        (64, 16, 2, {16: 0, 32: 1, 64: 2}),
        (3 * 2**10, 3, 10, {3 * 2**n: n for n in range(11)}),
    ],
)
def test_examples_before_a_step_are_those_of_all_steps_before(
    size, start, steps, firsts
):
    config = warm(size, start, steps)
    stages = config.batch_stages()
    assert {s.batch_size: s.first_step for s in stages} == firsts
    seen = 0
    for step in range(steps + 5):
        now = max(s for s, first in firsts.items() if first <= step)
        assert config.batch_stage(step).batch_size == now
        assert config.examples_before(step) == seen
        seen += now


def test_without_a_warm_up_there_is_one_size():
    config = OptimizerConfig(train_batch_size=7)
    assert config.batch_stages() == [(0, 7, 0)]
    assert config.examples_before(9) == 63


@pytest.mark.parametrize(
    "more",
    [
        {},
        {
            "objective": "two_stage",
            "two_stage_steps": 7,
            "two_stage_init": False,
            "tying": "none",
        },
    ],
    ids=["electra", "two_stage"],
)
def test_costs_are_those_of_every_step_s_own_size(more):
    sizes = {"generator_hidden_size": 1.0, "max_seq_length": 32}
    values = {**sizes, **more, "train_batch_size": 16, "num_train_steps": 20}
    ramp = {"train_batch_size_start": 4, "batch_warmup_steps": 10}
    config = make_config({**values, **ramp})
    of_steps, examples = [], 0
    for step in range(20):
        size = 4 if step < 5 else 8 if step < 10 else 16
        plain = make_config({**values, "train_batch_size": size})
        of_steps.append(flops_until(plain, step + 1) - flops_until(plain, step))
        examples += size
    assert train_flops(config) == pytest.approx(sum(of_steps))
    for step in (3, 5, 8, 15):
        spent = flops_until(config, step)
        assert spent == pytest.approx(sum(of_steps[:step]))
    assert step_flops(config) == pytest.approx(of_steps[-1])
    assert steps_within(config, 1.0001 * sum(of_steps[:17])) == 17
    found = Summary(config, num_records=100)
    assert found.train_flops == train_flops(config)
    assert found.total_tokens == examples * 32
    assert found.epochs == pytest.approx(examples / 100)
    assert found.tokens_a_step == 16 * 32
    assert "4 to 16 x 32, with padding" in summarize(config, 100)
