"""The package's order, from every import that is written in its files."""

import ast
import importlib
import pathlib
import re
import subprocess
import sys
from collections.abc import Mapping

from import_tree import Tree, imports

ROOT = pathlib.Path(__file__).parents[1]
# A room imports from its left only; scripts stand at the top.
ORDER = [
    "errors", "endings", "files", "locks", "config", "data", "modeling",
    "pretraining", "training", "weights", "scoring", "embedding", "pretrained",
    "finetune",
    "serving", "experiments", "report", "demo", "cli", "scripts",
]  # fmt: skip
# Imported by no command before its flags are parsed.
SLOW_TO_LOAD = {"tensorflow", "tensorflow_text", "tensorflow_datasets"} | {
    "keras", "keras_hub", "keras_nlp", "matplotlib",
}  # fmt: skip
USERS = ("tests", "benchmarks", "examples", "deploy")
QUICK_ROOMS = ("errors", "endings", "files", "locks", "config", "cli")
LINES, FUNCTION_LINES, CONSTRUCTOR_LINES = 260, 60, 90
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc"}


def room(module: str) -> str:
    """electra_tf.data.records.build -> data."""
    return [*module.removeprefix("electra_tf.").split("."), ""][0]


TREE = Tree(ROOT, "electra_tf", "scripts")


def toy(tmp_path: pathlib.Path, files: Mapping[str, str]) -> Tree:
    for name, text in {"toy/__init__": "", **files}.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Tree(tmp_path, "toy")


def test_imports_are_seen_wherever_they_stand(tmp_path):
    files = {
        "toy/a": "import os\nfrom toy import b\nfrom toy.b import thing\n"
        "if TYPE_CHECKING:\n    import toy.c\n"
        "try:\n    import toy.d\nexcept ImportError:\n    pass\n"
        "class A:\n    def f(self):\n        from toy.b import other\n",
        "toy/b": "thing: int = 3\n",
    }
    tree = toy(tmp_path, files)
    found = tree.imports("toy.a")
    assert [(i.module, i.name, i.when) for i in found] == [
        ("os", "", "loading"),
        ("toy", "b", "loading"),
        ("toy.b", "thing", "loading"),
        ("toy.c", "", "typing"),
        ("toy.d", "", "loading"),
        ("toy.b", "other", "later"),
    ]
    assert tree.missing(found) == [
        "line 5:  of toy.c",
        "line 7:  of toy.d",
        "line 12: other of toy.b",
    ]


def test_rings_and_what_is_loaded_are_found(tmp_path):
    files = {
        "toy/a": "def late():\n    from toy.b import x\n",
        "toy/b": "from toy.c import x\n",
        "toy/c": "x = 1\n",
        "toy/lazy": "def late():\n    import tensorflow\n",
        "toy/slow": "from tensorflow import constant\n",
        "toy/room/__init__": "from toy import slow\n",
        "toy/room/inner": "y = 1\n",
        "toy/user": "from toy.b import x\nfrom toy.room.inner import y\n",
    }
    tree = toy(tmp_path, files)
    assert tree.ring() == []
    slow = {"tensorflow"}
    assert tree.way_to("toy.lazy", slow) == []
    assert tree.way_to("toy.b", slow) == []
    way = ["toy.user", "toy.room", "toy.slow", "tensorflow"]
    assert tree.way_to("toy.user", slow) == way
    assert tree.way_to("toy.room.inner", slow)[-1] == "tensorflow"
    for late in ("from toy import a", "import toy.a", "from toy.a import late"):
        files["toy/c"] = f"def late():\n    {late}\n"
        found = set(toy(tmp_path, files).ring())
        assert found == {"toy.a", "toy.b", "toy.c"}


def test_rooms_import_from_their_left_alone():
    assert {room(module) for module in TREE.paths} - {"electra_tf"} <= {*ORDER}
    wrong = {
        (module, target)
        for module in TREE.paths
        for found in TREE.imports(module)
        if (target := TREE.target(found)) not in (None, "electra_tf")
        and ORDER.index(room(target)) > ORDER.index(room(module))
    }
    assert not wrong


def test_no_modules_import_one_another():
    assert TREE.ring() == []


def test_nothing_is_imported_by_a_name_in_a_string():
    """Which would hide it from the tests here; the public names do so."""
    hidden = {
        module
        for module, tree in TREE.parsed()
        for node in ast.walk(tree)
        if {"import_module", "__import__"}
        & {getattr(node, field, "") for field in ("id", "attr", "name")}
    }
    assert hidden == {"electra_tf"}


def test_what_is_imported_exists():
    """In the package, in all that uses it, and in what the docs show."""
    wrong = []
    for top in ("electra_tf", "scripts", *USERS):
        for path in sorted((ROOT / top).rglob("*.py")):
            found = TREE.missing(imports(path.read_text(encoding="utf-8")))
            wrong += [f"{path.relative_to(ROOT)}, {each}" for each in found]
    for path in [*ROOT.glob("*.md"), *ROOT.rglob("docs/**/*.md")]:
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            found = TREE.missing(imports(block))
            wrong += [f"{path.relative_to(ROOT)}: {each}" for each in found]
    assert not wrong


def test_a_command_loads_no_tensorflow_before_its_flags_are_parsed():
    """Nor do the package, its errors and its configuration."""
    quick = [
        module
        for module in TREE.paths
        if room(module) in QUICK_ROOMS or module == "electra_tf"
    ]
    ways = [TREE.way_to(module, SLOW_TO_LOAD) for module in quick]
    assert [way for way in ways if way] == []
    # As the files say, so it is.
    loaded = "import sys; print(*sys.modules)"
    code = "".join(f"import {module}; " for module in quick) + loaded
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not SLOW_TO_LOAD & set(done.stdout.split())


def test_public_names_are_where_the_stub_says():
    import electra_tf

    stub = TREE.names("electra_tf") - {"__version__"}
    assert set(electra_tf.__all__) == set(dir(electra_tf)) == stub
    assert "from_pretrained" in stub
    for name in electra_tf.__all__:
        found = getattr(electra_tf, name)
        module = importlib.import_module(found.__module__)
        assert getattr(module, name) is found
        assert electra_tf._MODULES[name] == found.__module__


def test_no_module_is_a_drawer_for_anything():
    names = {path.stem for path in TREE.paths.values()}
    assert not names & DRAWERS


def test_files_and_functions_stay_short():
    counts = {m: s.count("\n") for m, s in TREE.sources.items()}
    assert not {m: count for m, count in counts.items() if count > LINES}
    long = {
        f"{module}.{node.name}"
        for module, tree in TREE.parsed()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno >= length_allowed(node.name)
    }
    assert not long


def length_allowed(function: str) -> int:
    return CONSTRUCTOR_LINES if function == "__init__" else FUNCTION_LINES
