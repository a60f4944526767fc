"""The benchmark's own arithmetic."""

import importlib
import math
import pathlib

import pytest
import tensorflow as tf

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("serving")


def test_flops_are_those_of_the_products_in_the_graph(benchmark):
    from electra_tf.config.pretraining import make_config
    from electra_tf.modeling.networks import Discriminator
    from electra_tf.modeling.tying import make_main_encoder

    config = make_config({"model_size": "small", "vocab_size": 100})
    model = Discriminator(make_main_encoder(config.model))
    batch, length = 2, 16
    spec = [tf.TensorSpec([batch, length], tf.int32)] * 3
    graph = tf.function(model, spec).get_concrete_function().graph
    total = 0
    for op in graph.get_operations():
        if op.type in ("MatMul", "BatchMatMulV2"):
            *rows, inner = op.inputs[0].shape
            columns = op.inputs[1].shape
            turned = op.type == "BatchMatMulV2" and op.get_attr("adj_y")
            width = columns[-2] if turned else columns[-1]
            total += 2 * math.prod(rows) * inner * width
    assert total
    assert benchmark.flops(batch, length) == pytest.approx(total, rel=0.01)


def test_the_table(benchmark):
    shape = (1, 128)
    times = {
        "session": 0.02,
        "pytorch": 0.03,
        "text": 0.021,
        "ceiling": 0.01,
        "apart": 0.015,
    }
    medians = {engine: {shape: x} for engine, x in times.items()}
    head, rule, row = benchmark.lines(medians, [shape])
    assert head.count("|") == rule.count("|") == row.count("|") == 9
    assert row == "| 1 | 128 | 20.0 | 30.0 | 1.50 | 0.50 | 0.75 | 1.05 |"
    alone = {"session": medians["session"]}
    _, _, row = benchmark.lines(alone, [shape])
    assert row.endswith("| - | - | - | - |")


def test_flops_of_a_pretraining_step_are_its_products(benchmark):
    from electra_tf.config.pretraining import make_config
    from electra_tf.training.cost.flops import step_flops

    ours = importlib.import_module("pretraining").step_flops("small,16,128")
    values = {"train_batch_size": 16, "max_seq_length": 128}
    # The authors' count has element-wise work and one-hot lookups as well.
    counted = step_flops(
        make_config({"model_size": "small", **values}), 19 / 128
    )
    assert 0.75 < ours / counted < 1
