"""The fine-tuning of finetune.py once more, in PyTorch with transformers.

Its recipe: Adam without bias correction, rates that fall from the head down to
the embeddings, warm-up times a linear fall to 0, gradients clipped to a norm
of 1, batches as long as their longest row. The head is that of
ElectraForSequenceClassification.
"""

import pathlib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import transformers
from torch import nn

BETA_1, BETA_2, EPSILON, CLIP_NORM, DEVIATION = 0.9, 0.999, 1e-6, 1.0, 0.02
EVAL_ROWS = 64

Column = tuple[Sequence[str], Sequence[int]]


class Classifier(nn.Module):
    """Dropout, Dense(H), GELU, dropout, Dense(C) on the [CLS] vector."""

    def __init__(self, bert: pathlib.Path, num_classes: int, dropout: float):
        super().__init__()
        self.encoder = transformers.BertModel.from_pretrained(
            bert,
            add_pooling_layer=False,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        )
        width = self.encoder.config.hidden_size
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, num_classes),
        )
        for layer in (self.head[1], self.head[4]):
            ends = (-2 * DEVIATION, 2 * DEVIATION)
            nn.init.trunc_normal_(layer.weight, 0.0, DEVIATION, *ends)
            nn.init.zeros_(layer.bias)

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        states = self.encoder(**inputs).last_hidden_state  # [B, L, H]
        return self.head(states[:, 0])  # [B, C]


def rate_at(step: int, num_steps: int, num_warmup: int) -> float:
    """Of the peak, after `step` updates: warm-up times linear decay."""
    rising = min(1.0, step / num_warmup) if num_warmup else 1.0
    return (1 - step / num_steps) * rising


def factor_of(name: str, num_layers: int, decay: float) -> float:
    """Of the head's rate, for a parameter of `Classifier`."""
    if not name.startswith("encoder."):
        return 1.0
    block = re.search(r"\.layer\.(\d+)\.", name)
    depth = int(block[1]) + 1 if block else 0
    return decay ** (num_layers + 1 - depth)


class Adam:
    """torch's Adam, its bias correction taken out by rate and epsilon."""

    def __init__(self, model: nn.Module, factors: Mapping[str, float]):
        named = dict(model.named_parameters())
        groups = [
            {"params": [named[name]], "factor": factor}
            for name, factor in factors.items()
        ]
        betas = (BETA_1, BETA_2)
        self.torch = torch.optim.Adam(groups, lr=0.0, betas=betas)
        self.done = 0

    def step(self, rate: float) -> None:
        self.done += 1
        root = (1 - BETA_2**self.done) ** 0.5
        for group in self.torch.param_groups:
            own = rate * group["factor"]
            group["lr"] = own * (1 - BETA_1**self.done) / root
            group["eps"] = EPSILON / root
        self.torch.step()
        self.torch.zero_grad()


def train(
    bert: pathlib.Path,
    learned: Column,
    dev: Column,
    recipe: Mapping[str, Any],
    seed: int,
) -> float:
    """Trains on texts and labels; dev's accuracy in percent."""
    torch.manual_seed(seed)
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert)
    length = recipe["max_seq_length"]
    model = Classifier(bert, 2, recipe["hidden_dropout_prob"])
    num_layers = model.encoder.config.num_hidden_layers
    decay = recipe["layerwise_lr_decay"]
    names = [name for name, _ in model.named_parameters()]
    optimizer = Adam(model, {n: factor_of(n, num_layers, decay) for n in names})
    texts, labels = learned
    rows = recipe["train_batch_size"]
    num_steps = -(-len(texts) // rows) * recipe["num_train_epochs"]
    num_warmup = int(recipe["warmup_proportion"] * num_steps)
    model.train()
    for _ in range(recipe["num_train_epochs"]):
        for chosen in torch.randperm(len(texts)).split(rows):
            inputs = encode(tokenizer, [texts[n] for n in chosen], length)
            targets = torch.tensor([labels[n] for n in chosen])
            loss = nn.functional.cross_entropy(model(inputs), targets)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            share = rate_at(optimizer.done, num_steps, num_warmup)
            optimizer.step(share * recipe["learning_rate"])
    accuracy = accuracy_of(model, tokenizer, length, dev)
    print(f"PyTorch, seed {seed}: {accuracy:.2f}", file=sys.stderr)
    return accuracy


def encode(tokenizer: Any, texts: Sequence[str], length: int) -> Any:
    """Padded to the longest, cut to `length`."""
    return tokenizer(
        list(texts),
        padding=True,
        truncation=True,
        max_length=length,
        return_tensors="pt",
    )


def accuracy_of(
    model: nn.Module, tokenizer: Any, length: int, dev: Column
) -> float:
    """In percent."""
    model.eval()
    num_right = 0
    texts, labels = dev
    with torch.no_grad():
        for begin in range(0, len(texts), EVAL_ROWS):
            part = slice(begin, begin + EVAL_ROWS)
            logits = model(encode(tokenizer, texts[part], length))
            right = logits.argmax(-1) == torch.tensor(labels[part])
            num_right += int(right.sum())
    return 100 * num_right / len(texts)
