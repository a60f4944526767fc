"""The configuration: the paper's sizes, the rules, JSON, what defines a run."""

import dataclasses
import inspect
import json

import pytest

from electra_tf.config.pretraining import (
    all_fields,
    differences,
    flat_values,
    from_json,
    make_config,
    to_json,
)
from electra_tf.config.sizes import SIZES
from electra_tf.errors import InputError

# ELECTRA, Table 6; the released small checkpoints differ in their generator.
_SMALL = {
    "num_hidden_layers": 12,
    "hidden_size": 256,
    "intermediate_size": 1024,
    "num_attention_heads": 4,
    "embedding_size": 128,
    "mask_prob": 0.15,
    "learning_rate": 5e-4,
    "train_batch_size": 128,
    "num_train_steps": 1_000_000,
    "max_seq_length": 128,
}
PAPER = {
    "small": _SMALL,
    "small_released": _SMALL,
    "base": {
        "num_hidden_layers": 12,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_attention_heads": 12,
        "embedding_size": 768,
        "mask_prob": 0.15,
        "learning_rate": 2e-4,
        "train_batch_size": 256,
        "num_train_steps": 766_000,
        "max_seq_length": 512,
    },
    "large": {
        "num_hidden_layers": 24,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_attention_heads": 16,
        "embedding_size": 1024,
        "mask_prob": 0.25,
        "learning_rate": 2e-4,
        "train_batch_size": 2048,
        "num_train_steps": 400_000,
        "max_seq_length": 512,
    },
}
COMMON = {
    "lr_decay_power": 1.0,
    "num_warmup_steps": 10_000,
    "weight_decay_rate": 0.01,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "clip_norm": 1.0,
    "gen_weight": 1.0,
    "disc_weight": 50.0,
    "vocab_size": 30522,
    "max_position_embeddings": 512,
    "adam_bias_correction": False,
}
# Width, layers, heads, feed-forward width.
GENERATORS = {
    "small": (64, 12, 1, 256),
    "small_released": (256, 12, 4, 1024),
    "base": (256, 12, 4, 1024),
    "large": (256, 24, 4, 1024),
}


def test_tables_cover_all_sizes():
    assert set(PAPER) == set(GENERATORS) == set(SIZES)


@pytest.mark.parametrize("size", PAPER)
def test_size_is_the_papers(size):
    found = flat_values(make_config({"model_size": size}))
    expected = {**COMMON, **PAPER[size], "model_size": size}
    assert {name: found[name] for name in expected} == expected
    # Nothing that a size sets is missing from the table above.
    assert set(SIZES[size]) == {*PAPER[size], "generator_hidden_size"}


@pytest.mark.parametrize("size", GENERATORS)
def test_generator_of_each_size(size):
    from electra_tf.config.sizes import generator_sizes

    found = generator_sizes(make_config({"model_size": size}).model)
    assert GENERATORS[size] == (
        found.hidden_size,
        found.num_hidden_layers,
        found.num_attention_heads,
        found.intermediate_size,
    )


def test_optimizer_constants():
    from electra_tf.training.adamw import AdamW

    parameters = inspect.signature(AdamW).parameters
    expected = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-6}
    assert {n: parameters[n].default for n in expected} == expected


def test_given_values_win_over_the_size():
    config = make_config({"model_size": "large", "hidden_size": 512})
    assert config.model.hidden_size == 512
    assert config.model.num_hidden_layers == 24


