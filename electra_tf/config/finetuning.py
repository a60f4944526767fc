"""The settings of fine-tuning: what is read, and how it is learned."""

import dataclasses

from electra_tf.config import (
    FACTOR,
    GIVEN,
    NOT_NEGATIVE,
    POSITIVE,
    PROBABILITY,
    Options,
    field,
)

LABEL_KINDS = ("class", "number")
# Those of `SpanQA`; named here, too, so that flags do not wait for TensorFlow.
HEADS = ("joint", "plain")


@dataclasses.dataclass(frozen=True)
class TaskOptions(Options):
    """What is read, and how."""

    data_dir: str = field("", "folder of the tasks' files")
    train_file: str = field("", "instead of the task's usual file")
    dev_file: str = field("", "instead of the task's usual file")
    test_file: str = field("", "instead of the task's usual file")
    tfds_data_dir: str = field(
        "", "where prepared TensorFlow Datasets lie (--task=glue/sst2)"
    )
    do_predict: bool = field(False, "read test files and write predictions")
    double_unordered: bool = field(
        False, "mrpc, stsb: train on both orders of each pair"
    )
    text_column: str = field("text", "custom: column of the text")
    text_pair_column: str = field("", "custom: column of a second text")
    label_column: str = field("label", "custom: column of the label")
    label_kind: str = field(
        "class", "custom: what labels are", choices=LABEL_KINDS
    )
    word_column: int = field(0, "tagging: column of the words, from 0")
    tag_column: int = field(-1, "tagging: column of the tags; -1: the last")
    doc_stride: int = field(
        128, "question answering: tokens from window to window", POSITIVE
    )
    max_query_length: int = field(
        64, "question answering: tokens of a question at most", POSITIVE
    )
    max_answer_length: int = field(
        30, "question answering: tokens of an answer at most", POSITIVE
    )
    qa_head: str = field("joint", "question answering: the head", choices=HEADS)
    num_beams: int = field(
        20,
        "question answering: starts followed, and ends for each",
        POSITIVE,
    )
    n_best_size: int = field(
        20,
        "question answering: answers written for each question",
        POSITIVE,
    )


@dataclasses.dataclass(frozen=True)
class TrainingOptions(Options):
    """How it is learned. None: the paper's value for the size or the task."""

    init_checkpoint: str = field(
        "", "what from_pretrained takes: tiny, a run's folder, ...", GIVEN
    )
    from_scratch: bool = field(
        False, "fresh weights; sizes and vocabulary of the checkpoint"
    )
    num_trials: int = field(1, "runs that differ in their seed alone", POSITIVE)
    seed: int = field(
        0, "of the first trial; the next has one more", NOT_NEGATIVE
    )
    learning_rate: float | None = field(
        None, "peak (default: small 3e-4, base 1e-4, large 5e-5)", POSITIVE
    )
    layerwise_lr_decay: float | None = field(
        None,
        "factor from layer to layer (default: small, base .8, large .9)",
        FACTOR,
    )
    num_train_epochs: int | None = field(
        None,
        "(default: rte, stsb 10, question answering 2, others 3)",
        POSITIVE,
    )
    train_batch_size: int = field(32, "examples a step", POSITIVE)
    eval_batch_size: int = field(64, "examples at once in prediction", POSITIVE)
    warmup_proportion: float = field(0.1, "of the steps", PROBABILITY)
    weight_decay_rate: float | None = field(
        None, "(default: 0; with --compat=google 0.01)", NOT_NEGATIVE
    )
    hidden_dropout_prob: float = field(
        0.1, "of the encoder and the head", PROBABILITY
    )
    compat: str = field(
        "none",
        "google repeats the authors' code where it departs from the paper",
        choices=("none", "google"),
    )
    max_seq_length: int | None = field(
        None,
        "(default: question answering 512, others 128; or the model's)",
        POSITIVE,
    )
    max_train_examples: int | None = field(
        None,
        "learn from so many, the same in all trials (default: all)",
        POSITIVE,
    )
    early_stop_patience: int = field(
        0,
        "stop after so many epochs without progress on dev; 0: never",
        NOT_NEGATIVE,
    )
    save_model: bool = field(True, "keep the best trial's model.keras")
    log_every_steps: int = field(50, "between points in TensorBoard", POSITIVE)
