"""How a task is learned: the paper's values, and the training of a trial."""

import dataclasses
import math
import os
import sys
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from tqdm import tqdm

from electra_tf.config.finetuning import TrainingOptions
from electra_tf.errors import require
from electra_tf.finetune.models import TaskModel
from electra_tf.finetune.models.optimizer import create_optimizer
from electra_tf.finetune.tasks import Encoded, Task
from electra_tf.pretrained import PretrainedElectra
from electra_tf.training.console import say

# ELECTRA, Table 7: widest model, (peak rate, factor from layer to layer).
_BY_HIDDEN_SIZE = (
    (511, (3e-4, 0.8)),  # Small has 256
    (1023, (1e-4, 0.8)),  # Base has 768
    (2**31, (5e-5, 0.9)),  # Large has 1024
)
_SMALL_RATE_GOOGLE = 1e-4


def make_plan(
    task: Task, options: TrainingOptions, pretrained: PretrainedElectra
) -> TrainingOptions:
    """The options, with what the user left open filled in.

    Raises:
      InputError: max_seq_length is not between what the task needs and what
        the model has; or a head for a model without one.

    Reference: ELECTRA, Table 7.
    """
    rule = f"head must not be given, as the model of {task.name} has none"
    require(task.has_head or options.head is None, rule, options.head)
    model = pretrained.config.model
    width = model.hidden_size
    rate, decay = next(v for most, v in _BY_HIDDEN_SIZE if width <= most)
    is_google = options.compat == "google"
    if is_google and width <= _BY_HIDDEN_SIZE[0][0]:
        rate = _SMALL_RATE_GOOGLE
    most = model.max_position_embeddings
    usual: dict[str, Any] = {
        "learning_rate": rate,
        "layerwise_lr_decay": decay,
        "num_train_epochs": task.epochs,
        "weight_decay_rate": 0.01 if is_google else 0.0,
        "max_seq_length": min(task.max_seq_length, most),
    }
    is_open = [name for name in usual if getattr(options, name) is None]
    plan = dataclasses.replace(options, **{n: usual[n] for n in is_open})
    rule = (
        f"max_seq_length must lie between {task.least_length}, which "
        f"{task.name} needs, and {most}, the model's max_position_embeddings"
    )
    length = plan.max_seq_length
    require(task.least_length <= length <= most, rule, length)
    return plan


def train(
    task: Task,
    plan: TrainingOptions,
    seed: int,
    examples: Encoded,
    dev: Encoded,
    log_dir: str,
) -> TaskModel:
    """Trains a model of the task.

    Args:
      task: what to learn.
      plan: how; see `make_plan`.
      seed: of the head, the order of the examples and dropout.
      examples: to learn from, with targets.
      dev: to stop early by, where the plan says so.
      log_dir: for TensorBoard.

    Returns:
      the model after the last step, or, with early stopping, after the epoch
      with the best main metric.
    """
    keras.utils.clear_session()  # lets go of the trial before
    keras.utils.set_random_seed(seed)
    model = task.build_model(plan)
    if plan.lora_rank:
        model.enable_lora(plan.lora_rank)
        share = 100 * model.trainable_share()
        say(f"{task.name}: {share:.2f} % of the parameters learn")
    batches = training_batches(examples, plan.train_batch_size, seed)
    optimizer = create_optimizer(
        model,
        len(batches) * plan.num_train_epochs,
        plan.learning_rate,
        plan.warmup_proportion,
        plan.layerwise_lr_decay,
        plan.weight_decay_rate,
        compat=plan.compat,
    )
    # XLA would compile anew for every length of a batch.
    model.compile(optimizer, jit_compile=False)
    model.fit(
        batches,
        epochs=plan.num_train_epochs,
        callbacks=_callbacks(task, plan, model, dev, log_dir),
        shuffle=False,  # the batches are shuffled already
        verbose=0,
    )
    return model


