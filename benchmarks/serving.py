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
at the same shapes in the same rounds; "of ceiling" is their time over the
session's. "text" is the time of `detect` with texts of as many tokens over
that of `detect_ids`. `--engines` leaves some out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np

LAYERS, HIDDEN, EMBEDDING, HEADS, VOCAB = 12, 256, 128, 4, 30522
ENGINES = ("session", "function", "text", "pytorch", "onnxruntime", "ceiling")

Run = Callable[[int, int], Callable[[], object]]


def ids_of(batch: int, length: int) -> dict[str, np.ndarray]:
    """Rows without padding."""
    rng = np.random.default_rng(0)
    ids = rng.integers(1000, 20000, (batch, length), np.int64)
    return {
        "input_ids": ids,
        "input_mask": np.ones_like(ids),
        "segment_ids": np.zeros_like(ids),
    }


def flops(batch: int, length: int) -> float:
    """Of the discriminator's matrix products, forward."""
    dense = 12 * HIDDEN**2 * LAYERS + EMBEDDING * HIDDEN + HIDDEN**2
    attention = 2 * length * HIDDEN * LAYERS
    return 2.0 * batch * length * (dense + attention)


def by_session(path: str) -> Run:
    from electra_tf.serving import replay

    replay.load_text_ops()
    answer = replay.by_session(path)

    def prepare(batch, length):
        ids = ids_of(batch, length)
        return lambda: answer("detect_ids", ids)

    return prepare


def by_function(path: str) -> Run:
    import tensorflow as tf

    from electra_tf.serving import replay

    replay.load_text_ops()
    signature = tf.saved_model.load(path).signatures["detect_ids"]

    def prepare(batch, length):
        ids = {k: tf.constant(v) for k, v in ids_of(batch, length).items()}
        return lambda: signature(**ids)["probabilities"].numpy()

    return prepare


def by_text(path: str) -> Run:
    from electra_tf.serving import replay

    replay.load_text_ops()
    answer = replay.by_session(path)

    def prepare(batch, length):
        texts = np.array([b"the " * (length - 2)] * batch, object)
        return lambda: answer("detect", {"text": texts})

    return prepare


def _huggingface():
    import torch
    import transformers

    config = transformers.ElectraConfig(
        vocab_size=VOCAB,
        embedding_size=EMBEDDING,
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * HIDDEN,
    )
    return torch, transformers.ElectraForPreTraining(config).eval()


def _torch_inputs(torch, batch, length):
    ids = ids_of(batch, length)
    names = ("input_ids", "input_mask", "segment_ids")
    return tuple(torch.from_numpy(ids[name]) for name in names)


def by_pytorch(path: str) -> Run:
    torch, model = _huggingface()

    def prepare(batch, length):
        inputs = _torch_inputs(torch, batch, length)

        def call():
            with torch.inference_mode():
                return model(*inputs).logits.numpy()

        return call

    return prepare


def by_onnxruntime(path: str) -> Run:
    import onnxruntime

    torch, model = _huggingface()
    model.config.return_dict = False
    names = ["input_ids", "attention_mask", "token_type_ids"]
    free = {0: "batch", 1: "length"}
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "electra.onnx")
        torch.onnx.export(
            model,
            _torch_inputs(torch, 2, 16),
            file,
            input_names=names,
            output_names=["logits"],
            dynamic_axes=dict.fromkeys([*names, "logits"], free),
            dynamo=False,
        )
        session = onnxruntime.InferenceSession(file)
    taken = {value.name for value in session.get_inputs()}

    def prepare(batch, length):
        values = zip(names, ids_of(batch, length).values(), strict=True)
        feeds = {name: x for name, x in values if name in taken}
        return lambda: session.run(None, feeds)

    return prepare


