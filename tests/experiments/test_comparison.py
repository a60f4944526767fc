"""Systems, budgets and flagfiles of a comparison."""

import importlib.util
import json
import pathlib

import pytest
import tiny

from electra_tf.cli import finetune as command
from electra_tf.config.pretraining import flat_values
from electra_tf.errors import InputError
from electra_tf.experiments import Comparison, make_systems, results
from electra_tf.experiments.compare import Clock, Job, missing_jobs
from electra_tf.experiments.processes import Processes
from electra_tf.training.cost.flops import step_flops, train_flops

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
FLAGFILES = sorted((CONFIGS / "compare").glob("*.flags"))
OVERRIDES = {
    "electra": {},
    "mlm": {"objective": "mlm"},
    "full": {"generator_hidden_size": 1.0, "num_attention_heads": 1},
}


def base(**changed):
    given = {**tiny.FLAGS, **changed}
    return {n: v for n, v in given.items() if n != "iterations_per_loop"}


def test_equal_steps():
    systems = make_systems(base(), OVERRIDES, "steps")
    steps = [s.config.optimizer.num_train_steps for s in systems]
    assert steps == [tiny.STEPS] * 3


def test_equal_flops_spend_nearly_all_and_never_more():
    given = base(num_train_steps=1000)
    first, *others = make_systems(given, OVERRIDES, "flops")
    assert first.config.optimizer.num_train_steps == 1000
    budget = 1000 * step_flops(first.config)
    for system in others:
        steps = system.config.optimizer.num_train_steps
        each = step_flops(system.config)
        assert steps != 1000
        assert steps * each <= budget < (steps + 1) * each
    # What the runs must not differ in.
    for system in others:
        assert system.config.data == first.config.data
        assert system.config.run == first.config.run


def comparison(base, overrides, **changed):
    values = {
        "probes": [command._probe("cola", [])],
        "budget": "steps",
        "fractions": (0.1, 0.5, 1.0),
        "num_seeds": 2,
        "probe_trials": 1,
        "output_dir": "out",
        **changed,
    }
    return Comparison(base, overrides, **values)


def test_points_of_every_seed():
    found = comparison(base(), {"a": {}, "b": {}})
    systems, points = found.systems, list(found.points())
    assert [(p.system.name, p.seed, p.step) for p in points] == [
        (name, seed, step)
        for name in ("a", "b")
        for seed in (7, 8)
        for step in (2, 12, 24)
    ]
    point = points[4]
    run = point.config.run
    assert (run.seed, run.stop_at_step) == (8, 12)
    assert run.model_dir == "out/systems/a/seed_8/run"
    assert point.file("weights") == "out/systems/a/seed_8/step_12/weights"
    assert point.train_flops == 12 * step_flops(systems[0].config)
    assert points[5].train_flops == train_flops(systems[0].config)


def test_steps_are_distinct_in_short_runs():
    fractions = (0.01, 0.2, 0.6, 1.0)
    found = comparison(base(num_train_steps=4), {"a": {}}, fractions=fractions)
    assert found.steps(found.systems[0]) == [1, 2, 4]


def test_flags_given_again_are_added():
    named = [("a", ["--x=1"]), ("b", []), ("a", ["--x=2"])]
    assert command._joined(named) == {"a": ["--x=1", "--x=2"], "b": []}


def test_a_probe_reads_what_its_flags_say():
    probe = command._probe(
        "mood", ["--task=custom", "--data_dir=here", "--num_train_epochs=2"]
    )
    assert (probe.name, probe.task) == ("mood", "custom")
    assert probe.options.data_dir == "here"
    assert probe.arguments[-1] == "--num_train_epochs=2"
    with pytest.raises(InputError, match=r"^probe squad1: qa_head must be "):
        command._probe("squad1", ["--head=paper", "--qa_head=plain"])


