"""README's blocks, run as they stand where its hidden marks say so."""

import dataclasses
import pathlib
import re
import shlex

import pytest
import tiny

ROOT = pathlib.Path(__file__).parents[2]
RUN, SAMPLE, DAYS = "run", "run with sample data", "needs a GPU or days"
MARKS = {
    RUN, SAMPLE, DAYS, "needs a network", "serves until it is stopped",
}  # fmt: skip
# What a user has before he follows README, and what the days would give.
COLA = "gj04\t1\t\tShe ran.\ngj04\t0\t*\tHer ran.\n" * 20
SST2 = "sentence\tlabel\n" + "we are glad\t1\nwe are not\t0\n" * 20
NBEST = "1\twe are glad\n1\tglad we we\n2\tthe union is strong\n"
SAMPLES = {
    "corpus/addresses.txt": tiny.text(),
    "nbest.tsv": NBEST,
    "pairs.tsv": "paradigm\tgood\tbad\nnumber\twe are\twe is\n",
    **{f"glue/CoLA/{n}.tsv": COLA for n in ("train", "dev")},
    **{f"glue/SST-2/{n}.tsv": SST2 for n in ("train", "dev")},
}
SIZES = {"max_position_embeddings": 128, "max_seq_length": 128}
STEPS = {"num_train_steps": 4, "num_eval_steps": 1}


@dataclasses.dataclass(frozen=True)
class Block:
    """Code of README: its line, the mark above it, Python or a shell's."""

    line: int
    mark: str
    is_python: bool
    code: str


def blocks(text: str) -> list[Block]:
    """Fenced and indented blocks, each with the comment right above it."""
    found: list[Block] = []
    pattern = re.compile(
        r"(?:^<!-- (?P<mark>.*) -->\n\n)?"  # or none
        r"(?:^```(?P<kind>\w*)\n(?P<fenced>(?:.*\n)*?)```$"
        r"|(?P<plain>(?:^ {4}.*\n)+))",
        re.MULTILINE,
    )
    for match in pattern.finditer(text):
        found.append(
            Block(
                text.count("\n", 0, match.end()),
                match["mark"] or "",
                match["kind"] == "python",
                match["fenced"] or match["plain"],
            )
        )
    return found


def commands(code: str) -> list[list[str]]:
    """The words of each command; what follows # is left out."""
    joined = code.replace("\\\n", " ")
    found = [shlex.split(line, comments=True) for line in joined.splitlines()]
    return [words for words in found if words]


BLOCKS = blocks((ROOT / "README.md").read_text(encoding="utf-8"))


def test_blocks_are_found_with_their_marks():
    text = "a\n\n<!-- run -->\n\n    b \\\n      c  # d\n\n```python\ne\n```\n"
    first, second = blocks(text)
    assert (first.mark, first.is_python) == (RUN, False)
    assert commands(first.code) == [["b", "c"]]
    assert (second.mark, second.is_python, second.code) == ("", True, "e\n")


def test_every_block_says_how_it_is_run():
    assert len(BLOCKS) > 15
    wrong = [b for b in BLOCKS if b.mark not in MARKS]
    assert not wrong
    run = [block for block in BLOCKS if block.mark in (RUN, SAMPLE)]
    assert len(run) > len(BLOCKS) // 2


def test_the_japanese_readme_has_the_same_commands():
    text = (ROOT / "README.ja.md").read_text(encoding="utf-8")
    ours = {block.code for block in BLOCKS}
    other = {b.code for b in blocks(text) if "demo_ja" not in b.code}
    assert len(other) > 10
    assert other <= ours


def run_shell(code: str, *arguments: str) -> None:
    for python, script, *words in commands(code):
        assert python == "python"
        name = script.removeprefix("scripts/").removesuffix(".py")
        finished = tiny.command(name, *words, *arguments)
        assert finished.code == 0, finished.err


def prepare(folder: pathlib.Path) -> None:
    """Sample data; runs/small and runs/electric, of seconds."""
    (folder / "configs").symlink_to(ROOT / "configs")
    for name, text in SAMPLES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "pieces.txt").write_text("\n".join(tiny.vocab()) + "\n")
    tiny.build("corpus/addresses.txt", "sample", "pieces.txt", 128)
    for name in ("small", "electric"):
        given = ["--flagfile=configs/objectives/electric.flags"]
        finished = tiny.pretrain(
            *(given if name == "electric" else []),
            model_dir=f"runs/{name}",
            data_dir="sample",
            **SIZES,
            **STEPS,
        )
        assert finished.code == 0, finished.err


@pytest.mark.slow
def test_the_blocks_run_as_they_stand(tmp_path, monkeypatch):
    """From top to bottom in one folder, each on what those above left."""
    pytest.importorskip("tensorflow_serving")
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path)
    names: dict[str, object] = {}
    for block in BLOCKS:
        print(f"README.md, the block that ends in line {block.line}")
        if block.mark == DAYS:
            run_shell(block.code, "--dry_run")
        elif block.mark in (RUN, SAMPLE) and block.is_python:
            exec(block.code, names)
        elif block.mark in (RUN, SAMPLE):
            run_shell(block.code)
    for made in ("records/vocab.txt", "model.keras", "served/sentiment/1"):
        assert pathlib.Path(made).exists()
    assert pathlib.Path("vocab.txt").read_text() == (
        pathlib.Path("records/vocab.txt").read_text()
    )
