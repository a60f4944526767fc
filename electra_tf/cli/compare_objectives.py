"""`compare_objectives.py`: pre-train several systems alike, and probe each."""

import pathlib
import shlex
import signal
import sys
from collections.abc import Callable, Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.cli.config_flags import define_config_flags, given_values
from electra_tf.cli.finetune import define_option_flags, options_of
from electra_tf.errors import InputError, require_packages

_PACKAGE = pathlib.Path(__file__).parents[1]


def define_flags() -> None:
    """What is compared, and the configuration that all systems share."""
    flags.DEFINE_list(
        "systems",
        [],
        "flagfiles of configs/objectives/ by name: electra,mlm,...",
    )
    flags.DEFINE_multi_string(
        "system",
        [],
        "one more, by a name and what it has instead of the flags given here: "
        '--system="half: --generator_hidden_size=0.5". May be given again; of '
        "a name that is there already it adds flags",
    )
    flags.DEFINE_multi_string(
        "probe",
        [],
        "a labelled task and the flags of finetune.py for it: "
        '--probe="sst2: --data_dir=glue". The name is the task, unless a '
        "--task= is among the flags. May be given again, as --system",
    )
    flags.DEFINE_enum(
        "budget",
        "steps",
        ["steps", "flops"],
        "what is equal: num_train_steps, or the train-FLOPs that they cost "
        "the first system",
    )
    flags.DEFINE_list(
        "probe_at",
        ["0.25", "0.5", "0.75", "1"],
        "fractions of the run at which it is probed, 1 at the end",
    )
    flags.DEFINE_integer("probe_trials", 1, "fine-tuning runs of each probe")
    flags.DEFINE_integer(
        "num_seeds", 1, "pre-training runs of each system, from --seed upwards"
    )
    flags.DEFINE_string("output_dir", "", "folder for all that is written")
    define_config_flags()


def main(argv: Sequence[str]) -> int:
    """Does what is missing, prints the table, and returns the exit code."""
    del argv  # the command takes flags alone
    comparison = comparison_from_flags()
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
        return flags.FLAGS.preempted_exit_code or 0
    return 0


def comparison_from_flags():
    """The comparison that the parsed flags give."""
    from electra_tf.experiments.comparison import Comparison

    values = flags.FLAGS
    if not values.output_dir:
        raise InputError("--output_dir must name a folder; received ''")
    named = [(n, [f"--flagfile={_flagfile(n)}"]) for n in values.systems]
    named += [_split("system", text) for text in values.system]
    overrides = {
        name: given_values(
            _parse(f"system {name}", arguments, define_config_flags)
        )
        for name, arguments in _joined(named).items()
    }
    probes = _joined([_split("probe", text) for text in values.probe])
    return Comparison(
        given_values(),
        overrides,
        [_probe(name, arguments) for name, arguments in probes.items()],
        values.budget,
        _fractions(values.probe_at),
        values.num_seeds,
        values.probe_trials,
        values.output_dir,
    )


def _flagfile(name: str) -> pathlib.Path:
    """A system's flagfile: in the package, or at the top of the sources."""
    for top in (_PACKAGE, _PACKAGE.parent):
        folder = top / "configs" / "objectives"
        if folder.is_dir():
            break
    known = sorted(path.stem for path in folder.glob("*.flags"))
    if name not in known:
        raise InputError(
            f"systems must be among {', '.join(known)}; received {name!r}"
        )
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


def _parse(
    owner: str,
    arguments: Sequence[str],
    define: Callable[[flags.FlagValues], None],
) -> flags.FlagValues:
    """Parses flags apart from the command's own."""
    values = flags.FlagValues()
    define(values)
    try:
        _, *rest = values(["", *arguments])
    except flags.Error as error:
        raise InputError(f"{owner}: {error}") from None
    if rest:
        raise InputError(
            f"{owner}: what follows its name must be --flags; received "
            f"{' '.join(rest)!r}"
        )
    return values


def _probe(name: str, arguments: Sequence[str]):
    from electra_tf.experiments.comparison import Probe

    owner = f"probe {name}"
    # The weights to start from are those of each run.
    given = [*arguments, "--init_checkpoint=of_the_run"]
    values = _parse(owner, given, define_option_flags)
    try:
        options, _ = options_of(values)
    except InputError as error:
        raise InputError(f"{owner}: {error}") from None
    tasks = values.task or [name]
    if len(tasks) > 1:
        raise InputError(
            f"{owner}: a probe is one task; received {', '.join(tasks)}"
        )
    for flag in ("num_trials", "init_checkpoint", "save_model"):
        if any(a.lstrip("-").startswith(flag) for a in arguments):
            raise InputError(
                f"{owner}: {flag} is set by the comparison (--probe_trials); "
                "leave it out"
            )
    return Probe(name, tasks[0].strip(), options, tuple(arguments))


def _fractions(texts: Sequence[str]) -> tuple[float, ...]:
    try:
        return tuple(float(text) for text in texts)
    except ValueError:
        raise InputError(
            "probe_at must be fractions with commas between; received "
            f"{','.join(texts)!r}"
        ) from None


def entry() -> None:
    """The console command `electra-compare`."""
    run(define_flags, main)
