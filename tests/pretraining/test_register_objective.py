"""An objective from outside the package, under the package's own commands."""

import pytest
import tiny

from electra_tf.config.description import Description
from electra_tf.config.objectives import OBJECTIVES, describe
from electra_tf.errors import InputError
from electra_tf.pretraining import factory, objectives

PLUGIN = '''
"""ELECTRA whose discriminator is kept from being too sure."""

import tensorflow as tf

from electra_tf.config.description import DISC, MLM, Description, Figure, Term
from electra_tf.pretraining.losses import summed
from electra_tf.pretraining.objectives import register
from electra_tf.pretraining.objectives.electra import Electra


@register(
    Description(
        "calm_electra",
        terms=(MLM, DISC, Term("calm", "mws_weight")),
        figures=(
            Figure("calm_loss", "Squared logits", label="calm", caption="."),
            Figure("boldness", "Share of large logits", label="bold"),
        ),
    )
)
class CalmElectra(Electra):
    def places(self, batch, masked):
        judged = self.judged(batch, masked)
        return {**super().places(batch, masked), "calm": judged}

    def detect(self, batch, masked, proposal, training):
        corrupted = self.corrupt(batch, masked, proposal)
        scores = self.read(batch, corrupted, training)
        bold = tf.cast(abs(scores) > 1, tf.float32)
        judged = self.judged(batch, masked)
        return self.outcome(
            batch,
            masked,
            proposal,
            corrupted,
            self.detection(batch, masked, scores, corrupted.is_replaced),
            losses={"calm": tf.square(scores)},
            figures={"boldness": summed(bold, judged)},
        )
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The module's flag; its objective is gone after the test."""
    (tmp_path / "calm.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    described, classes = dict(OBJECTIVES), dict(objectives._classes)
    yield "--plugin=calm"
    for found, before in (
        (OBJECTIVES, described),
        (objectives._classes, classes),
    ):
        found.clear()
        found.update(before)


@pytest.mark.slow
def test_an_objective_of_a_plugin(plugin, records_dir, tmp_path):
    folder = str(tmp_path / "run")
    finished = tiny.pretrain(
        plugin,
        model_dir=folder,
        data_dir=records_dir,
        objective="calm_electra",
        mws_weight=3.0,
        num_train_steps=2,
        log_every_steps=1,
    )
    assert finished.code == 0, finished.err
    assert " calm 0." in finished.err
    assert " bold 0." in finished.err
    for line in tiny.metrics(folder):
        if "loss" in line:
            parts = [line[f"{name}_loss"] for name in ("mlm", "disc", "calm")]
            expected = parts[0] + 50 * parts[1] + 3 * parts[2]
            assert line["loss"] == pytest.approx(expected, rel=1e-5)
    assert 0 <= line["eval_boldness"] <= 1
    ours, theirs = (
        tiny.command("count_flops", plugin, f"--objective={name}").out.split()
        for name in ("calm_electra", "electra")
    )
    assert ours[1] == "calm_electra"
    assert ours[-3:] == theirs[-3:]  # the same networks
    report = tmp_path / "report"
    finished = tiny.command(
        "report", plugin, f"--model_dir={folder}", f"--output_dir={report}"
    )
    assert finished.code == 0, finished.err
    page = next(report.glob("*.html")).read_text()
    assert "Squared logits" in page
    assert "Share of large logits" in page
    assert (report / "calm_loss.png").exists()


def test_without_the_plugin_there_is_no_such_objective(tmp_path):
    told = tiny.pretrain(model_dir=str(tmp_path), objective="calm_electra")
    assert "calm_electra" in told.error()
    assert "electra_15" in told.error()
    with pytest.raises(InputError, match="received 'calm_electra'"):
        describe("calm_electra")


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="must be new; received 'teams'"):
        objectives.register(Description("teams"))(type("Other", (), {}))


def test_every_description_has_its_class():
    assert factory.class_of("teams").description is OBJECTIVES["teams"]
    assert set(objectives._classes) == set(OBJECTIVES)
