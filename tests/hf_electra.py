"""Fine-tuned models of tests/golden/hf_electra, read without the package.

What stands in the files is PyTorch's: `weight` is [out, in].
"""

import json
import os
import pathlib

import numpy as np

from electra_tf.config.pretraining import make_config
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.weights import Head, OpenedWeights

_HERE = pathlib.Path(__file__).parent / "golden"
GOLDEN = pathlib.Path(os.environ.get("ELECTRA_GOLDEN_DIR", _HERE))
FOLDER = GOLDEN / "hf_electra"
FINETUNED = {
    "sequence_classification": "classifier",
    "multi_label": "classifier",
    "regression": "regressor",
    "token_classification": "tagger",
    "question_answering": "span_qa",
}
_SIZES = (
    "vocab_size embedding_size hidden_size num_hidden_layers "
    "num_attention_heads intermediate_size max_position_embeddings"
).split()


def tensors(folder: pathlib.Path) -> dict[str, np.ndarray]:
    """Name -> float32 array of model.safetensors."""
    content = (folder / "model.safetensors").read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    header.pop("__metadata__", None)
    found = {}
    for name, each in header.items():
        first, end = (begin + offset for offset in each["data_offsets"])
        array = np.frombuffer(content[first:end], "<f4")
        found[name] = array.reshape(each["shape"])
    return found


def _ours(name: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    scope, _, kind = name.rpartition(".")
    path = scope.replace("encoder.layer.", "encoder.layer_").replace(".", "/")
    if "LayerNorm" in scope:
        return path + ("/gamma" if kind == "weight" else "/beta"), array
    if scope.endswith("_embeddings"):
        return path, array
    return (
        (f"{path}/bias", array)
        if kind == "bias"
        else (
            f"{path}/kernel",
            array.T,
        )
    )


def weights(name: str) -> OpenedWeights:
    """The folder of `FINETUNED` as `open_weights` gives what it reads."""
    folder = FOLDER / name
    theirs = json.loads((folder / "config.json").read_text())
    arrays = dict(_ours(*each) for each in tensors(folder).items())
    head = {
        path.replace("classifier/", "task_head/"): arrays.pop(path)
        for path in list(arrays)
        if not path.startswith("electra/")
    }
    if name == "question_answering":
        kernel, bias = head["qa_outputs/kernel"], head["qa_outputs/bias"]
        head = {
            f"task_head/{part}/{what}": value
            for row, part in enumerate(("start", "end"))
            for what, value in (
                ("kernel", kernel[:, row : row + 1]),
                ("bias", bias[row : row + 1]),
            )
        }
    sizes = {size: theirs[size] for size in _SIZES}
    config = make_config({**sizes, "tying": "all", "max_seq_length": 16})
    labels = tuple(theirs.get("id2label", {}).values())
    return OpenedWeights(
        config,
        Tokenizer.from_file(str(GOLDEN / "vocab.txt")),
        arrays,
        f"the golden {name}",
        networks=(),
        head=Head(
            FINETUNED[name],
            head,
            style="huggingface",
            multi_label=name == "multi_label",
        ),
        labels=labels if len(labels) > 1 else None,
    )


def trace(name: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What the model was given, and its logits."""
    found = dict(np.load(FOLDER / name / "trace.npz"))
    names = ("input_ids", "input_mask", "segment_ids")
    return {n: found.pop(n) for n in names}, found
