"""The settings of a fine-tuning command: every field is exactly one flag."""

import dataclasses
import math
from typing import Any

from electra_tf.errors import InputError

LABEL_KINDS = ("class", "number")
# Those of `SpanQA`; named here, too, so that flags do not wait for TensorFlow.
HEADS = ("joint", "plain")


def _field(default: Any, help: str, choices: tuple[str, ...] | None = None):
    metadata = {"help": help, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class TaskOptions:
    """What is read, and how."""

    data_dir: str = _field("", "folder of the tasks' files")
    train_file: str = _field("", "instead of the task's usual file")
    dev_file: str = _field("", "instead of the task's usual file")
    test_file: str = _field("", "instead of the task's usual file")
    tfds_data_dir: str = _field(
        "", "where prepared TensorFlow Datasets lie (--task=glue/sst2)"
    )
    do_predict: bool = _field(False, "read test files and write predictions")
    double_unordered: bool = _field(
        False, "mrpc, stsb: train on both orders of each pair"
    )
    text_column: str = _field("text", "custom: column of the text")
    text_pair_column: str = _field("", "custom: column of a second text")
    label_column: str = _field("label", "custom: column of the label")
    label_kind: str = _field("class", "custom: what labels are", LABEL_KINDS)
    word_column: int = _field(0, "tagging: column of the words, from 0")
    tag_column: int = _field(-1, "tagging: column of the tags; -1: the last")
    doc_stride: int = _field(
        128, "question answering: tokens from window to window"
    )
    max_query_length: int = _field(
        64, "question answering: tokens of a question at most"
    )
    max_answer_length: int = _field(
        30, "question answering: tokens of an answer at most"
    )
    qa_head: str = _field("joint", "question answering: the head", HEADS)
    num_beams: int = _field(
        20, "question answering: starts followed, and ends for each"
    )
    n_best_size: int = _field(
        20, "question answering: answers written for each question"
    )

    def __post_init__(self):
        _check_positive(
            self,
            "doc_stride max_query_length max_answer_length num_beams "
            "n_best_size",
        )
        _check_choices(self)


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """How it is learned. None: the paper's value for the size or the task."""

    init_checkpoint: str = _field(
        "", "what from_pretrained takes: tiny, a run's folder, ..."
    )
    from_scratch: bool = _field(
        False, "fresh weights; sizes and vocabulary of the checkpoint"
    )
    num_trials: int = _field(1, "runs that differ in their seed alone")
    seed: int = _field(0, "of the first trial; the next has one more")
    learning_rate: float | None = _field(
        None, "peak (default: small 3e-4, base 1e-4, large 5e-5)"
    )
    layerwise_lr_decay: float | None = _field(
        None, "factor from layer to layer (default: small, base .8, large .9)"
    )
    num_train_epochs: int | None = _field(
        None, "(default: rte, stsb 10, question answering 2, others 3)"
    )
    train_batch_size: int = _field(32, "examples a step")
    eval_batch_size: int = _field(64, "examples at once in prediction")
    warmup_proportion: float = _field(0.1, "of the steps")
    weight_decay_rate: float | None = _field(
        None, "(default: 0; with --compat=google 0.01)"
    )
    hidden_dropout_prob: float = _field(0.1, "of the encoder and the head")
    compat: str = _field(
        "none",
        "google repeats the authors' code where it departs from the paper",
        ("none", "google"),
    )
    max_seq_length: int | None = _field(
        None, "(default: question answering 512, others 128; or the model's)"
    )
    max_train_examples: int | None = _field(
        None, "learn from so many, the same in all trials (default: all)"
    )
    early_stop_patience: int = _field(
        0, "stop after so many epochs without progress on dev; 0: never"
    )
    save_model: bool = _field(True, "keep the best trial's model.keras")
    log_every_steps: int = _field(50, "between points in TensorBoard")

    def __post_init__(self):
        _check_positive(
            self,
            "num_trials learning_rate num_train_epochs train_batch_size "
            "eval_batch_size max_seq_length max_train_examples "
            "log_every_steps",
        )
        for name in ("seed", "early_stop_patience", "weight_decay_rate"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                _refuse(name, "must not be negative", value)
        for name in ("warmup_proportion", "hidden_dropout_prob"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                _refuse(name, "must lie in [0, 1)", value)
        decay = self.layerwise_lr_decay
        if decay is not None and not 0 < decay <= 1:
            _refuse("layerwise_lr_decay", "must lie in (0, 1]", decay)
        if not self.init_checkpoint:
            _refuse("init_checkpoint", "must name a model", "")
        _check_choices(self)


def _check_positive(options: Any, names: str) -> None:
    for name in names.split():
        value = getattr(options, name)
        if value is not None and not (value > 0 and math.isfinite(value)):
            _refuse(name, "must be positive", value)


def _check_choices(options: Any) -> None:
    for field in dataclasses.fields(options):
        choices, value = field.metadata["choices"], getattr(options, field.name)
        if choices and value not in choices:
            _refuse(field.name, f"must be one of {', '.join(choices)}", value)


def _refuse(name: str, rule: str, value: Any) -> None:
    raise InputError(f"{name} {rule}; received {value!r}")
