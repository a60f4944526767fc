"""TF1 and KerasHub, written: the way there and back changes no bit."""

import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config.pretraining import flat_values
from electra_tf.errors import InputError
from electra_tf.pretrained import from_pretrained
from electra_tf.weights import open_weights, save_weights

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
RUNS = ("electra_tied", "electra_all_tied", "mlm", "electric")


def tensors(prefix):
    reader = tf.compat.v1.train.NewCheckpointReader(str(prefix))
    names = reader.get_variable_to_shape_map()
    return {name: reader.get_tensor(name) for name in names}


@pytest.mark.parametrize("run", RUNS)
def test_a_tf1_checkpoint_is_written_as_it_was_read(run, tmp_path):
    """Every tensor, slots and step too; the configuration as well."""
    for step in (0, 8):
        prefix = GOLDEN / run / f"model.ckpt-{step}"
        opened, out = open_weights(prefix), tmp_path / str(step)
        save_weights(opened, str(out), "tf1")
        theirs, ours = tensors(prefix), tensors(out / f"model.ckpt-{step}")
        assert theirs.keys() == ours.keys()
        for name, array in theirs.items():
            np.testing.assert_array_equal(ours[name], array, err_msg=name)
        assert open_weights(out).config == opened.config


@pytest.mark.parametrize("run", RUNS)
def test_sizes_are_read_off_the_shapes(run, tmp_path):
    """As the authors released theirs: one checkpoint, no config.json."""
    folder = tmp_path / "released"
    save_weights(
        open_weights(GOLDEN / run / "model.ckpt-0"), str(folder), "tf1"
    )
    known = flat_values(open_weights(folder).config)
    for name in ("config.json", "checkpoint"):
        (folder / name).unlink()
    found = flat_values(open_weights(folder).config)
    for name in (
        "vocab_size embedding_size hidden_size num_hidden_layers "
        "intermediate_size max_position_embeddings type_vocab_size "
        "objective generator tying generator_layers"
    ).split():
        assert found[name] == known[name], name
    if run != "mlm":  # whose generator is the main network
        name = "generator_hidden_size"
        assert found[name] == known[name]


def test_it_starts_from_tf1_without_a_vocabulary(tmp_path):
    folder = tmp_path / "released"
    save_weights(open_weights("tiny"), str(folder), "tf1")
    shutil.move(folder / "vocab.txt", tmp_path / "elsewhere.txt")
    with pytest.raises(InputError, match=r"must have vocab\.txt beside it"):
        open_weights(folder)


def test_through_all_formats_no_bit_changes(tmp_path):
    """TF1, ours, Hugging Face's, ours, KerasHub's, ours."""
    first = open_weights(GOLDEN / "electra_tied" / "model.ckpt-8")
    place, opened = None, first
    for number, to in enumerate(
        ("tf1", "electra_tf", "huggingface", "electra_tf", "keras_hub")
    ):
        place = str(tmp_path / str(number))
        save_weights(opened, place, to)
        opened = open_weights(place)
        names = set(first.arrays)
        if to == "keras_hub":
            names = {n for n in names if n.startswith(("electra/",))}
        assert set(opened.arrays) == names
        for name in names:
            np.testing.assert_array_equal(
                opened.arrays[name], first.arrays[name], err_msg=name
            )


def test_keras_hub_loads_what_is_written(tmp_path):
    keras_hub = pytest.importorskip("keras_hub")
    folder = str(tmp_path / "preset")
    save_weights(open_weights("tiny"), folder, "keras_hub")
    backbone = keras_hub.models.ElectraBackbone.from_preset(folder)
    tokenizer = keras_hub.models.ElectraTokenizer.from_preset(folder)
    ours = from_pretrained("tiny")
    text = "The state of the Union is strong."
    ids = ours.tokenizer.tokenize(tf.constant([text])).to_tensor()
    np.testing.assert_array_equal(tokenizer(text), ids[0])
    ones, zeros = tf.ones_like(ids), tf.zeros_like(ids)
    theirs = backbone(
        {"token_ids": ids, "padding_mask": ones, "segment_ids": zeros}
    )["sequence_output"]
    # Its GELU is the tanh approximation.
    np.testing.assert_allclose(
        theirs, ours.encoder(ids, ones, zeros), atol=0.02
    )


@pytest.mark.parametrize("to", ["huggingface", "tf1", "keras_hub"])
def test_nothing_is_left_of_what_cannot_be_written(to, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("kept")
    with pytest.raises(InputError, match="must be empty or not there"):
        save_weights(open_weights("tiny"), str(tmp_path / "out"), to)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "mine.txt").read_text() == "kept"
