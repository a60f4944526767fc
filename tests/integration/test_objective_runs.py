"""Runs of the objectives, generators and tyings, from flags to weights."""

import functools
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tiny
from test_replicas import SHARED, assert_equal_but_for_rounding

from electra_tf.pretrained import from_pretrained
from electra_tf.weights import open_weights

ROOT = pathlib.Path(__file__).parents[2]
TABLES = ("word_embeddings", "position_embeddings")
# Flags of tiny.FLAGS with which two networks are of equal size.
EQUAL = {
    "generator_hidden_size": 1.0,
    "num_attention_heads": 1,
    "intermediate_size": 128,
}


def run(folder, records_dir, **flags):
    finished = tiny.pretrain(
        model_dir=str(folder), data_dir=records_dir, **flags
    )
    assert finished.code == 0, finished.err
    return finished


@pytest.fixture(scope="module")
def disentangled(records_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("disentangled") / "run"
    tying = "gradient_disentangled"
    return run(folder, records_dir, tying=tying, num_train_steps=6).folder


def probabilities(model):
    texts = ["the state of the union is strong", "my fellow citizens"]
    return [t.probability for found in model.detect(texts) for t in found]


@pytest.mark.slow
def test_weights_of_a_disentangled_run_hold_the_sums(disentangled, tmp_path):
    end = "/.ATTRIBUTES/VARIABLE_VALUE"
    stored = {
        name.removeprefix("model/").removesuffix(end).replace(".S", "/"): value
        for name, value in tiny.checkpoint(disentangled).items()
        if name.startswith("model/")
    }
    output = str(tmp_path / "weights")
    finished = tiny.command(
        "convert_weights",
        f"--input={disentangled}",
        f"--output={output}",
    )
    assert finished.code == 0, finished.err
    exported = open_weights(output).arrays
    assert not [name for name in exported if name.endswith("delta")]
    for name in TABLES:
        delta = stored[f"electra/embeddings/{name}_delta"]
        table = stored[f"generator/embeddings/{name}"]
        assert np.abs(delta).max() > 0
        found = exported[f"electra/embeddings/{name}"]
        np.testing.assert_array_equal(found, delta + table)
        found = exported[f"generator/embeddings/{name}"]
        np.testing.assert_array_equal(found, table)
    ours, theirs = from_pretrained(output), from_pretrained(disentangled)
    assert probabilities(ours) == probabilities(theirs)
    assert ours.fill_mask("the [MASK]") == theirs.fill_mask("the [MASK]")


@pytest.mark.slow
def test_a_disentangled_run_goes_on_from_sums(
    disentangled, records_dir, tmp_path
):
    """`--init_checkpoint` splits them again; at rate 0 nothing moves."""
    folder = tmp_path / "second"
    run(
        folder,
        records_dir,
        tying="gradient_disentangled",
        init_checkpoint=disentangled,
        num_train_steps=1,  # the first update's rate is 0
    )
    ours, theirs = (open_weights(f).arrays for f in (folder, disentangled))
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, atol=1e-6, err_msg=name)


def test_a_unigram_generator_draws_by_the_records_frequencies(
    records_dir, tmp_path
):
    folder = tmp_path / "run"
    run(folder, records_dir, generator="unigram", num_train_steps=5)
    last = tiny.metrics(str(folder))[-1]
    # Its loss is the unigram level itself, but for the share of specials.
    level, loss = last["eval_unigram_loss"], last["eval_mlm_loss_masked"]
    assert loss == pytest.approx(level, rel=1e-4)
    model = from_pretrained(str(folder))
    assert model.generator is None
    assert len(probabilities(model)) > 5


STAGES = {
    "objective": "two_stage",
    "tying": "gradient_disentangled",
    "two_stage_steps": 4,
    "num_train_steps": 6,
    "save_checkpoints_steps": 2,
    "eval_every_steps": 2,
    **EQUAL,
}

# Fields of the file that names a folder's latest checkpoint.
POINTER = ("model_checkpoint_path", "all_model_checkpoint_paths")


