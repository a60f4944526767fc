r"""The pre-training step beside its peers and the machine's limits, in one run.

    pip install torch transformers
    python benchmarks/pretraining.py --output_dir=benchmarks/results

Each engine has a process of its own a shape (size, batch, length), and all of
them take steps turn about. Printed are the medians as sequences a second, the
range over rounds, the ratio of ours to each peer, and the share of two
ceilings: the step's own matrix products alone in one graph, and one large
float32 product. Then the delay to the first step and the peak of memory. The
table goes to the output folder, with JSON and a plot.

PyTorch and TF Model Garden may live in environments of their own, named by
their interpreters (--python=pytorch=torch/bin/python,model_garden=...);
--environments=DIR makes them there. Engines whose packages are missing are
left out, by name. A machine whose load average is above 0.3 is refused.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence

from pretraining_step import SIZES, shape_of, slots_of
from turns import Worker, check_quiet

HERE = pathlib.Path(__file__).parent
FILES = {
    "ours": "pretraining_engines.py",
    "ours_bfloat16": "pretraining_engines.py",
    "pytorch": "pretraining_pytorch.py",
    "pytorch_bfloat16": "pretraining_pytorch.py",
    "pytorch_compile": "pretraining_pytorch.py",
    "model_garden": "pretraining_model_garden.py",
    "ceiling": "pretraining_engines.py",
    "matmul": "pretraining_engines.py",
}
NEEDS = {
    "pytorch": ["torch", "transformers"],
    "model_garden": ["tf-models-official", "tf-keras"],
}
ENGINES = ("ours", "ours_bfloat16", "pytorch", "pytorch_bfloat16", "ceiling")
SHAPES = "small,16,128 small,8,128 small,32,128 small,4,512 base,4,128"
PEERS = ("pytorch", "pytorch_compile", "model_garden")
MATMUL_FLOPS = 2.0 * 2048**3


def step_flops(shape: str) -> float:
    """Of the matrix products of a step: forward, and twice that backward."""
    size, batch, length = shape_of(shape)
    hidden, embedding, blocks, _, small, _ = SIZES[size]

    def encoder(width: int) -> float:
        project = embedding * width if embedding != width else 0
        dense = 12 * width**2 * blocks + project
        return length * (dense + 2 * length * width * blocks)

    words = slots_of(length) * embedding * (small + 30522)
    return 6.0 * batch * (encoder(hidden) + encoder(small) + words)


def python_of(engine: str, given: argparse.Namespace) -> str:
    """The interpreter of an engine's environment, made where asked for."""
    kind = engine.split("_bfloat16")[0].split("_compile")[0]
    named = dict(pair.split("=", 1) for pair in given.python.split(",") if pair)
    if kind in named or kind not in NEEDS or not given.environments:
        return named.get(kind, sys.executable)
    folder = pathlib.Path(given.environments, kind)
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"installing {' '.join(NEEDS[kind])} in {folder}", flush=True)
        venv.create(folder, with_pip=True)
        command = [python, "-m", "pip", "install", "-q", *NEEDS[kind]]
        subprocess.run(command, check=True)
    return str(python)


def measured(shape: str, given: argparse.Namespace) -> dict[str, dict]:
    """Engine -> what it took, of engines that took steps turn about."""
    workers = {}
    for engine in given.engines.split(","):
        python, file = python_of(engine, given), str(HERE / FILES[engine])
        try:
            workers[engine] = Worker(file, engine, shape, python=python)
        except SystemExit:
            print(f"{engine} is left out", file=sys.stderr)
    found = {
        engine: {**worker.built, "rounds": []}
        for engine, worker in workers.items()
    }
    for _ in range(given.rounds):
        for engine, worker in workers.items():
            told = worker.ask(given.steps)
            found[engine]["rounds"].append(told["seconds"])
            found[engine]["peak"] = told["peak"]
    for worker in workers.values():
        worker.close()
    return found


def seconds_of(found: Mapping) -> float:
    """The median over all steps."""
    return statistics.median(s for round_ in found["rounds"] for s in round_)