# Breaches of the rules: values given, what the message must name, the value
# that it must repeat.
BREACHES = [
    ({"generator": "gpt"}, "transformer, two_tower, uniform, unigram", "gpt"),
    ({"mws_weight": -1.0}, "must not be negative", -1.0),
    ({"two_stage_steps": -1}, "must not be negative", -1),
    ({"temperature_end": 0.0}, "must be positive", 0.0),
    ({"temperature_decay_steps": -1}, "must not be negative", -1),
    *(
        ({name: value}, name, value)
        for name in (
            "vocab_size",
            "embedding_size",
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "max_position_embeddings",
            "type_vocab_size",
            "num_train_steps",
            "train_batch_size",
            "log_every_steps",
            "num_eval_steps",
            "eval_batch_size",
            "save_checkpoints_steps",
            "keep_checkpoint_max",
            "iterations_per_loop",
            "gradient_accumulation_steps",
            "worker_timeout",
        )
        for value in (0, -3)
    ),
    *(
        ({name: value}, name, value)
        for name in (
            "initializer_range",
            "generator_hidden_size",
            "generator_layers",
            "temperature",
            "learning_rate",
            "clip_norm",
        )
        for value in (0.0, -0.5, float("nan"))
    ),
    *(
        ({name: value}, name, value)
        for name in (
            "gen_weight",
            "disc_weight",
            "lr_decay_power",
            "min_lr_ratio",
            "weight_decay_rate",
        )
        for value in (-0.5, float("nan"))
    ),
    *(
        ({name: -1}, name, -1)
        for name in (
            "num_warmup_steps",
            "num_decay_steps",
            "train_batch_size_start",
            "batch_warmup_steps",
            "generator_num_attention_heads",
            "generator_intermediate_size",
            "seed",
            "eval_every_steps",
            "preempted_exit_code",
            "stop_at_step",
            "num_virtual_devices",
        )
    ),
    *(
        ({name: value}, name, value)
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob")
        for value in (-0.1, 1.0, 1.5, float("nan"))
    ),
    *(({"mask_prob": v}, "mask_prob", v) for v in (0.0, 1.0, -0.1, 1.5)),
    *(({"mask_prob_end": v}, "mask_prob_end", v) for v in (1.0, -0.1)),
    *(
        ({name: "other"}, name, "other")
        for name in (
            "model_size",
            "lr_schedule",
            "objective",
            "optimizer",
            "tying",
            "position_init",
            "corpus",
            "word_borders",
            "word_splitter",
            "unicode_normalization",
            "eval_pairs_method",
            "init_vocab",
            "masking",
            "compat",
            "strategy",
            "precision",
            "jit_compile",
        )
    ),
    ({"compat": "google", "masking": "span"}, "masking must be token", "span"),
    ({"seed": 2**32}, "seed", 2**32),
    ({"max_seq_length": 4}, "max_seq_length", 4),
    ({"max_seq_length": 513}, "max_position_embeddings (512)", 513),
    ({"hidden_size": 255}, "num_attention_heads (4)", 255),
    ({"generator_hidden_size": 0.001}, "generator_hidden_size", 0),
    # 129 columns on 2 heads.
    (
        {
            "hidden_size": 258,
            "num_attention_heads": 2,
            "generator_hidden_size": 0.5,
        },
        "2 heads",
        129,
    ),
    ({"generator_layers": 0.01}, "generator_layers", 0.01),
    (
        {"lr_schedule": "warmup_stable_decay"},
        "num_decay_steps of warmup_stable_decay must lie in [1,",
        0,
    ),
    (
        {
            "lr_schedule": "warmup_stable_decay",
            "num_train_steps": 9,
            "num_decay_steps": 10,
        },
        "[1, 9]",
        10,
    ),
    ({"num_decay_steps": 9}, "lr_schedule=warmup_stable_decay", "polynomial"),
    ({"min_lr_ratio": 0.1}, "lr_schedule=cosine", "polynomial"),
    ({"batch_warmup_steps": 9}, "needs train_batch_size_start", 0),
    *(
        (
            {"train_batch_size": size, "train_batch_size_start": 16},
            "train_batch_size must be train_batch_size_start (16) doubled",
            size,
        )
        for size in (8, 16, 48, 100)
    ),
    (
        {
            "train_batch_size": 64,
            "train_batch_size_start": 16,
            "batch_warmup_steps": 1,
        },
        "so be at least 2",
        1,
    ),
    ({"strategy": "tpu"}, "strategy=tpu needs tpu_name", ""),
    (
        {"strategy": "mirrored", "tpu_name": "local"},
        "tpu_name=local needs strategy=tpu",
        "mirrored",
    ),
    (
        {"strategy": "one_device", "num_virtual_devices": 2},
        "num_virtual_devices=2 needs strategy=mirrored",
        "one_device",
    ),
]
# Any value of the right type will do.
FREE = {
    "data_dir",
    "vocab_file",
    "model_dir",
    "eval_pairs",
    "init_checkpoint",
    "init_optimizer",
    "generator_checkpoint",
    "extend_positions",
    "do_lower_case",
    "strip_accents",
    "disallow_correct",
    "adam_bias_correction",
    "two_stage_init",
    "tpu_zone",
    "gcp_project",
    "rematerialize",
}


