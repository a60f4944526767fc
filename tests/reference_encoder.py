"""The forward pass in float64 NumPy, written from the papers' equations."""

import math

import numpy as np

erf = np.vectorize(math.erf)


def gelu(x):
    return x * 0.5 * (1 + erf(x / math.sqrt(2)))


def layer_norm(x, weights, scope):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    unit = (x - mean) / np.sqrt(variance + 1e-12)
    return unit * weights[scope + "/gamma"] + weights[scope + "/beta"]


def dense(x, weights, scope):
    return x @ weights[scope + "/kernel"] + weights[scope + "/bias"]


def embeddings(ids, segments, weights, scope):
    """Row by row, token by token."""
    words = weights[scope + "/word_embeddings"]
    types = weights[scope + "/token_type_embeddings"]
    places = weights[scope + "/position_embeddings"]
    rows = [
        [words[i] + types[s] + places[p] for p, (i, s) in enumerate(row)]
        for row in (
            zip(*r, strict=True) for r in zip(ids, segments, strict=True)
        )
    ]
    return layer_norm(np.array(rows), weights, scope + "/LayerNorm")


def block(x, mask, heads, weights, scope):
    """One head of one example at a time."""
    attention = scope + "/attention/"
    q = dense(x, weights, attention + "self/query")
    k = dense(x, weights, attention + "self/key")
    v = dense(x, weights, attention + "self/value")
    size = x.shape[-1] // heads
    context = np.zeros_like(x)
    for row in range(len(x)):
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = q[row][:, part] @ k[row][:, part].T / math.sqrt(size)
            scores = scores - 10000.0 * (1 - mask[row])[None, :]
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            probs = scores / scores.sum(-1, keepdims=True)
            context[row][:, part] = probs @ v[row][:, part]
    a = dense(context, weights, attention + "output/dense")
    x = layer_norm(x + a, weights, attention + "output/LayerNorm")
    h = gelu(dense(x, weights, scope + "/intermediate/dense"))
    h = dense(h, weights, scope + "/output/dense")
    return layer_norm(x + h, weights, scope + "/output/LayerNorm")


def encoder(ids, mask, segments, heads, layers, weights, scope, tables):
    """`tables`: scope of the embeddings."""
    x = embeddings(ids, segments, weights, tables)
    if scope + "/embeddings_project/kernel" in weights:
        x = dense(x, weights, scope + "/embeddings_project")
    for i in range(layers):
        x = block(x, mask, heads, weights, f"{scope}/encoder/layer_{i}")
    return x


def masked_lm_head(states, table, weights, scope):
    x = gelu(dense(states, weights, scope + "/dense"))
    x = layer_norm(x, weights, scope + "/LayerNorm")
    return x @ table.T + weights[scope + "/output_bias"]


def discriminator_head(states, weights, scope):
    x = gelu(dense(states, weights, scope + "/dense"))
    return dense(x, weights, scope + "/dense_1")[..., 0]


def weights_of(layer):
    """float64 arrays by path."""
    return {v.path: v.numpy().astype(np.float64) for v in layer.variables}
