"""The engines of benchmarks/serving.py, each in a process of its own."""

import os
import tempfile
import time
from collections.abc import Callable

import numpy as np
from turns import answer

LAYERS, HIDDEN, EMBEDDING, HEADS, VOCAB = 12, 256, 128, 4, 30522
ENGINES = (
    "session",
    "function",
    "text",
    "pytorch",
    "onnxruntime",
    "ceiling",
    "apart",
)

Run = Callable[[int, int], Callable[[], object]]


def ids_of(batch: int, length: int) -> dict[str, np.ndarray]:
    """Rows without padding."""
    rng = np.random.default_rng(0)
    ids = rng.integers(1000, 20000, (batch, length), np.int64)
    return {
        "input_ids": ids,
        "input_mask": np.ones_like(ids),
        "segment_ids": np.zeros_like(ids),
    }


def flops(batch: int, length: int) -> float:
    """Of the discriminator's matrix products, forward."""
    dense = 12 * HIDDEN**2 * LAYERS + EMBEDDING * HIDDEN + HIDDEN**2
    attention = 2 * length * HIDDEN * LAYERS
    return 2.0 * batch * length * (dense + attention)


def by_session(path: str) -> Run:
    from electra_tf.serving import replay

    replay.load_text_ops()
    answer = replay.by_session(path)

    def prepare(batch, length):
        ids = ids_of(batch, length)
        return lambda: answer("detect_ids", ids)

    return prepare


def by_function(path: str) -> Run:
    import tensorflow as tf

    from electra_tf.serving import replay

    replay.load_text_ops()
    signature = tf.saved_model.load(path).signatures["detect_ids"]

    def prepare(batch, length):
        ids = {k: tf.constant(v) for k, v in ids_of(batch, length).items()}
        return lambda: signature(**ids)["probabilities"].numpy()

    return prepare


def by_text(path: str) -> Run:
    from electra_tf.serving import replay

    replay.load_text_ops()
    answer = replay.by_session(path)

    def prepare(batch, length):
        texts = np.array([b"the " * (length - 2)] * batch, object)
        return lambda: answer("detect", {"text": texts})

    return prepare


def _huggingface():
    import torch
    import transformers

    config = transformers.ElectraConfig(
        vocab_size=VOCAB,
        embedding_size=EMBEDDING,
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * HIDDEN,
    )
    return torch, transformers.ElectraForPreTraining(config).eval()


def _torch_inputs(torch, batch, length):
    ids = ids_of(batch, length)
    names = ("input_ids", "input_mask", "segment_ids")
    return tuple(torch.from_numpy(ids[name]) for name in names)


def by_pytorch(path: str) -> Run:
    torch, model = _huggingface()

    def prepare(batch, length):
        inputs = _torch_inputs(torch, batch, length)

        def call():
            with torch.inference_mode():
                return model(*inputs).logits.numpy()

        return call

    return prepare


def by_onnxruntime(path: str) -> Run:
    import onnxruntime

    torch, model = _huggingface()
    model.config.return_dict = False
    names = ["input_ids", "attention_mask", "token_type_ids"]
    free = {0: "batch", 1: "length"}
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "electra.onnx")
        torch.onnx.export(
            model,
            _torch_inputs(torch, 2, 16),
            file,
            input_names=names,
            output_names=["logits"],
            dynamic_axes=dict.fromkeys([*names, "logits"], free),
            dynamo=False,
        )
        session = onnxruntime.InferenceSession(file)
    taken = {value.name for value in session.get_inputs()}

    def prepare(batch, length):
        values = zip(names, ids_of(batch, length).values(), strict=True)
        feeds = {name: x for name, x in values if name in taken}
        return lambda: session.run(None, feeds)

    return prepare


def _products(tf) -> Callable:
    """The discriminator's matrix products, without anything between them."""

    def variable(*shape):
        return tf.Variable(tf.random.normal(shape, stddev=shape[0] ** -0.5))

    project = variable(EMBEDDING, HIDDEN)
    layers = [
        [
            *(variable(HIDDEN, HIDDEN) for _ in "qkvo"),
            variable(HIDDEN, 4 * HIDDEN),
            variable(4 * HIDDEN, HIDDEN),
        ]
        for _ in range(LAYERS)
    ]
    head, last = variable(HIDDEN, HIDDEN), variable(HIDDEN, 1)

    def products(x, batch):
        x = x @ project
        for *inputs, output, up, down in layers:
            heads = [batch, HEADS, -1, HIDDEN // HEADS]
            q, k, v = (tf.reshape(x @ w, heads) for w in inputs)
            context = tf.matmul(q, k, transpose_b=True) @ v
            x = tf.reshape(context, tf.shape(x)) @ output @ up @ down
        return x @ head @ last

    return products


def by_ceiling(path: str) -> Run:
    """The products in one graph: some run beside each other."""
    import tensorflow as tf

    return _on_embeddings(tf, tf.function(_products(tf), reduce_retracing=True))


def by_apart(path: str) -> Run:
    """The products one call after another: each has the machine to itself."""
    import tensorflow as tf

    return _on_embeddings(tf, _products(tf))


def _on_embeddings(tf, products: Callable) -> Run:
    def prepare(batch, length):
        x = tf.random.normal([batch * length, EMBEDDING])
        return lambda: products(x, tf.constant(batch)).numpy()

    return prepare


def served(prepare: Run) -> tuple[str, Callable[[int, int, int], list]]:
    """Answers [batch, length, calls] by a list of seconds."""

    def respond(batch: int, length: int, calls: int) -> list[float]:
        call = prepare(batch, length)
        call()  # what is done once a shape
        seconds = []
        for _ in range(calls):
            begin = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - begin)
        return seconds

    return "ready", respond


def engine_of(name: str) -> Callable[[str], tuple]:
    return lambda path: served(globals()[f"by_{name}"](path))


if __name__ == "__main__":
    answer({name: engine_of(name) for name in ENGINES})
