"""TensorFlow draws biases and activations into the matrix products."""

import collections

import numpy as np
import pytest
import tensorflow as tf
import tiny
from tensorflow.python.util import _pywrap_util_port

IDS = np.array([[2, 7, 8, 9, 3], [2, 7, 3, 0, 0]], np.int64)
INPUTS = {
    "input_ids": IDS,
    "input_mask": (IDS > 0).astype(np.int64),
    "segment_ids": IDS * 0,
}


def operations_run(path, signature, inputs):
    """How often a session runs each operation for one request."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], path)
        spec = loaded.signature_def[signature]
        trace = tf.compat.v1.RunMetadata()
        session.run(
            {k: v.name for k, v in spec.outputs.items()},
            {spec.inputs[k].name: v for k, v in inputs.items()},
            tf.compat.v1.RunOptions(
                trace_level=tf.compat.v1.RunOptions.FULL_TRACE
            ),
            trace,
        )
    return collections.Counter(
        node.timeline_label.split(" = ")[-1].split("(")[0]
        for device in trace.step_stats.dev_stats
        for node in device.node_stats
    )


@pytest.mark.skipif(
    not _pywrap_util_port.IsMklEnabled(), reason="a build without oneDNN"
)
def test_products_bring_bias_activation_and_mask_with_them(tiny_export):
    found = operations_run(tiny_export, "detect_ids", INPUTS)
    layers = tiny.FLAGS["num_hidden_layers"]
    # Six a block and the head's two; the projection of the embeddings, before
    # which tokens are no rows yet, stands alone.
    assert found["_MklNativeFusedMatMul"] == 6 * layers + 2
    assert found["_MklMatMul"] == found["BiasAdd"] == 1
    assert found["_MklFusedBatchMatMulV2"] == layers
    assert found["Erf"] == 0
