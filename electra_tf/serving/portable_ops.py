"""Which ops every TensorFlow Serving image since 2.12 has.

The images carry TensorFlow's own ops, and TF Text 2.12.1 up to the image 2.18
(tensorflow/serving#2267). A graph with any other op is refused when the
server loads it, so it is refused here, by name.
"""

import os

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from electra_tf.errors import InputError

# Of TF Text, what its release 2.12.1 has and is known to be linked in.
TEXT_OPS = frozenset(
    {
        "CaseFoldUTF8",
        "FastBertNormalize",
        "FastWordpieceTokenizeWithOffsets",
        "NormalizeUTF8",
        "RegexSplitWithOffsets",
        "SentencepieceTokenizeOp",
        "TFText>FastSentencepieceTokenize",
        "WordpieceTokenizeWithOffsets",
    }
)
# What tf.raw_ops of 2.21.0 has and that of 2.12.1 has not, but for XlaSparse*.
NEWER_OPS = frozenset(
    """
    CheckPinned CollectiveAllToAllV2 Conv ConvertToCooTensor
    ConvertToListOfSparseCoreCooTensors
    ConvertToSparseCoreCsrWrappedCooTensor DatasetFingerprint
    DebugIdentityV3 DecodeJxl DecodeWebP
    DynamicEnqueueTPUEmbeddingRaggedTensorBatch EmptyTensorMap FFTND
    FileSystemSetConfiguration GetMinibatchSplitsWithPhysicalReplica
    GetMinibatchesInCsrWithPhysicalReplica
    GetStatsFromListOfSparseCoreCooTensors GlobalIterId
    GlobalShuffleDataset IFFTND IRFFTND IndexFlatMapDataset
    IteratorGetModelProto KMC2ChainInitialization
    KmeansPlusPlusInitialization ListSnapshotChunksDataset
    NearestNeighbors RFFTND RaggedFillEmptyRows RaggedFillEmptyRowsGrad
    SegmentMaxV2 SegmentMinV2 SnapshotChunkDataset
    SortListOfSparseCoreCooTensors SparseSegmentMeanGradV2
    SparseSegmentSqrtNGradV2 SparseSegmentSumGradV2
    StoreMinibatchStatisticsInFdo TFRecordDatasetV2
    TPUAnnotateTensorsWithDynamicShape TPUCopyWithDynamicShape
    TPUDummyInput TensorMapErase TensorMapHasKey TensorMapInsert
    TensorMapLookup TensorMapSize TensorMapStackKeys
    WeightedFlatMapDataset
    """.split()
)
# TensorFlow's, but run by a Python process.
PYTHON_OPS = frozenset({"EagerPyFunc", "PyFunc", "PyFuncStateless"})


def check_ops(path: str) -> None:
    """Fails unless a SavedModel can be served as it is.

    Args:
      path: folder of the SavedModel.

    Raises:
      InputError: naming the ops that some image lacks.
    """
    wrong = sorted(op for op in graph_ops(path) if not is_portable(op))
    if wrong:
        raise InputError(
            "an export may use only ops that every TensorFlow Serving image "
            f"since 2.12 has; received {', '.join(wrong)}"
        )


def graph_ops(path: str) -> set[str]:
    """Names of all ops of a SavedModel, those in functions included."""
    saved = saved_model_pb2.SavedModel()
    with tf.io.gfile.GFile(os.path.join(path, "saved_model.pb"), "rb") as file:
        saved.ParseFromString(file.read())
    ops = set()
    for meta_graph in saved.meta_graphs:
        library = meta_graph.graph_def.library.function
        ops |= {node.op for node in meta_graph.graph_def.node}
        ops |= {node.op for f in library for node in f.node_def}
        # A function may be called by its name, as if it were an op.
        ops -= {f.signature.name for f in library}
    return ops


def is_portable(op: str) -> bool:
    """Whether every image has this op."""
    if op in TEXT_OPS:
        return True
    if op in NEWER_OPS | PYTHON_OPS or op.startswith("XlaSparse"):
        return False
    return hasattr(tf.raw_ops, op)
