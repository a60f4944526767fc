"""Fine-tunes seven tasks from pre-trained and from fresh weights.

Runs scripts/finetune.py, task after task, both ways, with the same settings;
the same command again goes on where it was stopped. Prints a Markdown table:
the median over the trials, and from the lowest to the highest; how far the
medians are apart, and the deviation of each start's trials.

  python benchmarks/pretrained_against_scratch.py --init_checkpoint=runs/books \
      --data_dir=data --work_dir=runs/finetuned

`data` holds glue/{SST-2,CoLA,MRPC,STS-B}, chunking_conll2000/train.txt (whose
last tenth becomes the dev set), ner_wnut17, squad. The rate is the paper's for
ELECTRA-Small, the epochs as well, but: five epochs instead of three for SST-2
and CoLA; ten for WNUT-17, where with three no entity is found; MRPC at 1e-3.
"""

import argparse
import dataclasses
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]
STARTS = {"pre-trained": "nofrom_scratch", "from scratch": "from_scratch"}
HEAD = (
    "task",
    "metric",
    *STARTS,
    "ahead by",
    "deviations",
    "every trial ahead",
)
SHORT = "--max_seq_length=64"
FIVE, TEN = "--num_train_epochs=5", "--num_train_epochs=10"


@dataclasses.dataclass(frozen=True)
class Task:
    """A task of the command, its metric, and flags of its own."""

    name: str
    metric: str
    folder: str
    flags: tuple[str, ...] = ()


def tasks(data: pathlib.Path, work: pathlib.Path) -> list[Task]:
    """The seven, the quickest first."""
    chunks = split_chunks(data / "chunking_conll2000/train.txt", work)
    ner, squad = data / "ner_wnut17", data / "squad"
    tagged = {
        "train": ner / "wnut17train.conll",
        "dev": ner / "emerging.dev.conll",
    }
    asked = {
        "train": squad / "shared-train-v1.1.json",
        "dev": squad / "shared-dev-v1.1.json",
    }
    cut = "--max_train_examples=10000"
    windows = ("--max_seq_length=128", "--doc_stride=64")
    return [
        Task("sst2", "accuracy", "glue/SST-2", (cut, FIVE)),
        Task("cola", "mcc", "glue/CoLA", (FIVE,)),
        Task("mrpc", "accuracy", "glue/MRPC", ("--learning_rate=1e-3",)),
        Task("wnut17", "f1", "ner_wnut17", (*file_flags(tagged), TEN, SHORT)),
        Task("chunk", "f1", "chunking_conll2000", file_flags(chunks)),
        Task("stsb", "spearman", "glue/STS-B", (SHORT,)),
        Task("squad1", "f1", "squad", (*file_flags(asked), *windows)),
    ]


def file_flags(files: dict[str, pathlib.Path]) -> tuple[str, ...]:
    """Flags that name a task's files."""
    return tuple(f"--{split}_file={path}" for split, path in files.items())


def split_chunks(
    source: pathlib.Path, work: pathlib.Path
) -> dict[str, pathlib.Path]:
    """The last tenth of the sentences as a dev set."""
    sentences = source.read_text(encoding="utf-8").strip().split("\n\n")
    border = len(sentences) * 9 // 10
    parts = {"train": sentences[:border], "dev": sentences[border:]}
    files = {}
    for name, part in parts.items():
        files[name] = work / f"chunk-{name}.txt"
        files[name].write_text("\n\n".join(part) + "\n", encoding="utf-8")
    return files


def finetune(task: Task, start: str, given: argparse.Namespace) -> dict:
    """One task from one start; its entry of results.json."""
    folder = given.work_dir / STARTS[start] / task.name
    command = [
        sys.executable,
        str(ROOT / "scripts/finetune.py"),
        f"--task={task.name}",
        f"--{STARTS[start]}",
        f"--init_checkpoint={given.init_checkpoint}",
        f"--data_dir={given.data_dir / task.folder}",
        f"--output_dir={folder}",
        f"--num_trials={given.num_trials}",
        f"--learning_rate={given.learning_rate}",
        "--nosave_model",
        *task.flags,
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    results = json.loads((folder / "results.json").read_text())
    return results[task.name]


def row(task: Task, found: dict[str, dict]) -> str:
    """Medians, ranges, and by how much the one start is ahead."""
    ours, fresh = (
        sorted(
            trial["metrics"][task.metric] for trial in found[start]["trials"]
        )
        for start in STARTS
    )
    cells = [
        f"{statistics.median(each):.1f} ({each[0]:.1f} - {each[-1]:.1f})"
        for each in (ours, fresh)
    ]
    cells.append(f"{statistics.median(ours) - statistics.median(fresh):+.1f}")
    cells.append(f"{deviation(ours)}, {deviation(fresh)}")
    cells.append("yes" if ours[0] > fresh[-1] else "no")
    return f"| {task.name} | {task.metric} | {' | '.join(cells)} |"


def deviation(trials: list[float]) -> str:
    """The sample's; "-" of a single trial."""
    return f"{statistics.stdev(trials):.1f}" if len(trials) > 1 else "-"


def main() -> None:
    """Runs what is missing and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--init_checkpoint", required=True)
    parser.add_argument("--data_dir", type=pathlib.Path, required=True)
    parser.add_argument("--work_dir", type=pathlib.Path, required=True)
    parser.add_argument("--num_trials", type=int, default=3)
    parser.add_argument("--learning_rate", type=float, default=3e-4)
    given = parser.parse_args()
    given.work_dir.mkdir(parents=True, exist_ok=True)
    print(f"| {' | '.join(HEAD)} |")
    print("| --- " * len(HEAD) + "|", flush=True)
    for task in tasks(given.data_dir, given.work_dir):
        found = {start: finetune(task, start, given) for start in STARTS}
        print(row(task, found), flush=True)


if __name__ == "__main__":
    main()
