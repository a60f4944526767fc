"""The flagfiles parse, and say what the paper's Table 7 says."""

import pathlib

import pytest
import tiny

from electra_tf.config.finetuning import TaskOptions, TrainingOptions

FOLDER = pathlib.Path(__file__).parents[3] / "configs" / "finetune"
TASKS = {"glue": "cola", "squad": "squad1", "tagging": "chunk"}


def values(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    flags = [line[2:] for line in lines if line.startswith("--")]
    return dict(flag.split("=", 1) for flag in flags)


def test_all_flagfiles_are_tested():
    assert {path.stem for path in FOLDER.iterdir()} == set(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_a_flagfile_parses(name, checkpoint, tmp_path):
    """It comes as far as the data, which are not there."""
    line = tiny.command(
        "finetune",
        f"--flagfile={FOLDER / name}.flags",
        f"--task={TASKS[name]}",
        f"--data_dir={tmp_path}",
        f"--init_checkpoint={checkpoint}",
        f"--output_dir={tmp_path / 'out'}",
    ).error()
    assert str(tmp_path) in line


@pytest.mark.parametrize("name", TASKS)
def test_values_of_the_paper(name):
    found = values(FOLDER / f"{name}.flags")
    assert float(found.pop("num_trials")) == 10
    defaults = {
        **TaskOptions.__dataclass_fields__,
        **TrainingOptions.__dataclass_fields__,
    }
    length = {"squad": "512"}.get(name, "128")
    assert found.pop("max_seq_length") == length
    for flag, value in found.items():
        default = defaults[flag].default
        assert type(default)(value) == default, flag