def range_of(found: Mapping) -> str:
    """The least and the most of the rounds' medians, in per cent."""
    medians = [statistics.median(r) for r in found["rounds"]]
    middle = statistics.median(medians)
    low, high = min(medians) / middle - 1, max(medians) / middle - 1
    return f"{100 * low:+.0f} … {100 * high:+.0f}"


def lines(shape: str, found: Mapping[str, Mapping]) -> Iterator[str]:
    """The table of a shape, in Markdown."""
    size, batch, length = shape_of(shape)
    yield f"\n### {size}, {batch} x {length}\n"
    yield (
        "| engine | sequences/s | range, % | ours : it | of products | import, "
        "s | first step, s | peak, GB |"
    )
    yield "| --- " + "| ---: " * 7 + "|"
    ours = seconds_of(found["ours"]) if "ours" in found else float("nan")
    for engine, each in found.items():
        if engine == "matmul":
            continue
        seconds = seconds_of(each)
        base = found.get("ours_bfloat16")
        if engine == "pytorch_bfloat16" and base:
            ratio = seconds / seconds_of(base)
        else:
            ratio = seconds / ours
        share = "-"
        if "ceiling" in found:
            share = f"{100 * seconds_of(found['ceiling']) / seconds:.0f} %"
        yield (
            f"| {engine} | {batch / seconds:.2f} | {range_of(each)} | "
            f"{ratio:.2f} | {share} | {each['import']:.1f} | "
            f"{each['first']:.1f} | {each['peak']:.2f} |"
        )
    if "ceiling" in found:
        rate = 1e-9 * step_flops(shape) / seconds_of(found["ceiling"])
        yield f"\nThe products alone: {rate:.0f} GFLOP/s."
    if "matmul" in found:
        rate = 1e-9 * MATMUL_FLOPS / seconds_of(found["matmul"])
        yield f"One float32 product of 2048 cubed: {rate:.0f} GFLOP/s."


def plot(results: Mapping[str, Mapping], file: pathlib.Path) -> None:
    """Sequences a second of each engine, a group of bars a shape."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    engines = [e for e in FILES if any(e in r for r in results.values())]
    engines = [e for e in engines if e != "matmul"]
    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    width = 0.8 / len(engines)
    for place, engine in enumerate(engines):
        xs, ys = [], []
        for group, found in enumerate(results.values()):
            if engine in found and "ours" in found:
                xs.append(group + place * width)
                ours = seconds_of(found["ours"])
                ys.append(ours / seconds_of(found[engine]))
        axes.bar(xs, ys, width, label=engine)
    middle = 0.4 - width / 2
    axes.set_xticks([g + middle for g in range(len(results))], list(results))
    axes.set_ylabel("speed, electra_tf in float32 = 1")
    axes.legend(ncols=len(engines), loc="upper center", fontsize="small")
    figure.savefig(file, dpi=120)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--shapes", default=SHAPES, help=SHAPES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--python", default="")
    parser.add_argument("--environments", default="")
    parser.add_argument("--output_dir", default="")
    parser.add_argument("--even_so", action="store_true")
    return parser.parse_args(arguments)


def main() -> None:
    given = parse()
    before, results, page = check_quiet(given.even_so), {}, []
    for shape in given.shapes.split():
        results[shape] = measured(shape, given)
        found = list(lines(shape, results[shape]))
        page += found
        print("\n".join(found), flush=True)
    end = (
        f"\n{os.cpu_count()} cores; load average {before:.2f} before, "
        f"{os.getloadavg()[0]:.1f} after (of the run itself)"
    )
    print(end)
    if given.output_dir:
        folder = pathlib.Path(given.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        text = "\n".join([*page, end]) + "\n"
        (folder / "pretraining.md").write_text(text, encoding="utf-8")
        dumped = json.dumps({"load": before, "shapes": results}, indent=1)
        (folder / "pretraining.json").write_text(dumped, encoding="utf-8")
        plot(results, folder / "pretraining.png")


if __name__ == "__main__":
    main()
