"""The package's order: a room imports from its left only."""

import ast
import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "electra_tf"
ORDER = [
    "errors", "files", "config", "data", "modeling", "pretraining", "training",
    "weights", "scoring", "pretrained", "finetune", "serving", "experiments",
    "report", "demo", "cli", "scripts",
]  # fmt: skip
LINES = 300
FILES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "scripts").glob("*.py")])


def room(module: str) -> str:
    """electra_tf.data.records.records -> data."""
    return [*module.split("."), ""][1]


def room_of(path: pathlib.Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0] if parts[0] == "scripts" else parts[1]


def imported(path: pathlib.Path) -> set[str]:
    """Full names of the package's modules, or of what is in them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.partition(".")[0] == "electra_tf"}


def test_the_reader_of_imports_finds_them(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "import os\nfrom electra_tf.data import build\n"
        "def late():\n    import electra_tf.cli.app\n"
    )
    assert imported(path) == {
        "electra_tf.data.build",
        "electra_tf.cli.app",
    }


def test_all_rooms_have_a_place_in_the_order():
    rooms = {room_of(path) for path in FILES} - {"__init__"}
    assert rooms <= set(ORDER)


def test_imports_run_leftwards():
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in FILES
        if path != PACKAGE / "__init__.py"
        for name in imported(path)
        if room(name) in ORDER
        and ORDER.index(room(name)) > ORDER.index(room_of(path))
    ]
    assert not wrong


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_imported_exists(path):
    for name in imported(path):
        module = name
        if not exists(module):
            module = name.rpartition(".")[0]
        assert exists(module), f"{path.relative_to(ROOT)} imports {name}"


def exists(module: str) -> bool:
    place = ROOT.joinpath(*module.split("."))
    return place.with_suffix(".py").exists() or place.is_dir()


def test_no_module_is_a_drawer_for_anything():
    names = {path.stem for path in FILES}
    assert not names & {"utils", "util", "helpers", "helper", "common", "misc"}


def test_files_stay_short():
    long = {
        str(path.relative_to(ROOT)): count
        for path in FILES
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > LINES
    }
    assert not long


def test_importing_the_package_does_not_import_tensorflow():
    """What `electra_tf` offers is imported when it is asked for."""
    source = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    top = [n for n in ast.parse(source).body if isinstance(n, ast.Import)]
    assert {alias.name for node in top for alias in node.names} == {"importlib"}


def test_public_names_are_where_the_package_says():
    import electra_tf

    for name, module in electra_tf._PUBLIC.items():
        assert importlib.util.find_spec(module), name
        assert getattr(electra_tf, name).__name__ == name
