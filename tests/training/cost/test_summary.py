"""Parameter counts against built networks; the table of --dry_run."""

import os

import pytest
import tiny

from electra_tf.config.pretraining import make_config
from electra_tf.config.sizes import SIZES
from electra_tf.training.cost.sizes import (
    activation_bytes,
    count_parameters,
    weight_bytes,
)
from electra_tf.training.cost.summary import Summary, summarize

TINY = {
    "vocab_size": 50,
    "embedding_size": 8,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
    "max_seq_length": 10,
    "type_vocab_size": 3,
    "generator_hidden_size": 0.5,
    "train_batch_size": 4,
    "num_train_steps": 30,
}


def _size(variables) -> int:
    return sum(int(v.value.shape.num_elements()) for v in variables)


def _built(config) -> tuple[dict[str, int], int]:
    """Parameters of the parts of real networks, and of all variables."""
    from electra_tf.pretraining.factory import make_networks

    networks = make_networks(config)
    found, seen = {}, {}
    for name, network in networks.items():
        tables = network.encoder.embeddings.variables
        inside = {id(v) for v in tables}
        blocks = [v for v in network.encoder.variables if id(v) not in inside]
        found[name] = {
            "embeddings": _size(tables),
            "encoder": _size(blocks),
            "head": _size(network.head.variables),
        }
        seen |= {id(v): v for v in network.variables}
    return found, _size(seen.values())


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"embedding_size": 16},
        {"embedding_size": 16, "generator_hidden_size": 1.0},
        {"generator_layers": 0.5, "intermediate_size": 64},
    ],
)
@pytest.mark.parametrize("tying", ["none", "embeddings"])
def test_counts_are_those_of_the_networks(changed, tying):
    config = make_config({**TINY, **changed, "tying": tying})
    networks, total = _built(config)
    own = {"generator embeddings": networks["generator"]["embeddings"]}
    assert count_parameters(config) == {
        "embeddings": networks["discriminator"]["embeddings"],
        **(own if tying == "none" else {}),
        "generator encoder": networks["generator"]["encoder"],
        "generator head": networks["generator"]["head"],
        "discriminator encoder": networks["discriminator"]["encoder"],
        "discriminator head": networks["discriminator"]["head"],
    }
    assert Summary(config, None).total_parameters == total


def test_one_encoder_is_counted_once():
    config = make_config({**TINY, "generator_hidden_size": 1.0, "tying": "all"})
    networks, total = _built(config)
    counted = count_parameters(config)
    assert counted["generator encoder"] == 0
    assert counted["generator head"] == networks["generator"]["head"]
    assert sum(counted.values()) == total


def test_masked_language_model():
    config = make_config({**TINY, "objective": "mlm"})
    networks, total = _built(config)
    assert count_parameters(config) == {
        "embeddings": networks["generator"]["embeddings"],
        "encoder": networks["generator"]["encoder"],
        "masked-LM head": networks["generator"]["head"],
    }
    assert Summary(config, None).total_parameters == total


def test_small_as_it_is_built():
    config = make_config({})
    assert Summary(config, None).total_parameters == _built(config)[1]


# Encoder with embeddings, as KerasHub's presets count it, less the pooler
# (H * H + H) that they add and no checkpoint of the authors has. KerasHub's
# small generator is the released one, of full width: the preset of the same
# name as the paper's size would have 64 columns.
POOLER_256 = 65_792
DISCRIMINATOR = {
    "small": 13_483_008,
    "small_released": 13_483_008,
    "base": 108_891_648,
    "large": 335_141_888 - 1_049_600,
}
GENERATOR = {
    # Tables 3,972,864; 128 -> 64 8,256; 12 blocks of 49,984.
    "small": 3_972_864 + 8_256 + 12 * 49_984,
    "small_released": 13_548_800 - POOLER_256,
    "base": 33_576_960 - POOLER_256,
    "large": 51_065_344 - POOLER_256,
}


@pytest.mark.parametrize("size", SIZES)
def test_published_counts(size):
    found = count_parameters(make_config({"model_size": size}))
    tables = found["embeddings"]
    assert tables + found["discriminator encoder"] == DISCRIMINATOR[size]
    assert tables + found["generator encoder"] == GENERATOR[size]


@pytest.mark.parametrize(
    ("size", "generator_head", "discriminator_head"),
    [
        # H_G E + E, LayerNorm 2 E, V; and H H + H, H + 1.
        ("small", 64 * 128 + 128 + 256 + 30522, 256 * 256 + 256 + 257),
        ("base", 256 * 768 + 768 + 1536 + 30522, 768 * 768 + 768 + 769),
        (
            "large",
            256 * 1024 + 1024 + 2048 + 30522,
            1024 * 1024 + 1024 + 1025,
        ),
    ],
)
def test_heads(size, generator_head, discriminator_head):
    found = count_parameters(make_config({"model_size": size}))
    assert found["generator head"] == generator_head
    assert found["discriminator head"] == discriminator_head


def test_weights_take_four_values_a_parameter():
    config = make_config(TINY)
    parameters = Summary(config, None).total_parameters
    assert weight_bytes(config) == 16 * parameters


