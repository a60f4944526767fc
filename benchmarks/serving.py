r"""Speed of an export beside PyTorch eager and ONNX Runtime, in one run.

    pip install torch==2.13.0 transformers onnx onnxscript onnxruntime
    python scripts/export_saved_model.py --model_dir=runs/small \
        --output_dir=served/electra
    python benchmarks/serving.py --saved_model=served/electra/1

Each engine lives in a process of its own and works only when asked: ids of
every batch and length go to one engine after the other, round by round, so
that whatever else the machine does meets all of them. Shown is the median of
all calls. PyTorch and ONNX Runtime run Hugging Face's ELECTRA-Small
discriminator with random weights; give an export of the same sizes.

The ceiling is what TensorFlow reaches in the network's matrix products alone,
at the same shapes in the same rounds: "of ceiling" is their time in one graph,
"of apart" their time as one call after another, over the session's. "text" is
the time of `detect` with texts of as many tokens over that of `detect_ids`.
`--engines` leaves some out.
"""

import argparse
import os
import statistics
from collections.abc import Iterator

import serving_engines
from serving_engines import ENGINES, flops
from turns import Worker


def lines(medians: dict, shapes: list[tuple[int, int]]) -> Iterator[str]:
    """The table, in Markdown."""
    hidden = ("text", "ceiling", "apart")  # shown as ratios
    engines = [e for e in ENGINES if e in medians and e not in hidden]
    yield (
        "| batch | length | "
        + " | ".join(f"{e}, ms" for e in engines)
        + " | session : pytorch | of ceiling | of apart | text |"
    )
    yield "| ---: " * (len(engines) + 6) + "|"
    for shape in shapes:
        cells = [f"{1e3 * medians[e][shape]:.1f}" for e in engines]
        cells += ratios(medians, shape)
        yield f"| {shape[0]} | {shape[1]} | " + " | ".join(cells) + " |"


def ratios(medians: dict, shape: tuple[int, int]) -> list[str]:
    """Speed over PyTorch's, shares of the ceilings, cost of text; or "-"."""

    def ratio(above, below):
        if above not in medians or below not in medians:
            return "-"
        return f"{medians[above][shape] / medians[below][shape]:.2f}"

    return [
        ratio("pytorch", "session"),
        ratio("ceiling", "session"),
        ratio("apart", "session"),
        ratio("text", "session"),
    ]


def measured(workers: dict, shapes: list, rounds: int, seconds: float) -> dict:
    """Engine -> shape -> median of its seconds a call, taken in turns."""
    found = {engine: {s: [] for s in shapes} for engine in workers}
    for _ in range(rounds):
        for shape in shapes:
            for engine, worker in workers.items():
                once = worker.ask(*shape, 1)[0]
                calls = max(1, min(50, int(seconds / once)))
                found[engine][shape] += worker.ask(*shape, calls)
    return {
        engine: {s: statistics.median(x) for s, x in times.items()}
        for engine, times in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--saved_model", required=True)
    parser.add_argument("--batches", default="1,8,32")
    parser.add_argument("--lengths", default="32,128,512")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--engines", default=",".join(ENGINES))
    given = parser.parse_args()
    shapes = [
        (int(batch), int(length))
        for batch in given.batches.split(",")
        for length in given.lengths.split(",")
    ]
    workers = {
        engine: Worker(serving_engines.__file__, engine, given.saved_model)
        for engine in given.engines.split(",")
    }
    before = os.getloadavg()[0]
    medians = measured(workers, shapes, given.rounds, given.seconds)
    for worker in workers.values():
        worker.close()
    print("\n".join(lines(medians, shapes)))
    for ceiling in [c for c in ("ceiling", "apart") if c in medians]:
        for shape in shapes:
            rate = 1e-9 * flops(*shape) / medians[ceiling][shape]
            print(f"{ceiling} at {shape[0]} x {shape[1]}: {rate:.0f} GFLOP/s")
    print(
        f"{os.cpu_count()} cores; load average {before:.1f} before, "
        f"{os.getloadavg()[0]:.1f} after (of the run itself about 1 to "
        f"{os.cpu_count()})"
    )


if __name__ == "__main__":
    main()