def test_pairs_are_a_probe_without_trials(tiny_run, tmp_path, monkeypatch):
    (tmp_path / "pairs.txt").write_text("we is\nwe are\nthe of\nof the\n")
    flags = [f"--input={tmp_path}/pairs.txt", "--suite=pairs", "--method=pll"]
    probe = command._probe("mine", ["--task=acceptability", *flags])
    assert command._probe("acceptability", flags).suite == probe.suite
    assert probe.metric() == "pll"
    found = comparison(
        base(num_train_steps=2),
        {"a": {}},
        probes=[probe],
        fractions=(1.0,),
        num_seeds=1,
        probe_trials=3,
        output_dir=str(tmp_path / "out"),
    )
    [point] = found.points()
    convert = (f"--input={tiny_run.folder}", f"--output={point.weights}")
    assert tiny.command("convert_weights", *convert).code == 0
    metrics = {"mine": "pll"}
    assert results.collect(found, metrics)["systems"][0]["points"] == []
    processes = Processes(found.output_dir)

    def run_here(name, arguments, label):
        finished = tiny.command(name.rpartition(".")[2], *arguments)
        assert finished.code == 0, finished.err

    monkeypatch.setattr(processes, "run", run_here)
    [job] = missing_jobs(found, metrics, processes)
    assert (job.kind, job.cost) == ("probe mine", 1)
    job.run()
    assert missing_jobs(found, metrics, processes) == []
    collected = results.collect(found, metrics)
    [score] = collected["systems"][0]["points"][0]["scores"]["mine"]
    path = point.file("mine", "acceptability.json")
    assert score == json.loads(pathlib.Path(path).read_text())["mean"]
    assert "mine: seeds alone" in results.markdown(collected)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--input=x", "--output_dir=y"], "probe acceptability: Unknown"),
        (["--suite=pairs"], "suite=pairs needs input"),
        (["--method=loud"], "probe acceptability: method must be one of"),
    ],
)
def test_flags_that_no_probe_of_pairs_has(flags, told):
    with pytest.raises(InputError, match=told):
        command._probe("acceptability", flags)


def test_missing_matplotlib_is_told_before_anything_is_trained(
    tmp_path, monkeypatch
):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "matplotlib" else find(name),
    )
    given = ["--systems=mlm", "--probe=cola", f"--output_dir={tmp_path}/out"]
    line = tiny.command("compare_objectives", *given).error()
    assert (
        'the plots need matplotlib, not installed here: pip install -e ".['
        in line
    )
    assert not (tmp_path / "out").exists()


def test_time_left_is_by_kind():
    jobs = [
        Job("training", "", 30.0, print),
        Job("probe", "", 2.0, print),
        Job("training", "", 10.0, print),
        Job("probe", "", 1.0, print),
    ]
    clock = Clock(jobs)
    assert clock.left() == "?"
    clock.add(jobs[0], 600.0)  # 20 seconds a unit, and 10 units are left
    assert clock.left() == "?"
    clock.add(jobs[1], 30.0)
    assert clock.left() == "03:35"
    clock.add(jobs[2], 200.0)
    clock.add(jobs[3], 15.0)
    assert clock.left() == "00:00"


@pytest.mark.parametrize("path", FLAGFILES, ids=lambda path: path.stem)
def test_a_flagfile_gives_a_comparison(path, monkeypatch):
    """All its systems are allowed; the data of the probes are not there."""
    made = []

    def keep(comparison, draw):
        made.append(comparison)
        return ""

    monkeypatch.setattr("electra_tf.experiments.compare.compare", keep)
    given = (f"--flagfile={path}", "--plugin=json")
    finished = tiny.command("compare_objectives", *given)
    assert finished.code == 0, finished.err
    (found,) = made
    assert found.plugins == ("json",)
    assert len(found.systems) == {
        "table5": 5, "figure3_generators": 5, "figure3_systems": 4, "tying": 4
    }[path.stem]  # fmt: skip
    assert [probe.name for probe in found.probes] == ["sst2", "chunk"]
    steps = [6000] if path.stem == "table5" else [1000, 2000, 4000]
    assert found.steps(found.systems[0]) == steps
    configs = [flat_values(system.config) for system in found.systems]
    differing = {n for n in configs[0] if len({str(c[n]) for c in configs}) > 1}
    assert differing <= {
        "objective", "generator", "generator_hidden_size", "tying",
        "two_stage_steps", "two_stage_init",
    }  # fmt: skip


def test_the_flagfiles_have_the_recipe_of_tiny():
    lines = (CONFIGS / "tiny.flags").read_text().splitlines()
    wanted = dict(line[2:].split("=", 1) for line in lines if line[:2] == "--")
    for path in FLAGFILES:
        lines = path.read_text().splitlines()
        given = [line[2:].split("=", 1) for line in lines if line[:2] == "--"]
        found = dict(given)
        for name in (
            "vocab_size hidden_size num_hidden_layers initializer_range "
            "position_init max_seq_length train_batch_size learning_rate"
        ).split():
            assert found[name] == wanted[name], (path, name)
