"""What is in the wheel, which has no scripts/, configs/ or tests/ beside it."""

import ast
import importlib
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parents[2]
# The first makes what stands in the package already, from the sources; the
# others are old names, and say so.
NO_COMMANDS = {"build_embedded_corpus", "export_tflite", "export_weights"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built without a network, from a copy: building leaves files behind."""
    sources = tmp_path_factory.mktemp("sources")
    for name in ("electra_tf", "configs"):
        shutil.copytree(ROOT / name, sources / name)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    given = ["--no-deps", "--no-build-isolation", "--no-index", "-q"]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *given, "."],
        cwd=sources,
        check=True,
    )
    [path] = sources.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def imported(script: pathlib.Path) -> set[str]:
    """module:function, of what a script runs."""
    return {
        f"{node.module}:{alias.name}"
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.slow
def test_every_script_is_a_command(wheel):
    [entries] = [n for n in wheel.namelist() if n.endswith("entry_points.txt")]
    lines = wheel.read(entries).decode().splitlines()
    commands = dict(line.split(" = ") for line in lines if "electra-" in line)
    scripts = {
        function
        for path in (ROOT / "scripts").glob("*.py")
        if path.stem not in NO_COMMANDS
        for function in imported(path)
    }
    assert len(scripts) > 12
    assert set(commands.values()) == scripts
    for command in commands.values():
        module, function = command.split(":")
        assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.slow
def test_all_that_the_package_reads_is_in_the_wheel(wheel):
    found = set(wheel.namelist())
    folder = ROOT / "electra_tf"
    files = {
        path.relative_to(ROOT).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    flagfiles = {
        (pathlib.Path("electra_tf") / path.relative_to(ROOT)).as_posix()
        for path in (ROOT / "configs").rglob("*.flags")
    }
    assert "electra_tf/py.typed" in files
    assert len(flagfiles) > 10
    assert not files - found
    assert not flagfiles - found
    assert not {name for name in found if name.startswith(("tests", "scripts"))}
