"""A user's code as a type checker sees it; read by mypy, never run.

Each `type: ignore` names a mistake that mypy must find: mypy fails where it
finds none there (`warn_unused_ignores`).
"""

from typing import assert_type

import electra_tf
from electra_tf import (
    Classifier,
    ElectraConfig,
    PretrainedElectra,
    PretrainingConfig,
    Regressor,
    SpanQA,
    Tagger,
    Tokenizer,
    create_optimizer,
    export_finetuned,
    from_pretrained,
    make_config,
)


def right_uses() -> None:
    model = from_pretrained("tiny")
    assert_type(model, PretrainedElectra)
    assert_type(model.tokenizer, Tokenizer)
    assert_type(model.config, PretrainingConfig)
    assert_type(model.config.model, ElectraConfig)
    assert_type(model.config.model.hidden_size, int)
    assert_type(model.fill_mask("a [MASK].", top_k=3), list[tuple[str, float]])
    token = model.detect(["The chef ate the meal."])[0][0]
    assert_type((token.token, token.probability), tuple[str, float])
    classifier = Classifier(model.encoder, labels=["bad", "good"])
    optimizer = create_optimizer(classifier, num_train_steps=100)
    classifier.compile(optimizer)
    export_finetuned(classifier, "served/1")
    assert_type(make_config({"model_size": "small"}), PretrainingConfig)
    assert_type(electra_tf.__version__, str)


def wrong_uses(model: PretrainedElectra) -> None:
    print(electra_tf.Clasifier)  # type: ignore[attr-defined]
    from_pretrained(3)  # type: ignore[arg-type]
    model.detekt(["a"])  # type: ignore[attr-defined]
    model.detect(3)  # type: ignore[arg-type]
    model.fill_mask("[MASK]", top=3)  # type: ignore[call-arg]
    make_config("small")  # type: ignore[arg-type]
    ElectraConfig(hiden_size=3)  # type: ignore[call-arg]
    Classifier(model.encoder, labels=3)  # type: ignore[arg-type]
    Regressor()  # type: ignore[call-arg]
    Tagger(model.tokenizer, labels=["O"])  # type: ignore[arg-type]
    SpanQA(model.encoder, head=2)  # type: ignore[arg-type]
    create_optimizer(num_train_steps=3)  # type: ignore[call-arg]
