"""hf://, against a cache that is there and without a network."""

import shutil

import pytest

from electra_tf.errors import InputError
from electra_tf.weights import open_weights, save_weights

constants = pytest.importorskip("huggingface_hub.constants")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = "---\nlanguage: en\nlicense: apache-2.0\n---\n# A model\n"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with org/name, as the hub's own library lays it out."""
    place = tmp_path / "cache"
    repository = place / "models--org--name"
    snapshot = repository / "snapshots" / COMMIT
    save_weights(open_weights("tiny"), str(tmp_path / "hf"), "huggingface")
    shutil.copytree(tmp_path / "hf" / "discriminator", snapshot)
    (snapshot / "README.md").write_text(CARD)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(place))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return snapshot


@pytest.mark.parametrize("name", ["hf://org/name", f"hf://org/name@{COMMIT}"])
def test_a_cached_model_is_opened_offline(name, cache, tmp_path):
    weights = open_weights(name)
    assert weights.networks == ("discriminator",)
    assert weights.origin == {
        "repository": "org/name",
        "revision": COMMIT,
        "licence": "apache-2.0",
    }
    save_weights(weights, str(tmp_path / "ours"))
    assert open_weights(tmp_path / "ours").origin == weights.origin


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("hf://org/other", "in its cache or within reach; received"),
        ("hf://org/name@other", "in its cache or within reach"),
        ("hf://name", "must be hf://org/name or"),
        ("hf://org/name/more", "must be hf://org/name or"),
        ("hf://../name@x", "in its cache or within reach"),
    ],
)
def test_what_is_not_there_is_one_line(name, told, cache):
    with pytest.raises(InputError, match=told) as error:
        open_weights(name)
    assert len(str(error.value).splitlines()) == 1
