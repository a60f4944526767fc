r"""Fine-tuning and prediction beside PyTorch with transformers, in one run.

    pip install torch transformers
    python benchmarks/finetuning.py

A classifier at SST-2's and MNLI's lengths and a reader at SQuAD's, of
ELECTRA-Small's size. Each engine has a process of its own a shape; they work
turn about. The medians, their ratio, the delay to the end of the first training
step after the imports, and the peak of memory.
"""

import argparse
import pathlib
import statistics

from turns import Worker, check_quiet

FILE = str(pathlib.Path(__file__).with_name("finetuning_engines.py"))
SHAPES = "classify,32,64 classify,32,128 answer,8,384"
ENGINES = ("ours", "pytorch")


def measured(shape: str, python: str, rounds: int, calls: int) -> dict:
    """Engine -> built, medians of train and predict, peak."""
    workers = {
        engine: Worker(
            FILE,
            engine,
            *shape.split(","),
            python=python if engine == "pytorch" else "",
        )
        for engine in ENGINES
    }
    seconds = {engine: {"train": [], "predict": []} for engine in ENGINES}
    peaks = {}
    for _ in range(rounds):
        for work in ("train", "predict"):
            for engine, worker in workers.items():
                told = worker.ask(work, calls)
                seconds[engine][work] += told["seconds"]
                peaks[engine] = told["peak"]
    for worker in workers.values():
        worker.close()
    return {
        engine: {
            **workers[engine].built,
            "peak": peaks[engine],
            **{work: statistics.median(s) for work, s in found.items()},
        }
        for engine, found in seconds.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", default=SHAPES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=5)
    parser.add_argument("--pytorch_python", default="")
    parser.add_argument("--even_so", action="store_true")
    given = parser.parse_args()
    load = check_quiet(given.even_so)
    print(
        "| task, batch x length | | sequences/s | PyTorch | ratio |\n"
        "| --- | --- | ---: | ---: | ---: |"
    )
    ends = []
    for shape in given.shapes.split():
        task, batch, length = shape.split(",")
        found = measured(shape, given.pytorch_python, given.rounds, given.calls)
        ours, theirs = (found[engine] for engine in ENGINES)
        for work in ("train", "predict"):
            print(
                f"| {task}, {batch} x {length} | {work} | "
                f"{int(batch) / ours[work]:.1f} | "
                f"{int(batch) / theirs[work]:.1f} | "
                f"{theirs[work] / ours[work]:.2f} |",
                flush=True,
            )
        ends.append(
            f"{shape}: first step {ours['first']:.1f} s after import "
            f"(PyTorch {theirs['first']:.1f}), peak {ours['peak']:.2f} GB "
            f"({theirs['peak']:.2f})"
        )
    print("", *ends, f"load average before: {load:.2f}", sep="\n")


if __name__ == "__main__":
    main()
