"""electra_tf and its ceilings, for benchmarks/pretraining.py."""

from pretraining_step import (
    BEGUN,
    SIZES,
    VOCAB,
    ids_of,
    shape_of,
    slots_of,
    timed,
)
from turns import answer


def ours(shape: str, precision: str = "float32"):
    """`Pretrainer.update`, one step a call as the loop runs them."""
    import tensorflow as tf

    from electra_tf.config.pretraining import make_config
    from electra_tf.data.text import embedded_vocab_path
    from electra_tf.data.tokenizers import Tokenizer
    from electra_tf.pretraining.factory import build_pretrainer
    from electra_tf.training.optimizers import make_optimizer

    size, batch, length = shape_of(shape)

    def build():
        config = make_config(
            {
                "model_size": size,
                "train_batch_size": batch,
                "max_seq_length": length,
                "precision": precision,
            }
        )
        tokenizer = Tokenizer.from_file(embedded_vocab_path())
        pretrainer = build_pretrainer(
            config, tokenizer, execution=config.execution
        )
        optimizer = make_optimizer(config.optimizer, precision)
        pretrainer.compile(optimizer=optimizer)
        ids = tf.constant(ids_of(batch, length), tf.int32)
        rows = {
            "input_ids": ids,
            "input_mask": tf.ones_like(ids),
            "segment_ids": tf.zeros_like(ids),
        }
        update = tf.function(lambda: pretrainer.update(rows))

        def step():
            update()
            return pretrainer.step  # waits for the end

        return step

    return timed(BEGUN, build)


def ours_bfloat16(shape: str):
    return ours(shape, "mixed_bfloat16")


def ceiling(shape: str):
    """The step's matrix products, forward and backward, in one graph."""
    import tensorflow as tf

    size, batch, length = shape_of(shape)
    return timed(BEGUN, lambda: _products(tf, size, batch, length))


def _products(tf, size: str, batch: int, length: int):
    hidden, embedding, blocks, heads, small, small_heads = SIZES[size]
    table = _variable(tf, embedding, VOCAB)
    generator = _encoder(tf, embedding, small, blocks, small_heads)
    discriminator = _encoder(tf, embedding, hidden, blocks, heads)
    to_embedding = _variable(tf, small, embedding)
    x = tf.random.normal([batch * length, embedding])
    slots = batch * slots_of(length)
    variables = [table, to_embedding, *generator[1], *discriminator[1]]

    @tf.function
    def products():
        with tf.GradientTape() as tape:
            tape.watch(x)
            states = generator[0](x, batch)
            words = states[:slots] @ to_embedding @ table  # [B * M, V]
            ends = [words, discriminator[0](x, batch)]
        # The gradients of ends' sums with a weight of ones: products alone.
        seeds = [tf.ones_like(end) for end in ends]
        gradients = tape.gradient(ends, variables, output_gradients=seeds)
        return [tf.reshape(g, [-1])[0] for g in gradients]

    return lambda: [g.numpy() for g in products()]


def _variable(tf, *shape: int):
    return tf.Variable(tf.random.normal(shape, stddev=shape[0] ** -0.5))


def _encoder(tf, embedding: int, width: int, blocks: int, heads: int):
    project = [] if embedding == width else [_variable(tf, embedding, width)]
    layers = [
        [
            *(_variable(tf, width, width) for _ in "qkvo"),
            _variable(tf, width, 4 * width),
            _variable(tf, 4 * width, width),
        ]
        for _ in range(blocks)
    ]

    def encode(x, batch):
        x = x @ project[0] if project else x
        for *inputs, output, up, down in layers:
            parts = [batch, heads, -1, width // heads]
            q, k, v = (tf.reshape(x @ w, parts) for w in inputs)
            context = tf.matmul(q, k, transpose_b=True) @ v
            x = tf.reshape(context, tf.shape(x)) @ output @ up @ down
        return x

    return encode, [*project, *(w for layer in layers for w in layer)]


def matmul(shape: str):
    """One large float32 product; its rate is what the machine can."""
    import tensorflow as tf

    x = tf.random.normal([2048, 2048])
    return timed(BEGUN, lambda: lambda: tf.linalg.matmul(x, x).numpy())


if __name__ == "__main__":
    engines = (ours, ours_bfloat16, ceiling, matmul)
    answer({engine.__name__: engine for engine in engines})
