"""Writing a SavedModel whole or not at all, of ops that servers have.

TensorFlow Serving's images since 2.12 carry TensorFlow's own ops, and TF Text
2.12.1 up to the image 2.18 (tensorflow/serving#2267). A graph with any other
op is refused when the server loads it, so it is refused here, by name.
"""

import os
from collections.abc import Callable
from typing import Protocol

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError
from electra_tf.files import (
    check_path,
    naming_write_errors,
    remove_quietly,
    temporary_name,
)
from electra_tf.locks import locked
from electra_tf.serving import Function
from electra_tf.serving.warmup import wants_warmup, write_warmup

# Of TF Text, what its release 2.12.1 has and is known to be linked in.
TEXT_OPS = frozenset(
    {
        "CaseFoldUTF8",
        "FastBertNormalize",
        "FastWordpieceTokenizeWithOffsets",
        "NormalizeUTF8",
        "RegexSplitWithOffsets",
        # One file of TF Text registers these, and is linked in.
        "SentencepieceOp",
        "SentencepieceTokenizeOp",
        "SentencepieceTokenizeWithOffsetsOp",
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


class Servable(Protocol):
    """A tf.Module that says which of its functions are signatures.

    Attributes:
      max_length: the most ids of a row.
    """

    max_length: int

    def signatures(self) -> dict[str, Function]:
        """Signature name -> function."""


def next_version(base_path: str) -> str:
    """Folder of the next version: `base_path`/1, or one above the highest.

    TensorFlow Serving serves the highest number below a model's base path.
    """
    numbers = [0]
    if tf.io.gfile.isdir(base_path):
        names = (n.rstrip("/") for n in tf.io.gfile.listdir(base_path))
        numbers += [int(n) for n in names if n.isascii() and n.isdigit()]
    return os.path.join(base_path, str(max(numbers) + 1))


def latest_version(path: str) -> str:
    """The folder of a SavedModel: `path`, or the highest version below it.

    "" where there is none.
    """
    if not tf.io.gfile.isdir(path):
        return ""
    names = [name.rstrip("/") for name in tf.io.gfile.listdir(path)]
    if "saved_model.pb" in names:
        return path
    numbers = [int(n) for n in names if n.isascii() and n.isdigit()]
    return os.path.join(path, str(max(numbers))) if numbers else ""


def write_saved_model(
    make: Callable[[str], Servable],
    tokenizer: Tokenizer,
    path: str,
    warmup: bool | None = None,
) -> list[str]:
    """Saves `make(vocab_file)`; returns the names of its signatures.

    All is written beside the model's base path and put in its place by one
    renaming, so that a server that polls never sees a part of a version.

    Args:
      make: a module with the vocabulary, an asset, at the file it is given.
      tokenizer: gives the vocabulary.
      path: a folder that does not exist yet.
      warmup: whether to write warm-up requests with the model's answers;
        None: where tensorflow-serving-api is installed.

    Raises:
      InputError: the folder is there already, or cannot be written, or
        another process is writing there; an op that TensorFlow Serving lacks;
        warm-up requests cannot be written.
    """
    path = check_path("output_dir", path.rstrip("/"))
    parent, name = os.path.split(path)
    base_path = parent if name.isdigit() else path
    warmup = wants_warmup(warmup)
    beside = base_path + ".partial"
    with locked(beside, is_passing=True):
        if tf.io.gfile.exists(path):
            rule = "output_dir must not exist yet"
            raise InputError(f"{rule}; received {path!r}")
        partial = temporary_name(os.path.join(beside, "version"))
        try:
            with naming_write_errors(path):
                whole, module = _save(make, tokenizer, partial)
                signatures = module.signatures()
                if warmup:
                    model = os.path.basename(base_path)
                    write_warmup(signatures, whole, model, module.max_length)
                if parent:
                    tf.io.gfile.makedirs(parent)
                tf.io.gfile.rename(whole, path)
        finally:
            remove_quietly(partial)
    return list(signatures)


def _save(
    make: Callable[[str], Servable], tokenizer: Tokenizer, partial: str
) -> tuple[str, Servable]:
    """A SavedModel's folder below `partial`, and what is in it."""
    tf.io.gfile.makedirs(partial)
    module = make(tokenizer.save_pieces(partial))
    whole = os.path.join(partial, "model")
    tf.saved_model.save(module, whole, signatures=module.signatures())
    check_ops(whole)
    return whole, module


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