def by_ceiling(path: str) -> Run:
    """The discriminator's matrix products, without anything between them."""
    import tensorflow as tf

    def variable(*shape):
        return tf.Variable(tf.random.normal(shape, stddev=shape[0] ** -0.5))

    project = variable(EMBEDDING, HIDDEN)
    layers = [
        [
            *(variable(HIDDEN, HIDDEN) for _ in "qkvo"),
            variable(HIDDEN, 4 * HIDDEN),
            variable(4 * HIDDEN, HIDDEN),
        ]
        for _ in range(LAYERS)
    ]
    head, last = variable(HIDDEN, HIDDEN), variable(HIDDEN, 1)

    @tf.function(reduce_retracing=True)
    def products(x, batch):
        x = x @ project
        for *inputs, output, up, down in layers:
            heads = [batch, HEADS, -1, HIDDEN // HEADS]
            q, k, v = (tf.reshape(x @ w, heads) for w in inputs)
            context = tf.matmul(q, k, transpose_b=True) @ v
            x = tf.reshape(context, tf.shape(x)) @ output @ up @ down
        return x @ head @ last

    def prepare(batch, length):
        x = tf.random.normal([batch * length, EMBEDDING])
        return lambda: products(x, tf.constant(batch)).numpy()

    return prepare


def work(engine: str, path: str) -> None:
    """Answers lines of [batch, length, calls] by lists of seconds."""
    prepare = globals()[f"by_{engine}"](path)
    print("ready", flush=True)
    for line in sys.stdin:
        batch, length, calls = json.loads(line)
        call = prepare(batch, length)
        call()  # what is done once a shape
        seconds = []
        for _ in range(calls):
            begin = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - begin)
        print(json.dumps(seconds), flush=True)


class Worker:
    """An engine's process."""

    def __init__(self, engine: str, path: str):
        self._process = subprocess.Popen(
            [
                sys.executable,
                __file__,
                f"--saved_model={path}",
                f"--work={engine}",
            ],
            # PyTorch's threads wait by spinning, and where the machine does
            # other work they spin while what they wait for does not run.
            env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._expect("ready")

    def _expect(self, line: str = "") -> str:
        while found := self._process.stdout.readline():
            if found.startswith(line or "["):
                return found
        raise SystemExit("an engine ended; its error stands above")

    def measure(self, batch: int, length: int, calls: int) -> list[float]:
        print(
            json.dumps([batch, length, calls]),
            file=self._process.stdin,
            flush=True,
        )
        return json.loads(self._expect())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def lines(medians: dict, shapes: list[tuple[int, int]]) -> Iterator[str]:
    """The table, in Markdown."""
    engines = [
        e for e in ENGINES if e in medians and e not in ("ceiling", "text")
    ]
    yield (
        "| batch | length | "
        + " | ".join(f"{e}, ms" for e in engines)
        + " | session : pytorch | of ceiling | text |"
    )
    yield "| ---: " * (len(engines) + 5) + "|"
    for shape in shapes:
        cells = [f"{1e3 * medians[e][shape]:.1f}" for e in engines]
        cells += ratios(medians, shape)
        yield f"| {shape[0]} | {shape[1]} | " + " | ".join(cells) + " |"


def ratios(medians: dict, shape: tuple[int, int]) -> list[str]:
    """Speed over PyTorch's, share of the ceiling, cost of text; "-" without."""

    def ratio(above, below):
        if above not in medians or below not in medians:
            return "-"
        return f"{medians[above][shape] / medians[below][shape]:.2f}"

    return [
        ratio("pytorch", "session"),
        ratio("ceiling", "session"),
        ratio("text", "session"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--saved_model", required=True)
    parser.add_argument("--batches", default="1,8,32")
    parser.add_argument("--lengths", default="32,128,512")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--work", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given.work, given.saved_model)
        return
    shapes = [
        (int(batch), int(length))
        for batch in given.batches.split(",")
        for length in given.lengths.split(",")
    ]
    workers = {
        engine: Worker(engine, given.saved_model)
        for engine in given.engines.split(",")
    }
    before = os.getloadavg()[0]
    found = {engine: {s: [] for s in shapes} for engine in workers}
    for _ in range(given.rounds):
        for shape in shapes:
            for engine, worker in workers.items():
                once = worker.measure(*shape, 1)[0]
                calls = max(1, min(50, int(given.seconds / once)))
                found[engine][shape] += worker.measure(*shape, calls)
    for worker in workers.values():
        worker.close()
    medians = {
        engine: {s: statistics.median(x) for s, x in times.items()}
        for engine, times in found.items()
    }
    print("\n".join(lines(medians, shapes)))
    for shape in shapes if "ceiling" in medians else ():
        rate = 1e-9 * flops(*shape) / medians["ceiling"][shape]
        print(f"ceiling at {shape[0]} x {shape[1]}: {rate:.0f} GFLOP/s")
    print(
        f"{os.cpu_count()} cores; load average {before:.1f} before, "
        f"{os.getloadavg()[0]:.1f} after (of the run itself about 1 to "
        f"{os.cpu_count()})"
    )


if __name__ == "__main__":
    main()