@pytest.mark.parametrize(("values", "rule", "value"), BREACHES)
def test_breach_names_rule_and_value(values, rule, value):
    with pytest.raises(InputError) as caught:
        make_config(values)
    message = str(caught.value)
    assert rule in message
    assert message.endswith(f"received {value!r}")
    assert "\n" not in message


def test_every_field_has_a_breach_or_is_free():
    breached = {name for values, *_ in BREACHES for name in values}
    assert breached | FREE == set(all_fields())
    assert not breached & FREE


_WRONG_KINDS = {
    int: ("7", 1.5, True),
    float: ("0.1", True),
    bool: (1, "yes"),
    str | None: (7,),
}


@pytest.mark.parametrize("name", all_fields())
def test_wrong_type(name):
    kind = all_fields()[name].type
    for value in _WRONG_KINDS.get(kind, (7, None)):
        with pytest.raises(InputError) as caught:
            make_config({name: value})
        message = str(caught.value)
        assert name in message
        assert message.endswith(f"received {value!r}")


def test_whole_numbers_pass_as_floats():
    assert make_config({"temperature": 2}).objective.temperature == 2.0


def test_unknown_field():
    with pytest.raises(InputError, match="hidden_sise"):
        make_config({"hidden_sise": 128})


@pytest.mark.parametrize(
    "values",
    [
        {"max_seq_length": 5},
        {"max_seq_length": 512},
        {"seed": 2**32 - 1},
        {"hidden_dropout_prob": 0.0, "num_warmup_steps": 0},
        {"generator_layers": 0.05},
        {"mask_prob": 0.99},
    ],
)
def test_borders_are_allowed(values):
    found = flat_values(make_config(values))
    assert {name: found[name] for name in values} == values


@pytest.mark.parametrize(
    ("given", "strips"),
    [
        ({}, True),
        ({"do_lower_case": False}, False),
        ({"do_lower_case": True}, True),
        ({"do_lower_case": False, "strip_accents": True}, True),
        ({"do_lower_case": True, "strip_accents": False}, False),
    ],
)
def test_accents_follow_lower_casing(given, strips):
    assert make_config(given).data.strip_accents is strips


@pytest.mark.parametrize("size", SIZES)
def test_sharing_all_makes_the_generator_full_size(size):
    model = make_config({"model_size": size, "tying": "all"}).model
    assert (model.generator_hidden_size, model.generator_layers) == (1, 1)


@pytest.mark.parametrize(
    "given", [{"generator_hidden_size": 0.25}, {"generator_layers": 0.5}]
)
def test_sharing_all_refuses_a_smaller_generator(given):
    with pytest.raises(InputError) as caught:
        make_config({"tying": "all", **given})
    assert "tying=all" in str(caught.value)
    assert str(*given.values()) in str(caught.value)
    make_config({"tying": "all", **dict.fromkeys(given, 1.0)})


# What a field goes with.
COMPANIONS = {
    "num_decay_steps": {
        "lr_schedule": "warmup_stable_decay",
        "num_decay_steps": 9,
    },
    "min_lr_ratio": {"lr_schedule": "cosine"},
    "word_splitter": {"word_borders": "spaces"},
    "train_batch_size_start": {
        "train_batch_size": 16,
        "train_batch_size_start": 1,
        "batch_warmup_steps": 9,
    },
    "batch_warmup_steps": {
        "train_batch_size_start": 16,
        "batch_warmup_steps": 9,
    },
}


