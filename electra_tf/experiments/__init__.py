"""What a comparison consists of: systems, probes, seeds, where each lies.

<output_dir>/results.json, results.md, *.png
<output_dir>/systems/<system>/seed_0/run/               of pretrain.py
<output_dir>/systems/<system>/seed_0/step_300/weights/  of convert_weights.py
<output_dir>/systems/<system>/seed_0/step_300/<probe>/  of finetune.py, or of
                                                evaluate_acceptability.py
"""

import abc
import dataclasses
import functools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from electra_tf.config.pretraining import (
    TOKENIZER_OPTIONS,
    PretrainingConfig,
    make_config,
)
from electra_tf.errors import InputError
from electra_tf.training.cost.flops import (
    flops_until,
    steps_within,
    train_flops,
)

BUDGETS = ("steps", "flops")
# What all systems share, or the runner sets; no system's flags may.
_SHARED = (
    "data_dir",
    "vocab_size",
    "vocab_file",
    *TOKENIZER_OPTIONS,
    "max_seq_length",
    "train_batch_size",
    "train_batch_size_start",
    "batch_warmup_steps",
    "num_train_steps",
    "seed",
    "model_dir",
    "stop_at_step",
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclasses.dataclass(frozen=True)
class System:
    """A training system.

    Attributes:
      name: of its folder, its line and its row.
      flags: what sets it apart from the base flags.
      config: as it is trained; the seed and the folder differ by run.
    """

    name: str
    flags: Mapping[str, Any]
    config: PretrainingConfig


@dataclasses.dataclass(frozen=True)
class Probe(abc.ABC):
    """What pre-trained weights are measured on.

    Attributes:
      name: of its folder and its column.
      arguments: flags of the command that measures.
      has_trials: whether measuring again gives another score.
    """

    name: str
    arguments: tuple[str, ...]
    has_trials: ClassVar[bool] = True

    @abc.abstractmethod
    def metric(self) -> str:
        """The name of its score.

        Raises:
          InputError: what it reads is not as it must be.
        """

    @abc.abstractmethod
    def scores(self, point: "Point", metric: str) -> list[float]:
        """What was measured so far, times 100: one a trial."""

    @abc.abstractmethod
    def command(self, point: "Point", trials: int) -> tuple[str, list[str]]:
        """The command that measures what is missing, and its flags."""


@dataclasses.dataclass(frozen=True)
class Point:
    """A run of a system at a step at which it is probed."""

    system: System
    seed: int
    step: int
    folder: str

    @property
    def config(self) -> PretrainingConfig:
        """Of the run, up to this step."""
        config = self.system.config
        run = dataclasses.replace(
            config.run,
            seed=self.seed,
            model_dir=os.path.join(os.path.dirname(self.folder), "run"),
            stop_at_step=self.step,
        )
        return dataclasses.replace(config, run=run)

    @property
    def train_flops(self) -> float:
        """FLOPs of the run up to this step."""
        return flops_until(self.system.config, self.step)

    @property
    def weights(self) -> str:
        """Folder of the run's weights at this step."""
        return self.file("weights")

    def file(self, *names: str) -> str:
        """The path of something that belongs to this point."""
        return os.path.join(self.folder, *names)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Systems that are trained alike and measured alike.

    Attributes:
      base: flat configuration values of all systems.
      overrides: system -> what it has instead.
      probes: what each is measured on.
      budget: "steps" or "flops", see `make_systems`.
      fractions: of each run, where it is probed; ascending, the last is 1.
      num_seeds: pre-training runs of each system.
      probe_trials: fine-tuning runs of each probe.
      output_dir: where all is written.
      plugins: modules that its processes import, too.
    """

    base: Mapping[str, Any]
    overrides: Mapping[str, Mapping[str, Any]]
    probes: Sequence[Probe]
    budget: str
    fractions: Sequence[float]
    num_seeds: int
    probe_trials: int
    output_dir: str
    plugins: Sequence[str] = ()

    def __post_init__(self) -> None:
        probes = [probe.name for probe in self.probes]
        for kind, names in (("system", self.overrides), ("probe", probes)):
            if not names:
                raise InputError(
                    f"a comparison needs one {kind} or more, --{kind}=...; "
                    "received none"
                )
            for name in names:
                _check_name(kind, name)
        pairs = zip([0, *self.fractions], self.fractions, strict=False)
        if self.fractions[-1] != 1 or not all(a < b for a, b in pairs):
            raise InputError(
                "probe_at must be ascending fractions of the run, above 0 and "
                f"with 1 at the end; received {list(self.fractions)}"
            )

        _ = self.systems  # whose rules are checked by it

    @functools.cached_property
    def systems(self) -> list[System]:
        """The systems, each with its steps."""
        return make_systems(self.base, self.overrides, self.budget)

    def points(self) -> Iterator[Point]:
        """All points, in the order in which they are trained."""
        for system in self.systems:
            first = system.config.run.seed
            for seed in range(first, first + self.num_seeds):
                for step in self.steps(system):
                    folder = os.path.join(
                        self.output_dir,
                        "systems",
                        system.name,
                        f"seed_{seed}",
                        f"step_{step}",
                    )
                    yield Point(system, seed, step, folder)

    def steps(self, system: System) -> list[int]:
        """The steps at which a system is probed; the last is its last."""
        total = system.config.optimizer.num_train_steps
        steps = [max(1, round(part * total)) for part in self.fractions]
        return sorted(set(steps))

    def trials(self, probe: Probe) -> int:
        """How often a probe measures the same weights."""
        return self.probe_trials if probe.has_trials else 1


def make_systems(
    base: Mapping[str, Any],
    overrides: Mapping[str, Mapping[str, Any]],
    budget: str,
) -> list[System]:
    """The systems' configurations, each with its steps.

    Args:
      base: flat configuration values of all systems.
      overrides: system -> what it has instead.
      budget: "steps": all take the base's num_train_steps; "flops": all but
        the first take as many steps as cost no more train-FLOPs than its.

    Raises:
      InputError: a system breaks a rule, or sets what all must share.
    """
    systems: list[System] = []
    for name, own in overrides.items():
        shared = [flag for flag in own if flag in _SHARED]
        if shared:
            raise InputError(
                f"system {name}: {', '.join(shared)} must be the same for all "
                "systems: give it without --system; received "
                f"{own[shared[0]]!r}"
            )
        config = _config(name, {**base, **own})
        if budget == "flops" and systems:
            flops = train_flops(systems[0].config)
            steps = steps_within(config, flops)
            config = _config(name, {**base, **own, "num_train_steps": steps})
        systems.append(System(name, own, config))
    return systems


def _config(name: str, values: Mapping[str, Any]) -> PretrainingConfig:
    try:
        return make_config(values)
    except InputError as error:
        raise InputError(f"system {name}: {error}") from None


def _check_name(kind: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"a {kind}'s name must be letters, digits, '_', '-' and '.'; "
            f"received {name!r}"
        )
