"""convert_weights --verify, without the libraries that it asks."""

import importlib.util

import numpy as np
import pytest
import tiny
import tiny_finetune

from electra_tf.errors import InputError
from electra_tf.weights import open_weights, save_weights, verify

BY = 0.25


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same weights in two formats."""
    folder = tmp_path_factory.mktemp("verified")
    ours = tiny_finetune.write_pretrained(str(folder / "electra_tf"))
    theirs = str(folder / "huggingface")
    save_weights(open_weights(ours), theirs, "huggingface")
    return {"electra_tf": ours, "huggingface": theirs}


@pytest.mark.parametrize(
    ("source", "to"),
    [("electra_tf", "huggingface"), ("huggingface", "electra_tf")],
)
def test_their_library_computes_their_side(source, to, folders, monkeypatch):
    """A library whose logits are off by BY, and which has no generator."""

    def library(folder, network, batch):
        assert folder == folders["huggingface"]
        found = verify._ours(folder, network, batch)
        found["logits"] = found["logits"] - BY
        return found if network == "discriminator" else {}

    libraries = {"huggingface": library}
    monkeypatch.setattr(verify, "_LIBRARIES", libraries)
    weights = open_weights(folders[source])
    told = verify.compare(weights, folders[to], to, folders[source])
    start = f"verified discriminator {{}}: {to} beside {source}, largest "
    states, logits = told.splitlines()
    assert states == start.format("hidden states") + "difference 0.0e+00"
    assert logits == start.format("logits") + "difference 2.5e-01"


def test_padding_is_not_compared(folders):
    batch = verify.random_batch(open_weights(folders["electra_tf"]))
    outputs = verify._ours(folders["electra_tf"], "discriminator", batch)
    assert len(outputs["logits"]) == batch[1].sum() < batch[1].size
    assert np.ptp(outputs["logits"]) > 0.1


@pytest.mark.parametrize("to", ["electra_tf", "huggingface"])
def test_a_missing_library_is_told_before_the_work(
    to, folders, tmp_path, monkeypatch
):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "torch" else find(name),
    )
    source = {"electra_tf": "huggingface", "huggingface": "electra_tf"}[to]
    line = tiny.command(
        "convert_weights",
        f"--input={folders[source]}",
        f"--output={tmp_path / 'out'}",
        f"--to={to}",
        "--verify",
    ).error()
    assert "--verify needs torch" in line
    assert '".[verify]"' in line
    assert not (tmp_path / "out").exists()


FAKES = {
    "torch": """
import contextlib
import numpy as np
no_grad = contextlib.nullcontext
class tensor(np.ndarray):
    def __new__(cls, array):
        return np.asarray(array).view(cls)
    def long(self):
        return self.astype(np.int64)
    def numpy(self):
        return np.asarray(self)
""",
    "transformers": """
import sys
import torch
assert not {"tensorflow", "electra_tf"} & set(sys.modules)
class ElectraForPreTraining:
    def from_pretrained(path):
        if not path.endswith("huggingface/discriminator"):
            raise OSError("cannot load it")
        return ElectraForPreTraining()
    def float(self):
        return self
    eval = float
    def __call__(self, input_ids, attention_mask, token_type_ids, **_):
        self.logits = input_ids + 2.0 * token_type_ids
        self.hidden_states = [None, attention_mask[..., None] + 0.5]
        return self
""",
}


def test_transformers_runs_in_a_process_of_its_own(
    folders, tmp_path, monkeypatch
):
    """Modules in its place, which refuse to be beside TensorFlow."""
    for name, code in FAKES.items():
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    batch = verify.random_batch(open_weights(folders["electra_tf"]))
    ids, mask, segments = batch
    found = verify._transformers(folders["huggingface"], "discriminator", batch)
    real = mask.astype(bool)
    np.testing.assert_array_equal(found["logits"], (ids + 2 * segments)[real])
    states = found["hidden states"]
    np.testing.assert_array_equal(states, np.full([real.sum(), 1], 1.5))
    with pytest.raises(InputError, match=r"that transformers loads.*load it"):
        verify._transformers(folders["electra_tf"], "discriminator", batch)
