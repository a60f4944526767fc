"""Pre-training small enough to repeat in NumPy."""

import functools

import numpy as np
import tensorflow as tf

from electra_tf.config.pretraining import PretrainingConfig, make_config
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.pretraining.factory import build_pretrainer
from electra_tf.pretraining.pretrainer import Pretrainer

PAD, UNK, CLS, SEP, MASK = range(5)
V, L = 60, 16
LENGTHS = (16, 13, 9, 5)


@functools.cache
def tokenizer() -> Tokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return Tokenizer(special + [f"w{i}" for i in range(5, V)])


def tiny_config(**values) -> PretrainingConfig:
    tiny = {
        "vocab_size": V,
        "embedding_size": 8,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": L,
        "max_seq_length": L,
        "mask_prob": 0.3,
        "generator_hidden_size": 0.5,
        "learning_rate": 1e-2,
        "num_train_steps": 10,
        "num_warmup_steps": 0,
        "train_batch_size": 4,
        "seed": 11,
    }
    if values.get("tying") == "all":
        tiny["generator_hidden_size"] = 1.0
    return make_config({**tiny, **values})


def tiny_pretrainer(**values) -> Pretrainer:
    return build_pretrainer(tiny_config(**values), tokenizer())


def rows(lengths=LENGTHS, seed=0, length=L) -> dict[str, np.ndarray]:
    """[CLS] words [SEP] padding; the second half is segment 1."""
    rng = np.random.default_rng(seed)
    shape = (len(lengths), length)
    ids, mask, segments = (np.zeros(shape, np.int32) for _ in range(3))
    for row, n in enumerate(lengths):
        if n:
            words = rng.integers(5, V, n - 2)
            ids[row, :n] = [CLS, *words, SEP]
            mask[row, :n] = 1
            segments[row, n // 2 : n] = 1
    return {"input_ids": ids, "input_mask": mask, "segment_ids": segments}


def batch(**options) -> dict[str, tf.Tensor]:
    return {k: tf.constant(v) for k, v in rows(**options).items()}


def part(values: dict, start: int, end: int) -> dict:
    return {name: value[start:end] for name, value in values.items()}


def randomize(variables, seed=1, scale=0.2) -> None:
    """Weights at which every part of the networks matters."""
    rng = np.random.default_rng(seed)
    for variable in variables:
        start = 1.0 if variable.path.endswith("gamma") else 0.0
        value = start + scale * rng.normal(size=variable.shape)
        variable.assign(value.astype(np.float32))
