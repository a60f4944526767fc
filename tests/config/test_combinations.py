"""Objective x generator x tying: which are allowed, and the rule for others."""

import itertools
import math

import pytest

from electra_tf.config.description import (
    GENERATORS,
    SHARED_REFUSALS,
    TYINGS,
)
from electra_tf.config.objectives import OBJECTIVES, describe
from electra_tf.config.pretraining import (
    flat_values,
    from_json,
    make_config,
    to_json,
)
from electra_tf.errors import InputError
from electra_tf.training.cost.sizes import count_parameters

SHARING = ("none", "embeddings", "all", "gradient_disentangled")
TOWERS = ("none", "embeddings", "gradient_disentangled")
# Written out: what a paper did or could have done.
FOUR = {
    "transformer": SHARING,
    "two_tower": TOWERS,
    "uniform": ("none",),
    "unigram": ("none",),
}
# Of what is not here a variant of ELECTRA is taken to be: all four rows.
EXCEPTIONS = {
    "mlm": {"transformer": ("none",)},
    "two_stage": {"transformer": ("none", "gradient_disentangled")},
    "adversarial": {"transformer": TOWERS},
    "electric": {k: v for k, v in FOUR.items() if k != "transformer"},
}
ALLOWED = {name: EXCEPTIONS.get(name, FOUR) for name in OBJECTIVES}
REFUSALS = [
    (name, refused)
    for name, each in OBJECTIVES.items()
    for refused in each.refusals
] + [(None, refused) for refused in SHARED_REFUSALS]
PRODUCT = list(itertools.product(OBJECTIVES, GENERATORS, TYINGS))
TRIPLES = [
    (objective, generator, tying)
    for objective, generators in ALLOWED.items()
    for generator, tyings in generators.items()
    for tying in tyings
]


def refusal(objective, generator, tying):
    return describe(objective).refusal(generator, tying)


def values_of(objective, generator, tying, **changed):
    """A tiny configuration, its sizes as the combination needs them."""
    values = {
        "objective": objective,
        "generator": generator,
        "tying": tying,
        "vocab_size": 20,
        "embedding_size": 8,
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "num_attention_heads": 1,
        "intermediate_size": 32,
        "generator_hidden_size": 0.5,
        "max_position_embeddings": 8,
        "max_seq_length": 8,
        "num_train_steps": 10,
    }
    if tying == "all" or objective == "two_stage":
        values["generator_hidden_size"] = 1.0
    if objective == "two_stage":
        values["two_stage_steps"] = 4
    return {**values, **changed}


def test_the_tables_are_whole():
    assert set(EXCEPTIONS) < set(OBJECTIVES)
    assert set(FOUR) == set(GENERATORS)
    assert set(SHARING) == set(TYINGS)


@pytest.mark.parametrize("combination", PRODUCT, ids="-".join)
def test_full_product(combination):
    if combination in TRIPLES:
        assert refusal(*combination) is None
        config = make_config(values_of(*combination))
        assert from_json(to_json(config)) == config
        return
    with pytest.raises(InputError) as error:
        make_config(values_of(*combination))
    # The rule, what was received, and what to do.
    (text,) = str(error.value).splitlines()
    assert refusal(*combination) in text
    assert str(combination) in text
    assert " must " in text


def test_every_rule_is_needed():
    for left_out in REFUSALS:
        alone = [
            c
            for c in PRODUCT
            if [each for each in REFUSALS if refuses(*each, c)] == [left_out]
        ]
        assert alone, left_out


def refuses(name, refused, combination):
    """Whether a rule is about a combination."""
    objective, generator, tying = combination
    return (
        name in (None, objective)
        and generator in refused.generators
        and tying in refused.tyings
    )


@pytest.mark.parametrize("combination", TRIPLES, ids="-".join)
def test_parameters_are_those_of_the_networks(combination):
    from electra_tf.modeling.networks import variables_of
    from electra_tf.pretraining.factory import make_networks

    config = make_config(
        values_of(*combination, embedding_size=8, hidden_size=16)
        if combination[0] != "two_stage"
        else values_of(*combination)
    )
    variables = variables_of(make_networks(config).values())
    assert len({v.path for v in variables}) == len(variables)
    total = sum(v.value.shape.num_elements() for v in variables)
    assert sum(count_parameters(config).values()) == total


@pytest.mark.parametrize("objective", ["electric", "adversarial"])
@pytest.mark.parametrize(
    "changed",
    [
        {"temperature": 2.0},
        {"temperature_decay_steps": 5},
        {"disallow_correct": True},
    ],
)
def test_samples_whose_probability_is_learned_from(objective, changed):
    generator = "two_tower" if objective == "electric" else "transformer"
    with pytest.raises(InputError, match="the generator's own"):
        make_config(values_of(objective, generator, "none", **changed))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"two_stage_steps": 0}, "two_stage_steps"),
        ({"two_stage_steps": 10}, r"num_train_steps \(10\); received 10"),
        ({"generator_hidden_size": 0.5}, "two_stage_init false"),
        ({"generator_layers": 0.5}, "two_stage_init false"),
        ({"num_attention_heads": 2}, "num_attention_heads must be"),
        ({"intermediate_size": 24}, "intermediate_size must be"),
        ({"embedding_size": 4}, "embedding_size must be"),
    ],
)
def test_two_stages_of_unequal_networks(changed, told):
    values = values_of("two_stage", "transformer", "none", **changed)
    with pytest.raises(InputError, match=told):
        make_config(values)
    if "two_stage_steps" not in changed:
        make_config({**values, "two_stage_init": False})


def test_a_difference_of_tables_needs_no_equal_width():
    tying = "gradient_disentangled"
    values = values_of("two_stage", "transformer", tying, embedding_size=4)
    assert make_config(values).model.embedding_size == 4


@pytest.mark.parametrize(
    "values", [{"objective": "mlm"}, {"generator": "unigram"}]
)
def test_nothing_is_shared_by_default_where_nothing_can_be(values):
    assert make_config(values).model.tying == "none"
    assert make_config({}).model.tying == "embeddings"


@pytest.mark.parametrize(
    ("combination", "expected"),
    [
        (
            ("electra", "transformer", "none"),
            2 * math.log(20) + 7 * math.log(2),
        ),
        # No loss of its own, where the generator has no weights.
        (("electra", "unigram", "none"), 7 * math.log(2)),
        (("mlm", "transformer", "none"), 2 * math.log(20)),
        (("replace_mlm", "transformer", "none"), 3 * math.log(20)),
        (("two_stage", "transformer", "none"), None),
        (("adversarial", "transformer", "none"), None),
        (("electric", "two_tower", "none"), None),
    ],
    ids=str,
)
def test_the_loss_of_guessing(combination, expected):
    values = values_of(*combination, gen_weight=2.0, disc_weight=7.0)
    values = flat_values(make_config(values))
    found = describe(combination[0]).loss_at_start(values)
    assert found == (expected and pytest.approx(expected))
