"""The weights in the package: small, and past the unigram plateau."""

import pathlib
import random

import numpy as np
import pytest

import electra_tf

FOLDER = pathlib.Path(electra_tf.__file__).parent / "assets" / "tiny"
# (sentence of the corpus's kind, the word that belongs, one that does not)
SWAPPED = [
    ("We must help the people of the {}.", "world", "percent"),
    ("The Congress of the United {} must act.", "States", "peace"),
    ("I ask the Congress to {} this legislation.", "pass", "they"),
]


@pytest.fixture(scope="module")
def tiny():
    return electra_tf.from_pretrained("tiny")


def test_it_is_small(tiny):
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    networks = (tiny.discriminator, tiny.generator)
    variables = {v.path: v for n in networks for v in n.trainable_variables}
    assert size < 5_000_000
    assert sum(np.prod(v.shape) for v in variables.values()) < 2_000_000


def test_it_tells_no_machine_of_its_making(tiny):
    assert tiny.config.run.model_dir == ""
    assert tiny.config.data.data_dir == ""


@pytest.mark.parametrize(("text", "right", "wrong"), SWAPPED)
def test_a_word_that_does_not_belong_is_suspected(tiny, text, right, wrong):
    start = text.index("{")
    suspicion = {
        word: next(t.probability for t in tokens if t.start == start)
        for word, tokens in zip(
            (right, wrong),
            tiny.detect([text.format(right), text.format(wrong)]),
            strict=True,
        )
    }
    assert suspicion[wrong] > suspicion[right] + 0.1


def test_the_generator_uses_its_context(tiny):
    assert tiny.fill_mask("the people of the [MASK] states")[0][0] == "united"
    assert tiny.fill_mask("the united [MASK] of america")[0][0] == "states"


def test_loading_leaves_the_callers_random_numbers_alone():
    random.seed(7)
    expected = random.random()
    random.seed(7)
    electra_tf.from_pretrained("tiny")
    assert random.random() == expected
