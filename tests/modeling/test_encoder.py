"""The networks' forward pass against NumPy, and what padding must not do."""

import numpy as np
import pytest
import reference_encoder as reference
import tensorflow as tf
from layer_registry import HEADS, INPUTS, B, H, L, M, V, built, randomize

from electra_tf.modeling.attention import EncoderBlock
from electra_tf.modeling.embeddings import Embeddings
from electra_tf.modeling.encoder import Encoder

IDS, MASK, SEGMENTS = INPUTS["ids"], INPUTS["mask"], INPUTS["segments"]


def close(actual, expected, atol=1e-5):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


def test_embeddings():
    layer = built("Embeddings")
    expected = reference.embeddings(
        IDS, SEGMENTS, reference.weights_of(layer), layer.path
    )
    close(layer(IDS, SEGMENTS), expected)


def test_encoder_block():
    layer = built("EncoderBlock")
    weights = reference.weights_of(layer)
    states = INPUTS["states"]
    expected = reference.block(
        states.astype(np.float64), MASK, HEADS, weights, layer.path
    )
    close(layer(states, INPUTS["bias"]), expected)


@pytest.fixture(scope="module")
def deep():
    """Two blocks behind a projection."""
    tables = Embeddings(V, 8, max_position_embeddings=9, name="embeddings")
    encoder = Encoder(tables, H, 2, HEADS, 24, name="electra")
    encoder(IDS, MASK, SEGMENTS)
    randomize(encoder.variables, scale=0.3)
    return encoder


def test_whole_encoder(deep):
    weights = reference.weights_of(deep)
    expected = reference.encoder(
        *(IDS, MASK, SEGMENTS, HEADS, 2, weights, "electra"),
        tables="electra/embeddings",
    )
    close(deep(IDS, MASK, SEGMENTS), expected)


def test_without_projection_where_widths_agree():
    tables = Embeddings(V, H, max_position_embeddings=9, name="embeddings")
    encoder = Encoder(tables, H, 1, HEADS, 24, name="electra")
    encoder(IDS, MASK, SEGMENTS)
    randomize(encoder.variables, scale=0.3)
    weights = reference.weights_of(encoder)
    assert not any("project" in path for path in weights)
    expected = reference.encoder(
        *(IDS, MASK, SEGMENTS, HEADS, 1, weights, "electra"),
        tables="electra/embeddings",
    )
    close(encoder(IDS, MASK, SEGMENTS), expected)


def test_masked_lm_reads_its_positions():
    network = built("MaskedLM")
    weights = reference.weights_of(network)
    states = network.encoder(IDS, MASK, SEGMENTS).numpy().astype(np.float64)
    positions = INPUTS["positions"]
    at = np.stack([states[b][positions[b]] for b in range(B)])
    (scope,) = {p.rsplit("/", 1)[0] for p in weights if "output_bias" in p}
    (table,) = [weights[p] for p in weights if p.endswith("word_embeddings")]
    expected = reference.masked_lm_head(at, table, weights, scope)
    actual = network(IDS, MASK, SEGMENTS, positions)
    assert actual.shape == (B, M, V)
    close(actual, expected)


def test_discriminator_head():
    layer = built("DiscriminatorHead")
    states = INPUTS["states"]
    expected = reference.discriminator_head(
        states.astype(np.float64), reference.weights_of(layer), layer.path
    )
    close(layer(states), expected)


def test_discriminator_is_its_head_on_its_encoder():
    network = built("Discriminator")
    states = network.encoder(IDS, MASK, SEGMENTS)
    actual = network(IDS, MASK, SEGMENTS)
    assert actual.shape == (B, L)
    close(actual, network.head(states), 1e-6)


def test_padding_does_not_change_real_tokens(deep):
    short = deep(IDS[1:, :4], MASK[1:, :4], SEGMENTS[1:, :4])
    padded = deep(IDS[1:], MASK[1:], SEGMENTS[1:])
    close(padded[:, :4], short)
    other = IDS.copy()
    other[1, 4:] = 9  # whatever stands behind the mask
    close(deep(other, MASK, SEGMENTS)[1, :4], short[0])
    full = np.ones_like(MASK)
    changed = np.abs(deep(other, full, SEGMENTS)[1, :4] - short[0])
    assert changed.max() > 1e-2


def test_rows_do_not_see_each_other(deep):
    outputs = deep(IDS, MASK, SEGMENTS).numpy()
    swapped = deep(IDS[::-1], MASK[::-1], SEGMENTS[::-1]).numpy()
    close(swapped[::-1], outputs)
    alone = deep(IDS[:1], MASK[:1], SEGMENTS[:1]).numpy()
    close(alone, outputs[:1])


def test_any_length_up_to_the_table(deep):
    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)] * 3)
    def call(ids, mask, segments):
        return deep(ids, mask, segments)

    close(call(IDS, MASK, SEGMENTS), deep(IDS, MASK, SEGMENTS))
    assert call(IDS[:1, :3], MASK[:1, :3], SEGMENTS[:1, :3]).shape == (1, 3, H)


def test_too_long_an_input_is_refused(deep):
    ids = np.ones([1, 10], np.int32)
    with pytest.raises(
        ValueError, match=r"length must be at most .* 9 rows; received 10"
    ):
        deep(ids, ids, ids * 0)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match=r"multiple.*\(3\).*16"):
        EncoderBlock(16, 3, 32)


def test_embeddings_project_starts_by_glorot_and_the_rest_narrow():
    tables = Embeddings(400, 32, name="embeddings")
    encoder = Encoder(tables, 64, 1, 4, 256, name="electra")
    encoder.build()
    for variable in encoder.variables:
        value, path = variable.numpy(), variable.path
        if path.endswith("gamma"):
            np.testing.assert_array_equal(value, 1)
        elif path.endswith(("bias", "beta")):
            np.testing.assert_array_equal(value, 0)
        elif path.endswith("embeddings_project/kernel"):
            limit = np.sqrt(6 / (32 + 64))
            assert 0.95 * limit < np.abs(value).max() <= limit
        elif value.size > 100:  # kernels and tables, cut at two deviations
            assert np.abs(value).max() <= 0.04, path
            # A normal of 0.02, cut at two deviations, keeps 0.88 of it.
            assert value.std() == pytest.approx(0.0176, rel=0.1), path
