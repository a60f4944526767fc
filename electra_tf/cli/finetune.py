"""Fine-tuning: of tasks, and of several systems that are pre-trained alike."""

import dataclasses
import pathlib
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from electra_tf.cli.app import PluginOptions, command, given_values
from electra_tf.config import GIVEN, POSITIVE, Options, at_most, field, own
from electra_tf.config.finetuning import (
    MOST_TRIALS,
    TaskOptions,
    TrainingOptions,
    check_heads,
)
from electra_tf.config.pretraining import PretrainingConfig
from electra_tf.config.scoring import SuiteOptions
from electra_tf.errors import InputError, require, require_packages

if TYPE_CHECKING:
    from electra_tf.experiments import Comparison, Probe

_ACCEPTABILITY = "acceptability"
_PACKAGE = pathlib.Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class FinetuneOptions(Options):
    """The tasks, and where to write.

    Attributes:
      task: task, or several with commas between: cola, glue/cola (TensorFlow
        Datasets), squad2, chunk, custom, ...; an unknown name lists all.
      output_dir: folder for all that is written.
    """

    task: tuple[str, ...] = field((), GIVEN)
    output_dir: str = field("", GIVEN)


@command(FinetuneOptions, TrainingOptions, given=TaskOptions)
def finetune(
    options: FinetuneOptions,
    training: TrainingOptions,
    given: Mapping[str, Any],
) -> int:
    """Runs the trials that are missing and prints the table of results."""
    check_heads({**given, "head": training.head})
    import tensorflow as tf

    from electra_tf.finetune.run import trials
    from electra_tf.training.console import say

    # Each trial has a model of its own; TensorFlow warns of their number.
    tf.get_logger().setLevel("ERROR")
    say(
        f"{', '.join(options.task)}: --num_trials={training.num_trials}, each "
        "a whole training"
    )
    try:
        table = trials.finetune(
            options.task, TaskOptions(**given), training, options.output_dir
        )
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 128 + signal.SIGINT
    print(table, end="")
    return 0


@dataclasses.dataclass(frozen=True)
class CompareOptions(PluginOptions):
    """What is compared; the configuration is what all systems share.

    Attributes:
      systems: flagfiles of configs/objectives/ by name: electra,mlm,...
      system: one more, by a name and what it has instead of the flags given
        here: --system="half: --generator_hidden_size=0.5". May be given again;
        of a name that is there already it adds flags.
      probe: a labelled task and the flags of finetune.py for it: --probe="sst2:
        --data_dir=glue". The name is the task, unless a --task= is among the
        flags. Of the task acceptability, which needs no training, they are
        those of evaluate_acceptability.py: --probe="acceptability:
        --input=pairs.tsv". May be given again, as --system.
      budget: what is equal: num_train_steps, or the train-FLOPs that they cost
        the first system.
      probe_at: fractions of the run at which it is probed, 1 at the end.
      probe_trials: fine-tuning runs of each probe.
      num_seeds: pre-training runs of each system, from --seed upwards.
      output_dir: folder for all that is written.
    """

    systems: tuple[str, ...] = field(())
    system: tuple[str, ...] = field((), repeated=True)
    probe: tuple[str, ...] = field((), repeated=True)
    budget: str = field("steps", choices=("steps", "flops"))
    probe_at: tuple[str, ...] = field(("0.25", "0.5", "0.75", "1"), GIVEN)
    probe_trials: int = field(1, POSITIVE, at_most(MOST_TRIALS))
    num_seeds: int = field(1, POSITIVE, at_most(MOST_TRIALS))
    output_dir: str = field("", GIVEN)


@command(CompareOptions, given=PretrainingConfig)
def compare_objectives(options: CompareOptions, base: Mapping[str, Any]) -> int:
    """Does what is missing, prints the table, and returns the exit code."""
    from electra_tf.training.sources import adopt_vocabulary

    comparison = comparison_of(options, adopt_vocabulary(base))
    require_packages("the plots need", ("matplotlib",), "report")
    import tensorflow as tf

    from electra_tf.experiments.compare import compare
    from electra_tf.experiments.processes import Interrupted
    from electra_tf.report.comparison_plots import draw_all

    # Its processes need all of their memory.
    tf.config.set_visible_devices([], "GPU")
    try:
        print(compare(comparison, draw_all), end="")
    except Interrupted as stop:
        print("stopped; the same command goes on", file=sys.stderr)
        if stop.signum == signal.SIGINT:
            return 128 + signal.SIGINT
        return base.get("preempted_exit_code", 0)
    return 0


