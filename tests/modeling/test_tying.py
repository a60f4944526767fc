"""Gradient-disentangled tables: E_D = stop_gradient(E_G) + E_delta."""

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config.pretraining import make_config
from electra_tf.modeling.networks import Discriminator, MaskedLM
from electra_tf.modeling.two_tower import TwoTowerCloze
from electra_tf.modeling.tying import make_encoders

TINY = {
    "vocab_size": 31,
    "embedding_size": 8,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 10,
    "max_seq_length": 10,
    "generator_hidden_size": 0.75,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "tying": "gradient_disentangled",
}
IDS = tf.constant([[2, 9, 17, 3, 0]])
TEXT = (IDS, tf.constant([[1, 1, 1, 1, 0]]), tf.zeros_like(IDS))
SUMS = ("word_embeddings", "position_embeddings")


@pytest.fixture
def networks():
    main, (encoder,) = make_encoders(make_config(TINY).model)
    return MaskedLM(encoder), Discriminator(main)


def by_path(network):
    return {v.path: v for v in network.trainable_variables}


def test_names_and_shapes(networks):
    generator, discriminator = map(by_path, networks)
    for name in SUMS:
        table = generator[f"generator/embeddings/{name}"]
        delta = discriminator[f"electra/embeddings/{name}_delta"]
        # At the main network's width, with a projection for the generator.
        assert table.shape == delta.shape == (*table.shape[:1], 8)
        assert not delta.numpy().any()
    own = {p for p in discriminator if p.startswith("electra/embeddings/")}
    assert own == {
        "electra/embeddings/word_embeddings_delta",
        "electra/embeddings/position_embeddings_delta",
        "electra/embeddings/token_type_embeddings",
        "electra/embeddings/LayerNorm/gamma",
        "electra/embeddings/LayerNorm/beta",
    }
    assert not set(generator) & set(discriminator)
    assert "generator/embeddings_project/kernel" in generator


def test_the_main_network_reads_the_sum(networks):
    generator, discriminator = networks
    rng = np.random.default_rng(0)
    for network in networks:
        for variable in network.trainable_variables:
            variable.assign(0.3 * rng.normal(size=variable.shape))
    plain, _ = make_encoders(make_config(TINY).model, merged=True)
    plain.build()
    tables = generator.encoder.embeddings
    values = {v.path: v.numpy() for v in discriminator.encoder.variables}
    for name in SUMS:
        delta = values.pop(f"electra/embeddings/{name}_delta")
        values[f"electra/embeddings/{name}"] = delta + getattr(tables, name)
    for variable in plain.variables:
        variable.assign(values.pop(variable.path))
    assert not values
    expected = discriminator.encoder(*TEXT)
    np.testing.assert_allclose(plain(*TEXT), expected, atol=1e-6)


def test_no_gradient_of_detection_reaches_the_generators_tables(networks):
    generator, discriminator = networks
    tables = generator.encoder.embeddings
    watched = [getattr(tables, name).value for name in SUMS]
    deltas = [
        getattr(discriminator.encoder.embeddings, f"{name}_delta").value
        for name in SUMS
    ]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(discriminator(*TEXT) ** 2)
    found = tape.gradient(loss, watched + deltas)
    assert found[:2] == [None, None]
    for gradient in found[2:]:
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0
    # The generator's own gradient is there.
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(generator(*TEXT, tf.constant([[1, 2]])) ** 2)
    assert all(g is not None for g in tape.gradient(loss, watched))


def test_what_the_generator_learns_moves_the_main_network(networks):
    generator, discriminator = networks
    before = discriminator(*TEXT).numpy()
    table = generator.encoder.embeddings.word_embeddings
    table.assign(table.numpy() + 0.1 * np.eye(*table.shape))
    assert np.abs(discriminator(*TEXT) - before).max() > 1e-5


@pytest.mark.parametrize("tying", ["none", "embeddings", TINY["tying"]])
def test_two_towers_share_one_table(tying):
    values = {**TINY, "generator": "two_tower", "tying": tying}
    main, towers = make_encoders(make_config(values).model)
    network = TwoTowerCloze(*towers)
    tables = {p for p in by_path(network) if p.endswith("word_embeddings")}
    scope = "electra" if tying == "embeddings" else "generator_ltr"
    assert tables == {f"{scope}/embeddings/word_embeddings"}
    shared = towers[0].embeddings is main.embeddings
    assert shared == (tying == "embeddings")
    assert towers[0].embeddings.embedding_size == (12 if tying == "none" else 8)


def test_disentangled_tables_are_not_serialised(networks):
    with pytest.raises(NotImplementedError, match="export"):
        networks[1].get_config()
