"""Trains every allowed objective x generator x tying for a few steps.

    python benchmarks/all_combinations.py --work_dir=/tmp/combinations

On the embedded corpus, at tiny size. Of each combination it is checked that

- all logged values are finite;
- every variable of the networks moves that should (of two_stage: the
  generator in stage 1 alone, the discriminator in stage 2 alone);
- without a loss of its own (gen_weight 0, no decay) nothing that belongs to
  the generator alone moves: detection sends it no gradient;
- a run that goes on from its checkpoint in the middle ends in the same bits.

Prints a line each and a summary; exit code 1 where anything failed. A folder
of an earlier call goes on where that one stopped.
"""

import argparse
import contextlib
import json
import math
import os
import pathlib
import shutil
import sys
import time

from stored_tensors import differing, stored, weights

STEPS, MIDDLE = 20, 10
TINY = {
    "vocab_size": 1000,
    "embedding_size": 16,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "intermediate_size": 64,
    "generator_hidden_size": 0.5,
    "max_position_embeddings": 32,
    "max_seq_length": 32,
    "train_batch_size": 8,
    "learning_rate": 1e-3,
    "num_train_steps": STEPS,
    "num_warmup_steps": 0,
    "log_every_steps": 5,
    "save_checkpoints_steps": MIDDLE,
    "eval_every_steps": 0,
    "num_eval_steps": 1,
    "eval_batch_size": 8,
    "seed": 3,
}
# A softmax over keys does not feel the key bias.
UNFELT = "key/bias"
# Fields of the file that names a folder's latest checkpoint.
POINTER = ("model_checkpoint_path", "all_model_checkpoint_paths")


def allowed() -> list[tuple[str, str, str]]:
    """The combinations that no rule refuses."""
    from electra_tf.config.description import GENERATORS, TYINGS
    from electra_tf.config.objectives import OBJECTIVES

    return [
        (objective, generator, tying)
        for objective, description in OBJECTIVES.items()
        for generator in GENERATORS
        for tying in TYINGS
        if description.refusal(generator, tying) is None
    ]


def values_of(objective: str, generator: str, tying: str) -> dict:
    """Flat configuration values, equal networks where they must be."""
    values = {
        **TINY,
        "objective": objective,
        "generator": generator,
        "tying": tying,
    }
    if tying == "all" or objective == "two_stage":
        values["generator_hidden_size"] = 1.0
    if objective == "two_stage":
        values["two_stage_steps"] = MIDDLE
    return values


def moved(before: dict, after: dict) -> set[str]:
    """Paths whose values differ, those aside that nothing can move."""
    changed = differing(before, {path: after[path] for path in before})
    return {path for path in changed if not path.endswith(UNFELT)}


def paths(variables) -> set[str]:
    """Paths that something can move."""
    found = {v.path for v in variables}
    return {path for path in found if not path.endswith(UNFELT)}


def check_movement(pretrainer, start: dict, folder: pathlib.Path) -> None:
    """Raises where a variable did not move that should, or the reverse."""
    middle = weights(stored(folder, MIDDLE))
    end = weights(stored(folder, STEPS))
    objective = pretrainer.objective
    for step, before, after in ((0, start, middle), (MIDDLE, middle, end)):
        objective.stage = objective.stage_at(step)
        expected = paths(objective.trainable_variables)
        found = moved(before, after)
        require(found == expected, f"moved: {sorted(found ^ expected)[:3]}")
    objective.stage = 1


def check_detection_alone(values: dict, source) -> None:
    """Without its own loss nothing of the generator alone may move."""
    import dataclasses

    from electra_tf.config.pretraining import make_config
    from electra_tf.data.records.batches import train_batches
    from electra_tf.modeling.networks import variables_of
    from electra_tf.training.run import make_pretrainer

    changed = {**values, "gen_weight": 0.0, "weight_decay_rate": 0.0}
    changed["vocab_size"] = source.config.model.vocab_size
    config = make_config(changed)
    pretrainer = make_pretrainer(dataclasses.replace(source, config=config))
    pretrainer.objective.enter(MIDDLE)
    generator = pretrainer.networks.get("generator")
    if generator is None or len(pretrainer.networks) == 1:
        return
    others = [m for n, m in pretrainer.networks.items() if n != "generator"]
    own = {v.path: v for v in generator.trainable_variables}
    own = {p: own[p] for p in set(own) - {v.path for v in variables_of(others)}}
    start = {path: variable.numpy() for path, variable in own.items()}
    batches = iter(train_batches(source.train, TINY["train_batch_size"], 3, 0))
    for _ in range(2):
        pretrainer.update(next(batches))
    found = moved(start, {path: v.numpy() for path, v in own.items()})
    require(not found, f"moved by detection: {sorted(found)[:3]}")


