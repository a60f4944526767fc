"""Where a result shall stand is tried before it is worked for."""

import os
import pathlib

import pytest
import tiny

from electra_tf import files
from electra_tf.errors import InputError


@pytest.mark.parametrize("place", ["folder", "folder/", "file/below", "pipe"])
@pytest.mark.parametrize("command", ["train_vocab", "score_text"])
def test_outputs_are_tried_first(command, place, tmp_path):
    """The error is of the output, not of inputs that are not there."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")
    os.mkfifo(tmp_path / "pipe")
    names = {path.name for path in tmp_path.rglob("*")}
    more = {"score_text": ["--model_dir=/none"]}.get(command, [])
    line = tiny.command(
        command, "--input=/none", f"--output={tmp_path}/{place}", *more
    ).error()
    assert place.partition("/")[0] in line
    assert "/none" not in line
    assert {path.name for path in tmp_path.rglob("*")} == names
    assert (tmp_path / "file").read_text() == "old"


def test_trying_makes_the_folder_and_leaves_nothing(tmp_path, monkeypatch):
    files.try_output("output", str(tmp_path / "new" / "file"))
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "old").write_text("old")
    monkeypatch.chdir(tmp_path)
    files.try_output("output", "old")
    assert pathlib.Path("old").read_text() == "old"
    files.try_output("output", "ram://new/file")
    with pytest.raises(InputError, match="output must be a file to write"):
        files.try_output("output", "new")
