"""The objectives: a description each, and the rules that they keep.

Whatever an objective's networks, losses, figures or costs are asked for, the
answer stands here; its class (pretraining/objectives) is bound to it by
`register`.
"""

import math

from electra_tf.config.description import (
    DETECTION_FIGURES,
    DISC,
    GENERATORS,
    MASKED_LM_FIGURES,
    MLM,
    PAIRS_FIGURES,
    PREDICTIONS,
    TOTAL,
    TYINGS,
    Description,
    Figure,
    Part,
    Refusal,
    Stage,
    Term,
    Values,
    score,
)
from electra_tf.config.sizes import num_heads
from electra_tf.errors import require

_NOT_TRANSFORMER = GENERATORS[1:]
# Samples as the generator's own probabilities give them.
_PLAIN_SAMPLING = {
    "temperature": 1.0,
    "temperature_decay_steps": 0,
    "disallow_correct": False,
}


def _plain_sampling(values: Values) -> None:
    sampling = {name: values[name] for name in _PLAIN_SAMPLING}
    require(
        sampling == _PLAIN_SAMPLING,
        f"objective={values['objective']} learns from the probability of its "
        "samples, so they must be the generator's own: temperature 1 without "
        "decay, disallow_correct false",
        sampling,
    )


def _two_stages(values: Values) -> None:
    first, steps = values["two_stage_steps"], values["num_train_steps"]
    require(
        0 < first < steps,
        "two_stage_steps, the steps of the generator alone, must lie between 0 "
        f"and num_train_steps ({steps})",
        first,
    )
    if not values["two_stage_init"]:
        return
    hidden = values["hidden_size"]
    sizes = {
        "generator_hidden_size": 1,
        "generator_layers": 1,
        "num_attention_heads": num_heads(hidden),
        "intermediate_size": 4 * hidden,
    }
    if values["tying"] == "none":
        sizes["embedding_size"] = hidden
    for name, size in sizes.items():
        require(
            values[name] == size,
            "objective=two_stage copies the generator into the discriminator, "
            f"so {name} must be the generator's ({size}; or two_stage_init "
            "false)",
            values[name],
        )


def _needs_masked_lm(objective: str) -> Refusal:
    rule = "trains a masked-LM, so generator must be transformer"
    return Refusal(f"objective={objective} {rule}", _NOT_TRANSFORMER)


_TOKEN_FIGURES = (
    Figure(
        "main_loss",
        "Loss of the network that is kept",
        label="main",
        caption="Cross-entropy in nats of replace_mlm and all_tokens_mlm, "
        "whose generator has the masked-LM loss.",
    ),
    score("main_accuracy", "Accuracy of the network that is kept", PREDICTIONS),
    MASKED_LM_FIGURES[-1],  # of samples, which nothing detects here
)

_MWS_ACCURACY = "Accuracy of the multi-word selection"

_BUILT_IN = (
    Description("electra"),
    Description("electra_15"),
    Description(
        "mlm",
        terms=(MLM,),
        main=Part("generator", "tokens", at_slots=True),
        has_generator=False,
        refusals=(
            Refusal(
                "objective=mlm has no generator, so generator must stay "
                "transformer",
                _NOT_TRANSFORMER,
            ),
            Refusal(
                "objective=mlm has one network alone, so tying must be none",
                tyings=TYINGS[1:],
            ),
        ),
    ),
    Description(
        "replace_mlm",
        terms=(MLM, Term("main", at_start=math.log)),
        main=Part("main", "tokens", at_slots=True),
        figures=_TOKEN_FIGURES,
    ),
    Description(
        "all_tokens_mlm",
        terms=(MLM, Term("main")),
        main=Part("main", "copying"),
        figures=_TOKEN_FIGURES,
    ),
    Description(
        "two_stage",
        refusals=(
            _needs_masked_lm("two_stage"),
            Refusal(
                "objective=two_stage freezes the generator while the main "
                "network learns, so tying must be none or "
                "gradient_disentangled",
                tyings=("embeddings", "all"),
            ),
        ),
        rules=(_two_stages,),
        stages=(
            Stage(learns=("generator",), steps="two_stage_steps"),
            Stage(learns=("discriminator",), reads=("generator",)),
        ),
    ),
    Description(
        "adversarial",
        # The policy's value has no meaning: only its gradient has.
        terms=(
            Term("policy", "gen_weight"),
            Term("baseline", "gen_weight"),
            DISC,
        ),
        parts=(Part("baseline", "value", at_slots=True, reads="generator"),),
        figures=(
            Figure(
                "reward",
                "Reward of the generator",
                label="reward",
                better="",
                caption="The discriminator's loss at the sampled places, "
                "which adversarial training drives the generator to raise.",
            ),
        ),
        refusals=(
            _needs_masked_lm("adversarial"),
            Refusal(
                "objective=adversarial trains two networks against one "
                "another, so tying must not be all",
                tyings=("all",),
            ),
        ),
        rules=(_plain_sampling,),
    ),
    Description(
        "electric",
        # Its logits hold log q, so that they do not start at 0.
        terms=(MLM, DISC._replace(at_start=None)),
        main=Part("energy", "detection"),
        refusals=(
            Refusal(
                "objective=electric needs the probability of each token given "
                "all others, so generator must be two_tower, uniform or "
                "unigram",
                ("transformer",),
            ),
        ),
        rules=(_plain_sampling,),
    ),
    Description(
        "teams",
        terms=(MLM, DISC, Term("mws", "mws_weight", lambda _: math.log(5))),
        parts=(Part("selector", "selection", at_slots=True, blocks=1),),
        figures=(
            Figure(
                "mws_loss",
                "Multi-word selection loss",
                label="mws",
                caption="Cross-entropy in nats of teams' choice among the "
                "candidates, before its weight. Guessing among five is 1.61.",
            ),
            score("mws_accuracy", _MWS_ACCURACY, PREDICTIONS),
        ),
    ),
)

# What `--objective` may be, plugins' ones last.
OBJECTIVES = {each.name: each for each in _BUILT_IN}


def add(description: Description) -> None:
    """From now on `description` is one of the objectives.

    Raises:
      InputError: another one has its name.
    """
    known = OBJECTIVES.setdefault(description.name, description)
    rule = "an objective's name must be new"
    require(known == description, rule, description.name)


def describe(objective: str) -> Description:
    """The description of an objective.

    Raises:
      InputError: there is none of that name.
    """
    require(
        objective in OBJECTIVES,
        f"objective must be one of {', '.join(OBJECTIVES)} (or of a plugin, "
        "which --plugin=MODULE names)",
        objective,
    )
    return OBJECTIVES[objective]


def has_trained_generator(values: Values) -> bool:
    """Whether flat, perhaps partial values ask for a generator with weights."""
    description = describe(values.get("objective", "electra"))
    return description.trains_generator(values.get("generator", "transformer"))


def shown_figures() -> tuple[Figure, ...]:
    """Every figure of every objective, each once, in the order to show."""
    own = [each for known in OBJECTIVES.values() for each in known.figures]
    figures = dict.fromkeys((TOTAL, *MASKED_LM_FIGURES, *own))
    return *figures, *DETECTION_FIGURES, *PAIRS_FIGURES
