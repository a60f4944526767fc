"""The kinds of probes: fine-tuned tasks, and pairs that need no training."""

import dataclasses
import os
from typing import ClassVar

import tensorflow as tf

from electra_tf.config.finetuning import TaskOptions
from electra_tf.config.scoring import SuiteOptions
from electra_tf.experiments import Point, Probe
from electra_tf.experiments.acceptability.pairs import read_pairs
from electra_tf.files import read_json
from electra_tf.finetune.run import open_task, read_trials, task_folder


@dataclasses.dataclass(frozen=True)
class FineTuned(Probe):
    """A labelled task that the weights are fine-tuned on.

    Attributes:
      task: as `finetune.py --task` names it.
      options: what is read.
    """

    task: str
    options: TaskOptions

    def metric(self) -> str:
        return open_task(self.task, self.options).metric

    def scores(self, point: Point, metric: str) -> list[float]:
        folder = point.file(self.name, task_folder(self.task))
        return [trial["metrics"][metric] for trial in read_trials(folder)]

    def command(self, point: Point, trials: int) -> tuple[str, list[str]]:
        return "finetune", [
            *self.arguments,
            f"--task={self.task}",
            f"--init_checkpoint={point.weights}",
            f"--output_dir={point.file(self.name)}",
            f"--num_trials={trials}",
            "--save_model=false",
        ]


@dataclasses.dataclass(frozen=True)
class Acceptability(Probe):
    """Minimal pairs, which weights judge as they are.

    Attributes:
      suite: the pairs, and how they are scored.
    """

    suite: SuiteOptions
    has_trials: ClassVar[bool] = False

    def metric(self) -> str:
        read_pairs(self.suite)
        return self.suite.method

    def scores(self, point: Point, metric: str) -> list[float]:
        path = os.path.join(point.file(self.name), "acceptability.json")
        return [read_json(path)["mean"]] if tf.io.gfile.exists(path) else []

    def command(self, point: Point, trials: int) -> tuple[str, list[str]]:
        return "acceptability.evaluate_acceptability", [
            *self.arguments,
            f"--model_dir={point.weights}",
            f"--output_dir={point.file(self.name)}",
        ]