@pytest.mark.slow
def test_two_stages_end_the_same_wherever_they_stopped(records_dir, tmp_path):
    whole = tmp_path / "whole"
    run(whole, records_dir, **STAGES)
    lines = tiny.metrics(str(whole))
    detected = [line["step"] for line in lines if line.get("eval_disc_auc")]
    assert detected == [6]
    for step in (2, 4):
        folder = tmp_path / f"from-{step}"
        shutil.copytree(whole, folder)
        checkpoints = folder / "checkpoints"
        for later in range(step + 2, 7, 2):
            for path in checkpoints.glob(f"step-{later}.*"):
                path.unlink()
        lines = [f'{field}: "step-{step}"\n' for field in POINTER]
        (checkpoints / "checkpoint").write_text("".join(lines))
        finished = run(folder, records_dir, **STAGES)
        assert f"checkpoint of step {step} of 6" in finished.err
        tiny.assert_same_end(str(folder), str(whole))


OBJECTIVES = {
    "electra_15": {},
    "replace_mlm": {},
    "all_tokens_mlm": {"tying": "gradient_disentangled"},
    "two_stage": {
        "tying": "gradient_disentangled",
        "two_stage_steps": 4,
        **EQUAL,
    },
    "adversarial": {},
    "electric": {"generator": "two_tower"},
    "teams": {"generator": "unigram"},
}


@pytest.fixture(scope="module")
def runs(records_dir, tmp_path_factory):
    """Objective -> the folder of its run on one device."""
    folder = tmp_path_factory.mktemp("objectives")

    @functools.cache
    def of(objective):
        flags = {"objective": objective, **OBJECTIVES[objective]}
        path = folder / objective
        return run(path, records_dir, num_train_steps=8, **flags).folder

    return of


@pytest.mark.slow
@pytest.mark.parametrize(
    "objective", ["two_stage", "adversarial", "electric", "teams"]
)
def test_every_kind_of_objective_can_be_shared_out(
    objective, runs, records_dir, tmp_path
):
    flags = {"objective": objective, **OBJECTIVES[objective], **SHARED}
    shared = run(tmp_path / "shared", records_dir, num_train_steps=8, **flags)
    assert_equal_but_for_rounding(runs(objective), shared.folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "objective",
    ["electra_15", "replace_mlm", "all_tokens_mlm", "adversarial", "teams"],
)
def test_every_run_leaves_a_model(objective, runs, tmp_path):
    folder = runs(objective)
    model, stored = from_pretrained(folder), open_weights(folder).arrays
    for variable in model.encoder.variables:
        np.testing.assert_array_equal(variable.numpy(), stored[variable.path])
    served = tmp_path / "served"
    finished = tiny.command(
        "export_saved_model", f"--model_dir={folder}", f"--output_dir={served}"
    )
    assert finished.code == 0, finished.err
    loaded = tf.saved_model.load(str(served / "1"))
    assert ("detect" in loaded.signatures) == model.has_discriminator


FOLDERS = ("", "objectives", "generators", "tying")
FLAGFILES = [
    path
    for folder in FOLDERS
    for path in sorted((ROOT / "configs" / folder).glob("*.flags"))
]


@pytest.mark.parametrize(
    "path", FLAGFILES, ids=lambda path: str(path.relative_to(ROOT / "configs"))
)
def test_every_flagfile_can_be_counted(path):
    """Alone, or after small.flags where it holds only what differs."""
    base = (
        [] if path.parent.name == "configs" else [ROOT / "configs/small.flags"]
    )
    flagfiles = [f"--flagfile={p}" for p in (*base, path)]
    finished = tiny.command("count_flops", *flagfiles)
    assert finished.code == 0, finished.err
    assert float(finished.out.split()[4]) > 1e12


def test_count_flops_prints_the_papers_column():
    finished = tiny.command("count_flops", "--published")
    rows = dict(line.split()[:2] for line in finished.out.splitlines())
    assert rows["electra_small"] == "1.293743798e+18"
    assert rows["t5_11b"] == "4.581900124e+22"
    assert len(rows) == 13
