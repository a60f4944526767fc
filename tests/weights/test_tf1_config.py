"""The authors' configuration, read as ours."""

import json

import pytest

from electra_tf.weights.tf1 import tf1_config


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({"embedding_size": None, "model_size": "base"}, 768),
        (
            {
                "embedding_size": None,
                "model_hparam_overrides": {"hidden_size": 64},
            },
            64,
        ),
        ({"embedding_size": 16}, 16),
        ({}, 128),
    ],
)
def test_no_embedding_size_is_the_hidden_size(theirs, expected):
    assert tf1_config(json.dumps(theirs)).model.embedding_size == expected


@pytest.mark.parametrize(
    ("theirs", "tying"),
    [
        ({}, "embeddings"),
        ({"untied_generator_embeddings": True}, "none"),
        ({"untied_generator": False, "generator_hidden_size": 0.5}, "all"),
    ],
)
def test_tying_and_a_size_that_one_encoder_ignores(theirs, tying):
    model = tf1_config(json.dumps(theirs)).model
    assert model.tying == tying
    assert model.generator_hidden_size == (1.0 if tying == "all" else 0.25)
