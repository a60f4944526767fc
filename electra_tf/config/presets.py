"""The paper's sizes: what `--model_size` sets where no flag says otherwise."""

from typing import Any


def num_heads(hidden_size: int) -> int:
    """N, where it follows from the width: a head per 64, at least one."""
    return max(1, hidden_size // 64)


_SMALL = {
    "embedding_size": 128,
    "hidden_size": 256,
    "num_hidden_layers": 12,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
    "generator_hidden_size": 0.25,
    "mask_prob": 0.15,
    "learning_rate": 5e-4,
    "train_batch_size": 128,
    "num_train_steps": 1_000_000,
    "max_seq_length": 128,
}

# Paper, Table 6, and the authors' comments for the sizes they released.
SIZES: dict[str, dict[str, Any]] = {
    "small": _SMALL,
    # The released "small" checkpoints have a generator of full width.
    "small_released": {**_SMALL, "generator_hidden_size": 1.0},
    "base": {
        "embedding_size": 768,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "generator_hidden_size": 1 / 3,
        "mask_prob": 0.15,
        "learning_rate": 2e-4,
        "train_batch_size": 256,
        "num_train_steps": 766_000,
        "max_seq_length": 512,
    },
    "large": {
        "embedding_size": 1024,
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "generator_hidden_size": 0.25,
        "mask_prob": 0.25,
        "learning_rate": 2e-4,
        "train_batch_size": 2048,
        "num_train_steps": 400_000,
        "max_seq_length": 512,
    },
}
