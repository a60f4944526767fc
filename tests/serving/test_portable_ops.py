"""Only what every TensorFlow Serving image has gets out."""

import pytest
import tensorflow as tf
import tensorflow_text as tf_text

from electra_tf.errors import InputError
from electra_tf.serving.saved_model import (
    graph_ops,
    is_portable,
    write_saved_model,
)

TEXT = tf.TensorSpec([None], tf.string, "text")


class Trims(tf.Module):
    """Cuts words with TF Text's trimmer, as its guides do."""

    max_length = 8

    def __init__(self, vocab_file):
        super().__init__()
        self.vocab = tf.saved_model.Asset(vocab_file)

    @tf.function(input_signature=[TEXT])
    def trim(self, text):
        words = tf.strings.split(text)
        (words,) = tf_text.RoundRobinTrimmer(3).trim([words])
        return {"words": words.to_tensor("")}

    def signatures(self):
        return {"trim": self.trim}


class CallsPython(Trims):
    @tf.function(input_signature=[TEXT])
    def trim(self, text):
        words = tf.py_function(lambda x: x, [text], tf.string)
        return {"words": tf.ensure_shape(words, [None])}


@pytest.mark.parametrize(
    ("module", "op"),
    [(Trims, "TFText>RoundRobinTrim"), (CallsPython, "EagerPyFunc")],
)
def test_an_op_that_some_image_lacks_is_refused(
    module, op, tiny_model, tmp_path
):
    with pytest.raises(InputError, match=rf"since 2\.12 has; received {op}$"):
        write_saved_model(
            module, tiny_model.tokenizer, str(tmp_path / "electra" / "1")
        )
    assert not list(tmp_path.iterdir())


def test_ops_inside_functions_are_listed(tmp_path):
    @tf.function
    def inner(x):
        return tf.raw_ops.LeftShift(x=x, y=x)

    class Nested(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
        def outer(self, x):
            return tf.cond(x > 0, lambda: inner(x), lambda: x)

    tf.saved_model.save(Nested(), str(tmp_path))
    ops = graph_ops(str(tmp_path))
    assert {"LeftShift", "Greater", "PartitionedCall"} <= ops
    assert not [op for op in ops if op.startswith("__inference")]


@pytest.mark.parametrize(
    ("op", "portable"),
    [
        ("MatMul", True),
        ("FastWordpieceTokenizeWithOffsets", True),
        ("TFText>FastSentencepieceTokenize", True),
        ("TFText>RoundRobinGenerateMasks", False),
        ("TFText>Utf8Binarize", False),
        ("SegmentMaxV2", False),  # TensorFlow 2.12 has no such op
        ("XlaSparseDenseMatmul", False),
        ("PyFunc", False),
        ("SomebodysOwnOp", False),
    ],
)
def test_what_counts_as_portable(op, portable):
    assert is_portable(op) == portable
