"""A weights format from outside of the package, in one file."""

import pytest
import tiny

from electra_tf.errors import InputError
from electra_tf.pretrained import from_pretrained
from electra_tf.weights import (
    FORMATS,
    OpenedWeights,
    open_weights,
    register,
    save_weights,
)

PLUGIN = '''
"""One file, in which every number is twice what it is here."""

import numpy as np

from electra_tf import weights
from electra_tf.config.pretraining import from_json, to_json
from electra_tf.data.tokenizers.tokenizer import Tokenizer


class Doubled(weights.WeightsFormat):
    name, takes = "doubled", "a .doubled file"
    keeps = ("labels",)

    def recognises(self, path):
        return path.endswith(".doubled")

    def read(self, path):
        found = np.load(path)
        names = [n[2:] for n in found.files if n.startswith("w ")]
        return weights.OpenedWeights(
            from_json(str(found["config"])),
            Tokenizer(found["vocab"].tolist()),
            weights.LazyArrays(names, lambda name: found["w " + name] / 2),
            source=f"the doubled {path!r}",
            networks=("discriminator",) if "alone" in path else None,
            head=weights.Head("classifier", {"task_head/bias": np.ones(2)}),
            labels=("bad", "good"),
        )

    def write(self, opened, output_dir, dtype):
        with open(output_dir, "wb") as file:
            np.savez(
                file,
                config=to_json(opened.config),
                vocab=np.array(opened.tokenizer.vocab),
                **{f"w {n}": 2 * a for n, a in opened.arrays.items()},
            )


weights.register(Doubled())
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The module's name, on the path; its format is gone after the test."""
    name = f"toy_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    before = dict(FORMATS)
    yield name
    FORMATS.clear()
    FORMATS.update(before)


def convert(plugin, source, place, to):
    finished = tiny.command(
        "convert_weights",
        f"--plugin={plugin}",
        f"--input={source}",
        f"--output={place}",
        f"--to={to}",
    )
    assert finished.code == 0, finished.err
    return finished.out.splitlines()


@pytest.mark.slow
def test_a_plugin_s_format_is_written_and_read(plugin, tmp_path):
    path, back = str(tmp_path / "tiny.doubled"), str(tmp_path / "back")
    told = convert(plugin, "tiny", path, "doubled")
    assert told[1] == "not there: head, labels, optimizer"
    told = convert(plugin, path, back, "electra_tf")
    assert told[0].startswith(f"read the doubled {path!r}: generator, disc")
    assert told[1] == "not there: optimizer"
    assert open_weights(back).head.arrays["task_head/bias"].tolist() == [1, 1]
    texts = ["we are", "the state of the union"]
    for place in (path, back):
        found = from_pretrained(place)
        assert found.detect(texts) == from_pretrained("tiny").detect(texts)
    assert open_weights(path).labels == ("bad", "good")
    # It is listed with what else could have been given.
    with pytest.raises(InputError, match=r"a \.doubled file; received 'none'"):
        open_weights("none")
    with pytest.raises(InputError, match="must be new; received 'doubled'"):
        register(FORMATS["doubled"])


def test_a_discriminator_alone(plugin, tmp_path):
    whole, model = open_weights("tiny"), from_pretrained("tiny")
    paths = [v.path for v in model.discriminator.variables]
    arrays = {path: whole.arrays[path] for path in paths}
    path = str(tmp_path / "alone.doubled")
    __import__(plugin)
    alone = OpenedWeights(whole.config, whole.tokenizer, arrays)
    save_weights(alone, path, "doubled")
    found = from_pretrained(path)
    assert found.generator is None
    assert found.detect(["we are"]) == model.detect(["we are"])
    with pytest.raises(InputError, match="no generator"):
        found.fill_mask("we [MASK]")
