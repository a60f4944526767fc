"""What was left in the environment: another Keras, closed streams, no AVX."""

import pathlib
import subprocess
import sys

import pytest
import tiny

from electra_tf.cli import startup
from electra_tf.errors import InputError, check_keras

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """Nothing is set, and Keras' own file is the test's."""
    for name in ("TF_USE_LEGACY_KERAS", "KERAS_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "value", "refused"),
    [
        ("TF_USE_LEGACY_KERAS", "1", True),
        ("TF_USE_LEGACY_KERAS", "True", True),
        ("TF_USE_LEGACY_KERAS", "0", False),
        ("TF_USE_LEGACY_KERAS", "", False),
        ("KERAS_BACKEND", "jax", True),
        ("KERAS_BACKEND", "torch", True),
        ("KERAS_BACKEND", "tensorflow", False),
        ("KERAS_BACKEND", "", False),
    ],
)
def test_another_keras_is_refused_by_its_variable(
    name, value, refused, monkeypatch
):
    monkeypatch.setenv(name, value)
    if not refused:
        check_keras()
        return
    with pytest.raises(InputError) as caught:
        check_keras()
    assert str(caught.value).startswith(f"{name} must be ")
    assert str(caught.value).endswith(f"received {value!r}")
    finished = tiny.command("evaluate_pretraining", "--model_dir=x")
    assert finished.error() == f"error: {caught.value}"


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        ('{"backend": "jax"}', True),
        ('{"backend": "tensorflow"}', False),
        ("{}", False),
        ("[]", False),
        ("{", False),
    ],
)
def test_the_backend_of_keras_own_file(content, refused, tmp_path):
    (tmp_path / "keras.json").write_text(content)
    if not refused:
        check_keras()
        return
    with pytest.raises(InputError, match=r"keras.json must be .*'jax'"):
        check_keras()


def test_no_part_fails_inside_of_keras():
    """Whatever is imported, with a backend that is not even installed."""
    code = """if True:
        import importlib, pathlib, sys
        import electra_tf
        for path in sorted(pathlib.Path("electra_tf").rglob("*.py")):
            name = ".".join(path.with_suffix("").parts)
            try:
                importlib.import_module(name.removesuffix(".__init__"))
            except ValueError as error:
                assert "KERAS_BACKEND must be" in str(error), (name, error)
        print("keras" in sys.modules)
        electra_tf.Classifier
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"KERAS_BACKEND": "torch", "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout == "False\n", done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("electra_tf.errors.InputError: KERAS_BACKEND must")


def shell(script: str) -> subprocess.CompletedProcess:
    done = ["bash", "-c", f"{sys.executable} {script}"]
    return subprocess.run(done, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_closed_streams_are_opened(closed):
    """Else the first file that is opened gets what is printed."""
    code = """import os, sys
from electra_tf.cli.startup import open_streams
open_streams()
taken = os.open(os.devnull, os.O_RDONLY)
print(taken, file=sys.stderr, flush=True)
print(sys.stdin.read(), flush=True)
sys.exit(7 if taken > 2 else 1)"""
    assert shell(f"-c '{code}' {closed} </dev/null").returncode == 7


def test_a_command_without_standard_error():
    done = shell("scripts/evaluate_pretraining.py --no_such_flag 2>&-")
    assert done.returncode == 2
    assert not done.stdout


@pytest.mark.parametrize(
    ("flags", "has"), [("fpu sse avx avx2", True), ("fpu sse", False)]
)
def test_a_processor_without_avx_is_known(flags, has, tmp_path, monkeypatch):
    """TensorFlow's own message is not turned away, then."""
    path = tmp_path / "cpuinfo"
    path.write_text(f"model : 1\nflags : {flags}\n")
    monkeypatch.setattr(startup, "_CPUINFO", path)
    monkeypatch.setattr(startup.platform, "machine", lambda: "x86_64")
    assert startup.has_avx() == has
    monkeypatch.setattr(startup.platform, "machine", lambda: "aarch64")
    assert startup.has_avx()
