"""Train-FLOPs against the authors' published numbers and a hand count."""

import itertools
import subprocess
import sys

import pytest

from electra_tf.config.pretraining import make_config
from electra_tf.config.sizes import SIZES
from electra_tf.training.cost import Network, networks
from electra_tf.training.cost.flops import (
    detection_head_flops,
    encoder_flops,
    flops_until,
    masked_lm_flops,
    network_flops,
    step_flops,
    steps_within,
    train_flops,
)
from electra_tf.training.cost.summary import published_flops

# What the authors' script prints, to ten digits.
PUBLISHED = {
    "elmo": 3.411439472e18,
    "xlnet": 3.856582065e21,
    "gpt": 3.968752231e19,
    "bert_small": 1.418739915e18,
    "bert_base": 6.428335104e19,
    "bert_large": 1.917209059e20,
    "electra_small": 1.293743798e18,
    "electra_base": 6.424541834e19,
    "electra_400k": 7.117606041e20,
    "electra_1.75M": 3.113952643e21,
    "roberta": 3.187221436e21,
    "albert": 3.113923955e22,
    "t5_11b": 4.581900124e22,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_model(name):
    # Half a unit of the tenth digit.
    assert published_flops()[name] == pytest.approx(PUBLISHED[name], rel=5e-10)


def test_table_is_complete():
    assert set(published_flops()) == set(PUBLISHED)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"model_size": "small"}, "electra_small"),
        ({"model_size": "base"}, "electra_base"),
        ({"model_size": "large"}, "electra_400k"),
        (
            {"objective": "mlm", "num_train_steps": 1_450_000},
            "bert_small",
        ),
        (
            {
                "model_size": "base",
                "objective": "mlm",
                "num_train_steps": 1_000_000,
            },
            "bert_base",
        ),
        (
            {
                "model_size": "large",
                "objective": "mlm",
                "num_train_steps": 1_000_000,
                "train_batch_size": 256,
            },
            "bert_large",
        ),
    ],
)
def test_configuration_gives_published_number(values, name):
    flops = train_flops(make_config(values))
    assert flops == pytest.approx(PUBLISHED[name], rel=5e-10)


def test_hand_count_of_a_small_network():
    """Every operation of one token, written out; L 8, H 128, E 32, V 100."""
    network = Network(
        128, 3, length=8, vocab_size=100, embedding_size=32, num_heads=4
    )
    block = [
        3 * (2 * 128 * 128 + 128),  # queries, keys, values
        2 * 128 * 8,  # scores
        8 * 4 * (1 + 5 + 4),  # scale, softmax, dropout, 4 heads x 8 keys
        2 * 128 * 8,  # weighted values
        2 * 128 * 128 + 128,  # output projection
        4 * 128 + 128 + 5,  # dropout, residual, LayerNorm as of one value
        2 * 128 * 512 + 512 + 8 * 512,  # FFN up, with activation
        2 * 512 * 128 + 128,  # FFN down
        4 * 128 + 128 + 5 * 128,  # dropout, residual, LayerNorm
    ]
    inputs = [
        2 * 32 * 100,  # one-hot word product
        2 * 32 * (8 + 2),  # one-hot position and segment products
        2 * 32,  # two sums
        (5 + 4) * 32,  # LayerNorm, dropout
        2 * 32 * 128 + 128,  # projection
    ]
    token = 3 * sum(block) + sum(inputs)
    assert encoder_flops(network) == token
    detection = 2 * 128 * 128 + 128 + 8 * 128 + 2 * 128
    assert detection_head_flops(network) == detection
    slot = 2 * 128 * 32 + 32 + (8 + 5) * 32 + 2 * 32 * 100 + (5 + 2) * 100
    # 2 passes, batch 6, 8 tokens.
    expected = 2 * 6 * 8 * (token + 0.25 * slot)
    assert masked_lm_flops(network, 6, output_fraction=0.25) == expected


