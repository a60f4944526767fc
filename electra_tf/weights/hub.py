"""hf://org/name and hf://org/name@revision: a folder of the Hugging Face hub.

Through `huggingface_hub` alone: its cache, its login and its offline mode
(HF_HUB_OFFLINE=1) hold. Nothing is fetched but what a user names so.
"""

import os
import re

import tensorflow as tf

from electra_tf.errors import InputError, require_packages
from electra_tf.weights.tensor_files import TENSOR_FILES

PREFIX = "hf://"
_NAME = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_SMALL = (
    *("config.json", "vocab.txt", "spiece.model", "tokenizer*.json"),
    "README.md",
)
# One form of the weights is enough: the first that there is.
_TENSORS = (
    ("*.safetensors", "*.safetensors.index.json"),
    ("pytorch_model*.bin", "pytorch_model.bin.index.json"),
    ("tf_model.h5",),
)


def fetch(name: str) -> tuple[str, dict[str, str]]:
    """A local folder of what `name` tells, and where it came from.

    Returns:
      (folder, {"repository", "revision", "licence"}): the revision is the
      commit, the licence what the repository's README.md says, "" for nothing.

    Raises:
      InputError: no such name, package, repository or network.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise InputError(
            "weights of the hub must be hf://org/name or "
            f"hf://org/name@revision; received {name!r}"
        )
    require_packages("hf:// needs", ("huggingface_hub",), "convert")
    import huggingface_hub

    repository, revision = match[1], match[2]
    try:
        for patterns in _TENSORS:
            folder = huggingface_hub.snapshot_download(
                repository,
                revision=revision,
                allow_patterns=[*_SMALL, *patterns],
            )
            if _holds_tensors(folder):
                break
    except Exception as error:  # of requests, httpx, and the hub's own
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            "weights of the hub must be in its cache or within reach; "
            f"received {name!r}, of which the hub says: {reason}"
        ) from None
    return folder, {
        "repository": repository,
        "revision": os.path.basename(folder),
        "licence": _licence(os.path.join(folder, "README.md")),
    }


def _holds_tensors(folder: str) -> bool:
    paths = (os.path.join(folder, name) for name in TENSOR_FILES)
    return any(map(tf.io.gfile.exists, paths))


def _licence(readme: str) -> str:
    """`license:` in the front matter of a model card."""
    if not tf.io.gfile.exists(readme):
        return ""
    with tf.io.gfile.GFile(readme, "rb") as file:
        text = file.read().decode("utf-8", "replace")
    front = re.match(r"---\s*\n(.*?)\n---", text, re.S)
    found = re.search(r"^license:\s*(\S+)", front[1], re.M) if front else None
    return found[1] if found else ""
