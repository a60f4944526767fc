"""The settings of fine-tuning: what is read, and how it is learned."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from electra_tf.config import (
    FACTOR,
    GIVEN,
    NOT_NEGATIVE,
    POSITIVE,
    PROBABILITY,
    Options,
    at_most,
    field,
)
from electra_tf.errors import require

LABEL_KINDS = ("class", "number", "classes")
# Those of `SpanQA`; named here, too, so that flags do not wait for TensorFlow.
HEADS = ("joint", "plain")
HEAD_STYLES = ("paper", "huggingface")
# What `SpanQA` calls the styles of its head, and the other way round.
SPAN_STYLES = dict(zip(HEADS, HEAD_STYLES, strict=True))
SPAN_HEADS = dict(zip(HEAD_STYLES, HEADS, strict=True))
RANKING_LOSSES = ("binary", "pairwise")
# Each has a folder, which is looked for before any work.
MOST_TRIALS = 10_000


@dataclasses.dataclass(frozen=True)
class TaskOptions(Options):
    """What is read, and how.

    Attributes:
      data_dir: folder of the tasks' files.
      train_file: instead of the task's usual file.
      dev_file: instead of the task's usual file.
      test_file: instead of the task's usual file.
      tfds_data_dir: where prepared TensorFlow Datasets lie (--task=glue/sst2).
      do_predict: read test files and write predictions.
      double_unordered: mrpc, stsb: train on both orders of each pair.
      text_column: custom: column of the text.
      text_pair_column: custom: column of a second text.
      label_column: custom: column of the label; with label_kind=classes of
        their names, or several columns of 0 and 1, with commas between.
      label_kind: custom: what labels are; classes: any number of them a text.
      thresholds: custom, label_kind=classes: the probability from which a class
        holds, or name:probability for some, with commas between.
      word_column: tagging: column of the words, from 0.
      tag_column: tagging: column of the tags; -1: the last.
      doc_stride: question answering: tokens from window to window.
      max_query_length: question answering: tokens of a question at most.
      max_answer_length: question answering: tokens of an answer at most.
      qa_head: question answering: the head.
      num_beams: question answering: starts followed, and ends for each.
      n_best_size: question answering: answers written for each question.
      ranking_loss: ranking: of each passage by itself, or of pairs of them.
    """

    data_dir: str = field("")
    train_file: str = field("")
    dev_file: str = field("")
    test_file: str = field("")
    tfds_data_dir: str = field("")
    do_predict: bool = field(False)
    double_unordered: bool = field(False)
    text_column: str = field("text")
    text_pair_column: str = field("")
    label_column: str = field("label")
    label_kind: str = field("class", choices=LABEL_KINDS)
    thresholds: str = field("0.5", GIVEN)
    word_column: int = field(0)
    tag_column: int = field(-1)
    doc_stride: int = field(128, POSITIVE)
    max_query_length: int = field(64, POSITIVE)
    max_answer_length: int = field(30, POSITIVE)
    qa_head: str = field("joint", choices=HEADS)
    num_beams: int = field(20, POSITIVE)
    n_best_size: int = field(20, POSITIVE)
    ranking_loss: str = field("binary", choices=RANKING_LOSSES)


@dataclasses.dataclass(frozen=True)
class TrainingOptions(Options):
    """How it is learned. None: the paper's value for the size or the task.

    Attributes:
      init_checkpoint: what from_pretrained takes: tiny, a run's folder, ...
      from_scratch: fresh weights; sizes and vocabulary of the checkpoint.
      num_trials: runs that differ in their seed alone.
      seed: of the first trial; the next has one more.
      learning_rate: peak (default: small 3e-4, base 1e-4, large 5e-5).
      layerwise_lr_decay: factor from layer to layer (default: small, base .8,
        large .9).
      num_train_epochs: (default: rte, stsb 10, question answering 2, others 3).
      train_batch_size: examples a step.
      eval_batch_size: examples at once in prediction.
      warmup_proportion: of the steps.
      weight_decay_rate: (default: 0; with --compat=google 0.01).
      hidden_dropout_prob: of the encoder and the head.
      head: huggingface has a dense layer before the output, as the classes of
        Hugging Face (default: that of init_checkpoint, or paper; question
        answering: qa_head).
      lora_rank: learn adapters of that rank and the head, not the encoder's
        weights; 0: all weights.
      compat: google repeats the authors' code where it departs from the paper.
      max_seq_length: (default: question answering 512, others 128; or the
        model's).
      max_train_examples: learn from so many, the same in all trials (default:
        all).
      early_stop_patience: stop after so many epochs without progress on dev; 0:
        never.
      save_model: keep the best trial's model.keras.
      log_every_steps: between points in TensorBoard.
    """

    init_checkpoint: str = field("", GIVEN)
    from_scratch: bool = field(False)
    num_trials: int = field(1, POSITIVE, at_most(MOST_TRIALS))
    seed: int = field(0, NOT_NEGATIVE)
    learning_rate: float | None = field(None, POSITIVE)
    layerwise_lr_decay: float | None = field(None, FACTOR)
    num_train_epochs: int | None = field(None, POSITIVE)
    train_batch_size: int = field(32, POSITIVE)
    eval_batch_size: int = field(64, POSITIVE)
    warmup_proportion: float = field(0.1, PROBABILITY)
    weight_decay_rate: float | None = field(None, NOT_NEGATIVE)
    hidden_dropout_prob: float = field(0.1, PROBABILITY)
    head: str | None = field(None, choices=HEAD_STYLES)
    lora_rank: int = field(0, NOT_NEGATIVE)
    compat: str = field("none", choices=("none", "google"))
    max_seq_length: int | None = field(None, POSITIVE)
    max_train_examples: int | None = field(None, POSITIVE)
    early_stop_patience: int = field(0, NOT_NEGATIVE)
    save_model: bool = field(True)
    log_every_steps: int = field(50, POSITIVE)


def check_heads(given: Mapping[str, Any]) -> None:
    """Refuses a `head` and a `qa_head` that are not one.

    Args:
      given: name -> value of the options that a user gave.
    """
    head, qa_head = given.get("head"), given.get("qa_head")
    if head is None or qa_head is None:
        return
    same = SPAN_HEADS[head]
    rule = f"qa_head must be {same} with head={head}, or not be given"
    require(qa_head == same, rule, qa_head)