def comparison_of(
    options: CompareOptions, base: Mapping[str, Any]
) -> "Comparison":
    """The comparison that the options and the shared values give."""
    from electra_tf.experiments import Comparison

    named = [(n, [f"--flagfile={_flagfile(n)}"]) for n in options.systems]
    named += [_split("system", text) for text in options.system]
    overrides = {
        name: _read(f"system {name}", (PretrainingConfig,), arguments)
        for name, arguments in _joined(named).items()
    }
    probes = _joined([_split("probe", text) for text in options.probe])
    return Comparison(
        base,
        overrides,
        [_probe(name, arguments) for name, arguments in probes.items()],
        options.budget,
        _fractions(options.probe_at),
        options.num_seeds,
        options.probe_trials,
        options.output_dir,
        options.plugin,
    )


def _flagfile(name: str) -> pathlib.Path:
    """A system's flagfile: in the package, or at the top of the sources."""
    for top in (_PACKAGE, _PACKAGE.parent):
        folder = top / "configs" / "objectives"
        if folder.is_dir():
            break
    known = sorted(path.stem for path in folder.glob("*.flags"))
    require(name in known, f"systems must be among {', '.join(known)}", name)
    return folder / f"{name}.flags"


def _split(kind: str, text: str) -> tuple[str, list[str]]:
    """ "name: --flag=value ..." -> its name and flags."""
    name, _, rest = text.partition(":")
    try:
        return name.strip(), shlex.split(rest)
    except ValueError as error:
        raise InputError(
            f"--{kind} must be 'name: --flag=value ...'; received {text!r} "
            f"({error})"
        ) from None


def _joined(named: Sequence[tuple[str, list[str]]]) -> dict[str, list[str]]:
    """Name -> all flags given for it, in their order: the last one counts."""
    found: dict[str, list[str]] = {}
    for name, arguments in named:
        found.setdefault(name, []).extend(arguments)
    return found


def _read(
    owner: str, kinds: Sequence[type], arguments: Sequence[str]
) -> dict[str, Any]:
    """What the flags of a system or a probe give; a mistake names it."""
    try:
        values = given_values(kinds, ["", *arguments])
        check_heads(values)
    except InputError as error:
        raise InputError(f"{owner}: {error}") from None
    return values


def _probe(name: str, arguments: Sequence[str]) -> "Probe":
    from electra_tf.experiments import probes

    owner = f"probe {name}"
    judged = f"--task={_ACCEPTABILITY}"
    if name == _ACCEPTABILITY or judged in arguments:
        flags = tuple(flag for flag in arguments if flag != judged)
        values = _read(owner, (SuiteOptions,), flags)
        return probes.Acceptability(name, flags, SuiteOptions(**values))
    kinds = (FinetuneOptions, TaskOptions, TrainingOptions)
    values = _read(owner, kinds, arguments)
    for flag in ("num_trials", "init_checkpoint", "save_model", "output_dir"):
        require(
            flag not in values,
            f"{owner}: {flag} must be left to the comparison (--probe_trials, "
            "--output_dir)",
            values.get(flag),
        )
    tasks = values.get("task", (name,))
    rule = f"{owner}: a probe must be one task"
    require(len(tasks) == 1, rule, ", ".join(tasks))
    options = TaskOptions(**own(TaskOptions, values))
    return probes.FineTuned(name, tuple(arguments), tasks[0], options)


def _fractions(texts: Sequence[str]) -> tuple[float, ...]:
    try:
        return tuple(float(text) for text in texts)
    except ValueError:
        raise InputError(
            "probe_at must be fractions with commas between; received "
            f"{','.join(texts)!r}"
        ) from None
