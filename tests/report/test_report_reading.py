"""Reading run folders, also half-written, broken, remote or wrong ones."""

import importlib.util
import json
import os
import re

import pytest
import tiny
from synthetic_runs import Page, eval_line, read, report, train_line, write_run

from electra_tf.cli import pages
from electra_tf.errors import InputError
from electra_tf.report import load_runs, parse_lines, short_names
from electra_tf.report.page import write_report

pytestmark = pytest.mark.usefixtures("no_pictures")


def test_a_half_written_last_line_is_ignored(tmp_path):
    half = json.dumps(train_line(50))[:-20]
    result = report(tmp_path, write_run(tmp_path / "run", tail=half))
    assert result.row("Step of the last line")[1] == [40, 40]
    assert "left out" not in result.text
    # A whole line without its line end counts.
    whole = json.dumps(train_line(50))
    result = report(tmp_path, write_run(tmp_path / "run2", tail=whole))
    assert result.row("Step of the last line")[1] == [50, 40]


def test_a_last_line_cut_inside_a_character_is_ignored():
    content = '{"step": 1}\n{"step": 2, "note": "é'.encode()[:-1]
    assert parse_lines(content, "m") == ([{"step": 1}], [])


def test_broken_lines_further_up_are_named(tmp_path):
    rows = [json.dumps(train_line(10)), "{{", "[1]", json.dumps({"a": 1})]
    run = tmp_path / "run"
    write_run(run)
    (run / "metrics.jsonl").write_text("\n".join([*rows, rows[0], ""]))
    result = report(tmp_path, str(run))
    assert "left out what could not be read (line 2, 3, 4)" in result.text
    assert result.row("Step of the last line")[1] == [10]


def test_of_two_lines_of_a_step_the_later_one_counts(tmp_path):
    early = [train_line(40) | {"loss": 99.0}, eval_line(40)]
    run = load_runs([write_run(tmp_path / "run", [*early, train_line(40)])])[0]
    assert run.series("train", "loss") == ((40,), (41.0,))
    assert len(run.evals) == 1


def test_names_are_as_short_as_tells_runs_apart():
    assert short_names(["/x/a", "/x/b/"]) == ["a", "b"]
    assert short_names(["/x/a/run", "/y/a/run"]) == ["x/a/run", "y/a/run"]
    assert short_names(["gs://bucket/run"]) == ["run"]


@pytest.mark.parametrize("content", [None, b"", b"\n", b'{"step": 1'])
def test_a_run_that_has_logged_nothing_yet(tmp_path, content):
    run = tmp_path / "run"
    write_run(run)
    (run / "timing.jsonl").unlink()
    (run / "metrics.jsonl").unlink()
    if content is not None:
        (run / "metrics.jsonl").write_bytes(content)
    result = report(tmp_path, str(run))
    assert "Nothing has been logged yet." in result.text
    assert not result.all("img")
    assert result.row("hidden_size")[0] == ["256"]


def test_user_mistakes_are_one_clear_line(tmp_path):
    run = write_run(tmp_path / "run")
    (tmp_path / "empty").mkdir()
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "metrics.jsonl").write_text("no\njson\n")
    (tmp_path / "file").write_text("")
    for folders, output, message in [
        ([], "out", "at least one"),
        (["nowhere"], "out", "existing run folder; received 'nowhere'"),
        ([str(tmp_path / "file")], "out", "existing run folder"),
        ([str(tmp_path / "empty")], "out", "which has neither"),
        ([str(tmp_path / "junk")], "out", "no such line"),
        ([run, run + "/"], "out", "twice"),
        ([run, ""], "out", "empty name"),
        ([run], "", "output_dir must name a folder"),
        ([run], "file", str(tmp_path / "file")),
        ([run], "file/under", str(tmp_path / "file" / "under")),
    ]:
        target = output and str(tmp_path / output)
        with pytest.raises(InputError, match=re.escape(message)) as error:
            write_report(folders, target)
        assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_extra_is_named_with_its_cure(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "matplotlib" else find(name),
    )
    message = re.escape(
        'needs matplotlib, not installed here: pip install -e ".[report]"'
    )
    with pytest.raises(InputError, match=message):
        write_report([write_run(tmp_path / "run")], str(tmp_path / "out"))


def test_remote_folders_are_read_and_written(tmp_path):
    import tensorflow as tf

    write_run(tmp_path / "run")
    for name in ("metrics.jsonl", "config.json", "timing.jsonl"):
        with tf.io.gfile.GFile(f"ram://report_test/{name}", "wb") as file:
            file.write((tmp_path / "run" / name).read_bytes())
    index = write_report(["ram://report_test"], "ram://report_test/report")
    assert index == "ram://report_test/report/index.html"
    with tf.io.gfile.GFile(index) as file:
        assert Page(file.read()).row("Total loss")[1] == [41.0, 41.001]


def test_the_command_prints_the_pages_path(tmp_path, capsys):
    folders = [write_run(tmp_path / "a"), write_run(tmp_path / "b")]
    tiny.call(pages.report, f"--model_dir={folders[0]},{folders[1]}")
    index = os.path.join(folders[0], "report", "index.html")
    assert capsys.readouterr().out == index + "\n"
    assert len(Page(read(index)).row("Total loss")[0]) == 4


def test_the_command_asks_for_a_model_dir():
    with pytest.raises(InputError, match="model_dir must be given"):
        tiny.call(pages.report)
