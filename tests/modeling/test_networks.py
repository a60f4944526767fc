"""Which variables there are, what they are called, and which are shared."""

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config.pretraining import make_config
from electra_tf.config.sizes import SIZES, GeneratorSizes, generator_sizes
from electra_tf.modeling.networks import Discriminator, MaskedLM
from electra_tf.modeling.tying import make_encoders, make_main_encoder

V, E, H, LAYERS, FFN, P = 31, 8, 16, 2, 24, 10
TINY = {
    "vocab_size": V,
    "embedding_size": E,
    "hidden_size": H,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": FFN,
    "max_position_embeddings": P,
    "max_seq_length": P,
    "generator_hidden_size": 0.75,
    "generator_layers": 0.5,
}
GEN_H = 12
DENSE = ("kernel", "bias")
NORM = ("LayerNorm/gamma", "LayerNorm/beta")
TABLES = ("word_embeddings", "token_type_embeddings", "position_embeddings")


def networks(**values):
    config = make_config({**TINY, **values}).model
    main, encoders = make_encoders(config)
    generator = MaskedLM(*encoders)
    return generator, Discriminator(main)


def tables_of(scope):
    return {f"{scope}/embeddings/{n}" for n in (*TABLES, *NORM)}


def encoder_names(scope, layers):
    names = {f"{scope}/embeddings_project/{n}" for n in DENSE}
    for i in range(layers):
        layer = f"{scope}/encoder/layer_{i}"
        for part in ("query", "key", "value"):
            names |= {f"{layer}/attention/self/{part}/{n}" for n in DENSE}
        for part in ("attention/output", "output"):
            names |= {f"{layer}/{part}/dense/{n}" for n in DENSE}
            names |= {f"{layer}/{part}/{n}" for n in NORM}
        names |= {f"{layer}/intermediate/dense/{n}" for n in DENSE}
    return names


HEAD = "generator_predictions"
MASKED_LM = {f"{HEAD}/dense/{n}" for n in DENSE}
MASKED_LM |= {f"{HEAD}/{n}" for n in (*NORM, "output_bias")}
DETECTOR = {
    f"discriminator_predictions/{layer}/{n}"
    for layer in ("dense", "dense_1")
    for n in DENSE
}


def paths(network):
    found = [v.path for v in network.trainable_variables]
    assert len(set(found)) == len(found)
    return set(found)


def test_names_are_the_authors():
    generator, discriminator = networks()
    main = tables_of("electra") | encoder_names("electra", LAYERS)
    assert paths(discriminator) == main | DETECTOR
    expected = tables_of("electra") | encoder_names("generator", 1) | MASKED_LM
    assert paths(generator) == expected


def test_names_without_tying():
    generator, _ = networks(tying="none")
    names = encoder_names("generator", 1) | tables_of("generator") | MASKED_LM
    # At the generator's own width nothing is left to project.
    names -= {f"generator/embeddings_project/{n}" for n in DENSE}
    assert paths(generator) == names


def shared(generator, discriminator):
    theirs = {id(v) for v in discriminator.trainable_variables}
    return {v.path for v in generator.trainable_variables if id(v) in theirs}


def test_tying_decides_which_variables_are_shared():
    assert shared(*networks(tying="none")) == set()
    assert shared(*networks(tying="embeddings")) == tables_of("electra")
    everything = {"generator_hidden_size": 1.0, "generator_layers": 1.0}
    main = tables_of("electra") | encoder_names("electra", LAYERS)
    assert shared(*networks(tying="all", **everything)) == main


def tables_count(v, e, p):
    return v * e + p * e + 2 * e + 2 * e


def encoder_count(e, h, ffn, layers):
    attention = 4 * (h * h + h) + 2 * h
    feed_forward = h * ffn + ffn + ffn * h + h + 2 * h
    projection = 0 if e == h else e * h + h
    return projection + layers * (attention + feed_forward)


def masked_lm_count(h, e, v):
    return h * e + e + 2 * e + v


def detector_count(h):
    return h * h + h + h + 1


def total(generator, discriminator):
    both = generator.trainable_variables + discriminator.trainable_variables
    return sum(int(np.prod(v.shape)) for v in {id(v): v for v in both}.values())


@pytest.mark.parametrize("tying", ["none", "embeddings", "all"])
def test_parameter_counts(tying):
    main = tables_count(V, E, P) + encoder_count(E, H, FFN, LAYERS)
    main += detector_count(H)
    width = {}
    if tying == "all":
        width = {"generator_hidden_size": 1.0, "generator_layers": 1.0}
        own = masked_lm_count(H, E, V)
    elif tying == "embeddings":
        own = encoder_count(E, GEN_H, 4 * GEN_H, 1)
        own += masked_lm_count(GEN_H, E, V)
    else:
        own = tables_count(V, GEN_H, P)
        own += encoder_count(GEN_H, GEN_H, 4 * GEN_H, 1)
        own += masked_lm_count(GEN_H, GEN_H, V)
    assert total(*networks(tying=tying, **width)) == main + own


# The published backbones, without heads (docs/expected.md).
BACKBONES = {"small": 13_483_008, "base": 108_891_648}


@pytest.mark.parametrize("size", BACKBONES)
def test_the_formula_gives_the_published_counts(size):
    config = make_config({"model_size": size}).model
    e, h = config.embedding_size, config.hidden_size
    count = tables_count(30522, e, config.max_position_embeddings)
    layers = config.num_hidden_layers
    count += encoder_count(e, h, config.intermediate_size, layers)
    assert count == BACKBONES[size]


def test_small_has_the_published_count():
    encoder = make_main_encoder(make_config({}).model)
    encoder.build()
    assert encoder.count_params() == BACKBONES["small"]


# Hidden, layers, heads, feed-forward (paper, Table 6; authors' code).
GENERATORS = {
    "small": (64, 12, 1, 256),
    "small_released": (256, 12, 4, 1024),
    "base": (256, 12, 4, 1024),
    "large": (256, 24, 4, 1024),
}


def test_generator_sizes():
    assert set(GENERATORS) == set(SIZES)
    for size, (hidden, layers, heads, ffn) in GENERATORS.items():
        config = make_config({"model_size": size}).model
        expected = GeneratorSizes(hidden, layers, heads, ffn)
        assert generator_sizes(config) == expected
    # A third of 768 written as the authors do.
    rounded = {"model_size": "base", "generator_hidden_size": 0.33333}
    assert generator_sizes(make_config(rounded).model).hidden_size == 256


def test_only_masked_positions_reach_the_vocabulary():
    batch, length, slots, vocab = 3, 20, 3, 499
    config = make_config(
        {
            **TINY,
            "vocab_size": vocab,
            "max_seq_length": 20,
            "max_position_embeddings": 20,
        }
    ).model
    network = MaskedLM(make_main_encoder(config))

    @tf.function
    def step(ids, positions):
        with tf.GradientTape() as tape:
            logits = network(
                ids,
                tf.ones_like(ids),
                tf.zeros_like(ids),
                positions,
                training=True,
            )
            loss = tf.reduce_sum(tf.nn.log_softmax(logits)[..., 0])
        return tape.gradient(loss, [v.value for v in network.variables])

    traced = step.get_concrete_function(
        tf.TensorSpec([batch, length], tf.int32),
        tf.TensorSpec([batch, slots], tf.int32),
    )
    largest = max(
        out.shape.num_elements() or 0
        for op in traced.graph.get_operations()
        for out in op.outputs
    )
    widest = vocab * E
    assert (
        batch * slots * vocab
        <= largest
        <= max(widest, batch * slots * vocab)
        < batch * length * vocab
    )