def test_optimizer_holds_what_is_counted():
    from electra_tf.pretraining.factory import make_networks
    from electra_tf.training.optimizers import make_optimizer

    config = make_config(TINY)
    networks = make_networks(config).values()
    variables = {id(v): v for n in networks for v in n.trainable_variables}
    optimizer = make_optimizer(config.optimizer)
    optimizer.build(list(variables.values()))
    slots = [v for v in optimizer.variables if len(v.shape)]
    # Weights and gradients are the other half.
    assert 2 * 4 * _size(slots) == weight_bytes(config)


def test_activations_by_hand():
    """L 10; H 16, I 24, N 2, n 2; generator 8, 32, 1, 2; E 8; V 50; M 1."""
    main = 10 * 2 * (10 * 16 + 3 * 24 + 3 * 2 * 10) + 10 * 3 * 8
    generator = 10 * 2 * (10 * 8 + 3 * 32 + 3 * 1 * 10) + 10 * 3 * 8
    heads = 10 * 3 * 16 + 1 * (5 * 8 + 4 * 50)
    config = make_config({**TINY, "mask_prob": 0.15})
    assert activation_bytes(config) == 4 * 4 * (main + generator + heads)


@pytest.mark.parametrize(
    ("values", "measured"),
    [
        ({}, 64.9e6),
        ({"max_seq_length": 512}, 337e6),
        ({"model_size": "base", "num_hidden_layers": 3}, 401e6),
    ],
)
def test_activations_as_measured(values, measured):
    """Slope of a CPU process's peak memory over its batch size."""
    config = make_config({**values, "train_batch_size": 1})
    assert activation_bytes(config) == pytest.approx(measured, rel=0.2)


def test_lengths():
    config = make_config(TINY)
    found = Summary(config, 14)
    assert found.tokens_a_step == 40
    assert found.total_tokens == 1200
    assert found.steps_an_epoch == 3.5
    assert found.epochs == pytest.approx(30 / 3.5)
    assert Summary(config, None).epochs is None
    assert Summary(config, None).steps_an_epoch is None


def test_fraction_of_small():
    found = Summary(make_config({"num_train_steps": 250_000}), None)
    assert found.fraction_of_small == pytest.approx(0.25)
    assert found.train_flops == pytest.approx(1.293743798e18 / 4, rel=1e-9)
    assert sum(found.flops_a_step.values()) * 250_000 == found.train_flops


def _rows(text: str) -> dict[str, str]:
    """Name -> first value, of every line that has one."""
    rows = {}
    for line in filter(str.strip, text.splitlines()):
        name, _, rest = line.strip().partition("  ")
        rows.setdefault(name, rest.strip().partition("  ")[0])
    return rows


def test_table():
    rows = _rows(summarize(make_config({}), 3_200))
    assert rows["embeddings and discriminator encoder"] == "13,483,008"
    assert rows["all parts"] == "14,196,219"
    assert rows["FLOPs of the run"] == "1.294e18"
    assert rows["over ELECTRA-Small's"] == "1"
    assert rows["tokens a step"] == "16,384"
    assert rows["steps an epoch"] == "25.0"
    assert rows["epochs of the run"] == "40,000.00"
    assert rows["tokens of the run"] == "16,384,000,000"
    assert rows["weights"] == "227.1 MB"
    assert rows["activations"] == "8.34 GB"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"tying": "none"},
        {"tying": "all"},
        {"objective": "mlm"},
        {"objective": "electric", "generator": "two_tower"},
        {"objective": "teams", "generator": "unigram"},
    ],
    ids=lambda values: "-".join(values.values()) or "default",
)
def test_table_is_aligned(size, values):
    config = make_config({"model_size": size, **values})
    text = summarize(config, 10**7)
    rows = [line for line in text.splitlines() if line]
    ends = set()
    for name, value in _rows(text).items():
        if value:
            line = next(r for r in rows if r.strip().startswith(name + "  "))
            ends.add(line.index(value, len(name)) + len(value))
    assert len(ends) == 1, text
    assert not any(line != line.rstrip() for line in rows)
    for name, count in count_parameters(config).items():
        assert _rows(text)[name] == f"{count:,}"


def test_unknown_number_of_records():
    text = summarize(make_config({}), None)
    assert _rows(text)["epochs of the run"] == "-"
    assert "number of records not known" in text


def test_the_vocabulary_is_that_of_the_records(records_dir, vocab_file):
    """Where no flag gives its size; a file beside TFRecords counts, too."""
    size = len(tiny.vocab())
    dry = tiny.pretrain("--dry_run", vocab_size=size)
    for given in (
        {"data_dir": records_dir},
        {
            "data_dir": f"{records_dir}/train*.tfrecord",
            "vocab_file": vocab_file,
        },
        {"vocab_file": vocab_file},
    ):
        found = tiny.pretrain("--dry_run", **given)
        assert found.code == 0, found.err
        name = "all parts"
        assert _rows(found.out)[name] == _rows(dry.out)[name]


def test_dry_run_prints_and_leaves_nothing(tmp_path):
    folder = str(tmp_path / "run")
    finished = tiny.pretrain("--dry_run", model_dir=folder)
    assert finished.code == 0
    assert _rows(finished.out)["tokens a step"] == str(8 * tiny.LENGTH)
    assert not os.path.exists(folder)
