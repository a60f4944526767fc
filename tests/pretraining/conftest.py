"""Networks that several tests look at, built once."""

import pytest
from tiny_pretraining import randomize, tiny_pretrainer


def _built(**values):
    pretrainer = tiny_pretrainer(**values)
    randomize(pretrainer.trainable_variables)
    return pretrainer


@pytest.fixture(scope="session", params=["none", "embeddings", "all"])
def tied(request):
    """A pre-training model of each tying; do not train it."""
    return request.param, _built(tying=request.param)


@pytest.fixture(scope="session")
def electra():
    """The default tying; do not train it."""
    return _built()
