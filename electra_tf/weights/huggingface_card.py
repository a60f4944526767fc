"""README.md of a folder for Hugging Face: what the run itself can tell."""

from collections.abc import Iterable

from electra_tf.config.objectives import shown_figures
from electra_tf.config.pretraining import flat_values
from electra_tf.config.sizes import NetworkSizes
from electra_tf.weights.huggingface_config import CLASSES
from electra_tf.weights.record import OpenedWeights, RunResult

_PIPELINES = {
    "generator": "fill-mask",
    "classifier": "text-classification",
    "regressor": "text-classification",
    "tagger": "token-classification",
    "span_qa": "question-answering",
}
_WHAT = {
    "discriminator": "says of every token whether it was replaced",
    "generator": "fills masked tokens",
    "encoder": "has no head: hidden states alone",
    "classifier": "classifies texts",
    "regressor": "gives a text, or a pair, a number",
    "tagger": "gives every word a tag",
    "span_qa": "finds the answer to a question in a text",
}
_RECIPE = (
    "objective",
    "generator",
    "tying",
    "mask_prob",
    "masking",
    "disc_weight",
    "optimizer",
    "learning_rate",
    "lr_schedule",
    "num_warmup_steps",
    "weight_decay_rate",
    "train_batch_size",
    "max_seq_length",
    "seed",
)
# Told where they are set: what moves over the run.
_MOVING = ("mask_prob_end", "train_batch_size_start", "batch_warmup_steps")
_SIZES = (
    "vocab_size",
    "embedding_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
)


def model_card(
    weights: OpenedWeights, kind: str, sizes: NetworkSizes, num_weights: int
) -> str:
    """The card, in Markdown with the hub's front matter.

    Args:
      weights: as they were opened, with the recipe and figures of their run.
      kind: of the head, a key of `CLASSES`.
      sizes: of the network that is written.
      num_weights: that it has.
    """
    origin = weights.origin
    licence = origin.get("licence") or "unknown"
    front = ["library_name: transformers", f"license: {licence}"]
    front += ["tags:", "- electra"]
    if kind in _PIPELINES:
        front.append(f"pipeline_tag: {_PIPELINES[kind]}")
    if "repository" in origin:
        front.append(f"base_model: {origin['repository']}")
    parts = [
        "\n".join(["---", *front, "---"]),
        f"# ELECTRA, {kind}\n\nA network of {num_weights:,} weights that "
        f"{_WHAT[kind]}, written by electra_tf.",
        "```python\nimport transformers\n\n"
        "tokenizer = transformers.AutoTokenizer.from_pretrained(folder)\n"
        f"model = transformers.{CLASSES[kind]}.from_pretrained(folder)\n```",
        _section("Sizes", ((n, getattr(sizes, n)) for n in _SIZES)),
    ]
    if origin:
        rows = ((name, value or "unknown") for name, value in origin.items())
        parts.append(_section("Where it came from", rows))
    if weights.labels is not None:
        parts.append(_section("Labels", enumerate(weights.labels)))
    if weights.result is not None:
        parts += _run(weights, weights.result)
    parts.append(_not_said(weights, licence))
    return "\n\n".join(parts) + "\n"


def _run(weights: OpenedWeights, result: RunResult) -> list[str]:
    values = flat_values(weights.config)
    recipe = [("updates", f"{result.step:,}")]
    recipe += [(name, values[name]) for name in _RECIPE]
    recipe += [(name, values[name]) for name in _MOVING if values[name]]
    data = ((name, f"{n:,}") for name, n in result.records.items())
    parts = [_section("Pre-training", recipe)]
    if result.records:
        parts.append(_section("Data", data))
    if result.held_out:
        figures = [(f"eval_{f.name}", f.title) for f in shown_figures()]
        rows = (
            (title, f"{result.held_out[name]:.4f}")
            for name, title in figures
            if name in result.held_out
        )
        parts.append(_section("Held out", rows))
    return parts


def _not_said(weights: OpenedWeights, licence: str) -> str:
    """What a reader would look for, and nobody measured or told."""
    open_points = ["accuracy on downstream tasks, bias and toxicity"]
    result = weights.result
    if result is None:
        open_points.append("recipe, data and held-out figures")
    elif not result.held_out:
        open_points.append("figures on held-out text")
    if licence == "unknown":
        open_points.append("the licence: put it at the top of this file")
    rows = "\n".join(f"- {point}" for point in open_points)
    return f"## Not measured or not known\n\n{rows}"


def _section(title: str, rows: Iterable[tuple[object, object]]) -> str:
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join([f"## {title}", "", "| | |", "| --- | --- |", *lines])
