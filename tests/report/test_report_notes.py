"""What the page says stands out, against figures worked out by hand."""

import pytest
from synthetic_runs import eval_line, report, train_line, write_run

from electra_tf.report import load_runs
from electra_tf.report.notes import notes

pytestmark = pytest.mark.usefixtures("no_pictures")


def test_figures_that_are_no_numbers_are_shown_and_named(tmp_path):
    broken = train_line(40) | {"mlm_loss": float("nan"), "disc_auc": None}
    metrics = [train_line(10), broken]
    result = report(tmp_path, write_run(tmp_path / "run", metrics))
    assert result.row("Masked-LM loss, all used slots")[0] == ["nan", "–"]
    assert "mlm_loss is nan at step 40." in result.text


def test_collapse_is_named_late_in_the_run_only(tmp_path):
    def warned(name: str, warmup: int, steps: int, auc: float = 0.5) -> bool:
        line = eval_line(40) | {"eval_disc_auc": auc}
        line |= {"eval_disc_loss": 0.2685, "eval_disc_base_rate": 0.9242}
        optimizer = {"num_warmup_steps": warmup, "num_train_steps": steps}
        run = write_run(tmp_path / name, [line], config={"o": optimizer})
        found = notes(load_runs([run])[0])
        return any(n.is_warning and "collapsed" in n.text for n in found)

    assert warned("collapsed", 20, 80)
    assert not warned("just after the warm-up", 21, 80)
    assert not warned("first half", 20, 82)
    assert not warned("ranking", 20, 80, auc=0.54)


@pytest.mark.parametrize(("loss", "strange"), [(44.98, False), (40.5, True)])
def test_a_strange_first_loss_is_named(tmp_path, loss, strange):
    metrics = [train_line(1) | {"loss": loss}]
    run = load_runs([write_run(tmp_path / "run", metrics)])[0]
    texts = [note.text for note in notes(run) if note.is_warning]
    assert any("within 4 of 44.98" in text for text in texts) == strange


def test_notes_compare_with_the_levels(tmp_path):
    run = load_runs([write_run(tmp_path / "run")])[0]
    texts = " ".join(note.text for note in notes(run))
    assert "1.04 above the unigram level" in texts  # 8.1 - 7.0625
    assert "AUC is 0.900; accuracy is 2.4 points above" in texts