def _another(name: str, value):
    """A valid value of the field that differs from `value`."""
    special = {
        "model_size": "small_released",
        "objective": "mlm",
        "optimizer": "lamb",
        "lr_schedule": "cosine",
        "min_lr_ratio": 0.1,
        "mask_prob_end": 0.3,
        "tying": "none",
        "generator": "two_tower",
        "position_init": "sinusoidal",
        "masking": "whole_word",
        "compat": "google",
        "corpus": "ja",
        "word_borders": "spaces",
        "word_splitter": "mecab",
        "unicode_normalization": "NFKC",
        "eval_pairs_method": "rtd",
        "init_vocab": "match",
        "hidden_size": 512,
        "num_attention_heads": 8,
        "generator_hidden_size": 0.5,
        "generator_layers": 0.5,
        "learning_rate": 1e-3,
        "strategy": "mirrored",
        "precision": "mixed_bfloat16",
        "jit_compile": "true",
    }
    if name in special:
        return special[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return "elsewhere"
    return value / 2 if isinstance(value, float) else value + 1


@pytest.mark.parametrize("size", SIZES)
def test_json_round_trip_of_sizes(size):
    config = make_config({"model_size": size})
    assert from_json(to_json(config)) == config


@pytest.mark.parametrize("name", all_fields())
def test_json_round_trip_of_every_field(name):
    plain = make_config({})
    companions = COMPANIONS.get(name, {})
    value = _another(name, flat_values(make_config(companions))[name])
    config = make_config({**companions, name: value})
    assert config != plain
    assert from_json(to_json(config)) == config
    assert flat_values(make_config(flat_values(config))) == flat_values(config)


def test_json_round_trip_of_one_encoder():
    config = make_config({"tying": "all"})
    assert from_json(to_json(config)) == config


def test_json_has_a_group_for_each_concern():
    groups = json.loads(to_json(make_config({})))
    assert list(groups) == [
        "model", "objective", "optimizer", "data", "run", "execution",
    ]  # fmt: skip
    assert groups["model"]["hidden_size"] == 256


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"model": {"hidden_sise": 128}}', "hidden_sise"),
        ('{"models": {}}', "models"),
        ('{"model": {"hidden_size": "128"}}', "hidden_size"),
        ('{"model": 3}', "model"),
        ("[1, 2]", "object"),
        ("{", "JSON"),
        ("", "JSON"),
    ],
)
def test_bad_json(text, named):
    with pytest.raises(InputError, match=named):
        from_json(text)


# How and where a run runs; all else says what it is.
MAY_CHANGE = {
    "model_size",
    "data_dir",
    "vocab_file",
    "model_dir",
    "init_checkpoint",
    "log_every_steps",
    "eval_every_steps",
    "eval_pairs",
    "eval_pairs_method",
    "num_eval_steps",
    "eval_batch_size",
    "save_checkpoints_steps",
    "keep_checkpoint_max",
    "iterations_per_loop",
    "preempted_exit_code",
    "stop_at_step",
    "generator_checkpoint",
    "init_optimizer",
    "init_vocab",
    "extend_positions",
    "strategy",
    "tpu_name",
    "tpu_zone",
    "gcp_project",
    "num_virtual_devices",
    "gradient_accumulation_steps",
    "rematerialize",
    "precision",
    "jit_compile",
    "worker_timeout",
}


@pytest.mark.parametrize("name", all_fields())
def test_differences_are_those_that_define_the_run(name):
    plain = make_config(COMPANIONS.get(name, {}))
    old = flat_values(plain)
    # Alone, without what follows from it (a size's values, accents).
    group = next(
        f.name
        for f in dataclasses.fields(plain)
        if name in dataclasses.asdict(getattr(plain, f.name))
    )
    value = _another(name, old[name])
    changed = dataclasses.replace(getattr(plain, group), **{name: value})
    found = differences(plain, dataclasses.replace(plain, **{group: changed}))
    expected = {} if name in MAY_CHANGE else {name: (old[name], value)}
    assert found == expected


def test_the_same_run_has_no_differences():
    assert differences(make_config({}), make_config({})) == {}