def _callbacks(
    task: Task,
    plan: TrainingOptions,
    model: keras.Model,
    dev: Encoded,
    log_dir: str,
) -> list[keras.callbacks.Callback]:
    shared = [
        keras.callbacks.TensorBoard(
            log_dir, write_graph=False, update_freq=plan.log_every_steps
        ),
        Progress(),
    ]
    if not plan.early_stop_patience:
        return shared
    name = f"dev_{task.metric}"

    def measure(epoch: int, logs: dict[str, float]) -> None:
        found = task.evaluate(dev, predict(plan, model, dev))
        logs[name] = found.metrics[task.metric]

    # In this order: what is measured is judged and shown.
    return [
        keras.callbacks.LambdaCallback(on_epoch_end=measure),
        keras.callbacks.EarlyStopping(
            name,
            mode="max",
            patience=plan.early_stop_patience,
            restore_best_weights=True,
        ),
        *shared,
    ]


def predict(plan: TrainingOptions, model: keras.Model, encoded: Encoded) -> Any:
    """What the model says of examples."""
    return model.predict(
        dict(encoded.inputs), batch_size=plan.eval_batch_size, verbose=0
    )


def training_batches(
    encoded: Encoded, batch_size: int, seed: int
) -> tf.data.Dataset:
    """Batches of (inputs, targets), in an order of its own each epoch.

    Each batch is as long as its longest row. Without targets it is inputs.
    """
    inputs = {n: tf.constant(array) for n, array in encoded.inputs.items()}
    targets = {}
    if encoded.targets is not None:
        targets = tf.nest.map_structure(tf.constant, encoded.targets)
    num_rows = len(encoded.inputs["input_ids"])

    def batch(index: tf.Tensor) -> Any:
        rows, goals = tf.nest.map_structure(
            lambda array: tf.gather(array, index), (inputs, targets)
        )
        masks = [x for n, x in rows.items() if n.endswith("input_mask")]
        length = tf.reduce_max([tf.reduce_sum(x, axis=1) for x in masks])

        def cut(array: tf.Tensor) -> tf.Tensor:
            return array[:, :length] if array.shape.rank > 1 else array

        rows = {name: cut(array) for name, array in rows.items()}
        if encoded.targets is None:
            return rows
        return rows, (cut(goals) if encoded.by_token else goals)

    order = tf.data.Dataset.range(num_rows)
    order = order.shuffle(num_rows, seed, reshuffle_each_iteration=True)
    return order.batch(batch_size).map(batch).prefetch(2)


class Progress(keras.callbacks.Callback):
    """A bar on a terminal, else a line an epoch; on standard error.

    Raises:
      InputError: the loss is not finite any more.
    """

    def on_train_begin(self, logs=None):
        self.bar = tqdm(
            total=self.params["epochs"] * self.params["steps"],
            unit="step",
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
        )

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update()

    def on_epoch_end(self, epoch, logs=None):
        rule = (
            "the loss must stay finite (a smaller learning_rate may help) in "
            f"epoch {epoch + 1}"
        )
        require(math.isfinite(logs["loss"]), rule, logs["loss"])
        text = shown(logs)
        self.bar.set_postfix_str(text)
        if self.bar.disable:
            say(f"epoch {epoch + 1}/{self.params['epochs']}: {text}")

    def on_train_end(self, logs=None):
        self.bar.close()


def shown(values: Mapping[str, float]) -> str:
    """Names and values in one short text."""
    return " ".join(f"{name} {value:.4g}" for name, value in values.items())


def write_scalars(log_dir: str, values: Mapping[str, float], step: int) -> None:
    """Adds values to a TensorBoard folder."""
    writer = tf.summary.create_file_writer(os.path.join(log_dir, "dev"))
    with writer.as_default(step=step):
        for name, value in values.items():
            tf.summary.scalar(f"dev/{name}", value)
    writer.close()