def check_resume(folder: pathlib.Path, values: dict) -> None:
    """Goes on from the middle in a copy; both must end in the same bits."""
    copy = folder.with_name(folder.name + "-resumed")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    checkpoints = copy / "checkpoints"
    for path in checkpoints.glob(f"step-{STEPS}.*"):
        path.unlink()
    lines = [f'{n}: "step-{MIDDLE}"\n' for n in POINTER]
    (checkpoints / "checkpoint").write_text("".join(lines))
    train(copy, values)
    found = differing(stored(copy, STEPS), stored(folder, STEPS))
    require(not found, f"differ after a resume: {found[:3]}")
    logs = [(f / "metrics.jsonl").read_bytes() for f in (copy, folder)]
    require(logs[0] == logs[1], "other log lines after a resume")


def require(holds: bool, message: str) -> None:
    """Raises an error that becomes the combination's line."""
    if not holds:
        raise RuntimeError(message)


def train(folder: pathlib.Path, values: dict) -> None:
    """A run in `folder`; what it prints goes into a file beside it."""
    from electra_tf.config.pretraining import make_config
    from electra_tf.training.run import pretrain

    where = {"model_dir": str(folder), "data_dir": str(folder.parent / "data")}
    with (
        open(folder.with_suffix(".log"), "a") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        pretrain(make_config({**values, **where}))


def check(combination: tuple[str, str, str], work: pathlib.Path) -> dict:
    """All checks of one combination; the figures of its last log line."""
    from electra_tf.config.pretraining import make_config
    from electra_tf.training.run import make_pretrainer
    from electra_tf.training.sources import open_source

    folder, values = work / "-".join(combination), values_of(*combination)
    config = make_config({**values, "data_dir": str(work / "data")})
    source = open_source(config, lambda text: None)
    pretrainer = make_pretrainer(source)
    start = {v.path: v.numpy() for v in pretrainer.trainable_variables}
    shutil.rmtree(folder, ignore_errors=True)
    train(folder, values)
    text = (folder / "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    logged = [value for line in lines for value in line.values()]
    require(all(map(math.isfinite, logged)), "a logged value is not finite")
    check_movement(pretrainer, start, folder)
    check_detection_alone(values, source)
    check_resume(folder, values)
    losses = [line for line in lines if "loss" in line]
    first, last = losses[0]["loss"], losses[-1]["loss"]
    return {"variables": len(start), "first_loss": first, "last_loss": last}


def make_records(work: pathlib.Path) -> None:
    """Records of the embedded corpus, once for all."""
    from electra_tf.config.pretraining import make_config
    from electra_tf.training.sources import open_source

    if not (work / "data").exists():
        config = make_config({**TINY, "model_dir": str(work)})
        open_source(config, lambda text: None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work_dir", type=pathlib.Path, required=True)
    parser.add_argument("--only", default="", help="objective to look at")
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    given.work_dir.mkdir(parents=True, exist_ok=True)
    make_records(given.work_dir)
    results = given.work_dir / "results.json"
    done = json.loads(results.read_text()) if results.exists() else {}
    for combination in allowed():
        name = "-".join(combination)
        if name in done or given.only not in ("", combination[0]):
            continue
        before = time.time()
        try:
            done[name] = check(combination, given.work_dir)
        except Exception as error:
            done[name] = {"error": f"{type(error).__name__}: {error}"}
        print(
            f"{name}: {done[name]} in {time.time() - before:.0f} s", flush=True
        )
        results.write_text(json.dumps(done, indent=1))
    failed = [name for name, found in done.items() if "error" in found]
    print(f"{len(done)} combinations, {len(failed)} failed: {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