def test_run_is_steps_times_networks():
    config = make_config({"num_train_steps": 1000})
    step = step_flops(config)
    assert train_flops(config) == 1000 * step
    assert sum(network_flops(config).values()) == step
    assert list(network_flops(config)) == ["generator", "discriminator"]


def test_output_fraction_concerns_the_generator_alone():
    config = make_config({})
    few, many = (network_flops(config, f) for f in (0.0, 1.0))
    assert few["discriminator"] == many["discriminator"]
    slot = 2 * 64 * 128 + 128 + 13 * 128 + (2 * 128 + 7) * 30522
    assert many["generator"] - few["generator"] == pytest.approx(
        2 * 128 * 128 * slot
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tying", ["none", "embeddings"])
def test_generator_is_the_one_that_is_built(size, tying):
    from electra_tf.config.sizes import generator_sizes

    for width, depth in itertools.product((0.25, 0.5, 1.0), (0.5, 1.0)):
        config = make_config(
            {
                "model_size": size,
                "tying": tying,
                "generator_hidden_size": width,
                "generator_layers": depth,
            }
        )
        built = generator_sizes(config.model)
        counted = networks(config)["generator"]
        assert counted.hidden_size == built.hidden_size
        assert counted.num_layers == built.num_hidden_layers
        # What 0 stands for in a Network.
        assert counted.intermediate_size == counted.num_heads == 0
        assert built.intermediate_size == 4 * built.hidden_size
        assert built.num_attention_heads == max(1, built.hidden_size // 64)
        table = {"none": built.hidden_size}
        expected = table.get(tying, config.model.embedding_size)
        assert counted.table_width == expected


def test_one_encoder_for_both():
    parts = networks(make_config({"tying": "all"}))
    assert parts["generator"] == parts["discriminator"]


def test_main_network_takes_all_sizes_from_the_configuration():
    config = make_config(
        {
            "hidden_size": 96,
            "num_hidden_layers": 5,
            "num_attention_heads": 3,
            "intermediate_size": 200,
            "embedding_size": 48,
            "vocab_size": 1000,
            "type_vocab_size": 7,
            "max_seq_length": 40,
        }
    )
    assert networks(config)["discriminator"] == Network(
        hidden_size=96,
        num_layers=5,
        length=40,
        vocab_size=1000,
        embedding_size=48,
        intermediate_size=200,
        num_heads=3,
        segments=7,
    )


def test_counting_does_not_wait_for_tensorflow():
    program = (
        "import sys; from electra_tf.training.cost import summary; "
        "summary.published_flops(); sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_equal_flops_by_hand():
    """BERT-Small for what ELECTRA-Small costs, from the authors' figures:
    1.293743798e18 / (1.418739915e18 / 1,450,000 steps) = 1,322,249.8."""
    electra = make_config({"model_size": "small"})
    bert = make_config({"model_size": "small", "objective": "mlm"})
    budget = train_flops(electra)
    by_hand = PUBLISHED["electra_small"] / (PUBLISHED["bert_small"] / 1.45e6)
    assert steps_within(bert, budget) == int(by_hand)
    assert steps_within(electra, budget) == 1_000_000
    assert steps_within(electra, budget - 1e6) == 999_999


def test_flops_until_a_step_of_two_stages():
    """300 steps of the generator, then half of that beside the other."""
    values = {
        "objective": "two_stage",
        "tying": "gradient_disentangled",
        "generator_hidden_size": 1.0,
        "two_stage_steps": 300,
        "num_train_steps": 1000,
    }
    config = make_config(values)
    parts = network_flops(config)
    generator, discriminator = parts["generator"], parts["discriminator"]
    later = generator / 2 + discriminator
    assert flops_until(config, 0) == 0
    assert flops_until(config, 120) == 120 * generator
    assert flops_until(config, 500) == 300 * generator + 200 * later
    assert flops_until(config, 1000) == train_flops(config)
    budget = 300 * generator + 812.5 * later
    assert steps_within(config, budget) == 1112
    assert steps_within(config, 300 * generator) == 300
