r"""Every kind of model in every format: the same ten texts through all of them.

    pip install -e ".[serving,onnx,litert,openvino]"
    python benchmarks/export_matrix.py --model_dir=tiny

Each model is made of the same pre-trained weights with a head of seed 0, is
exported, and is asked for its ten texts of `ids_network.TEXTS` (pairs: each
with the one before). A cell is the largest difference of any output from the
Keras model's, absolute up to 1 and relative above. All take ids. Where a format
cannot, its reason stands below the table.

`session` is the loader of TensorFlow Serving, `cli` is `saved_model_cli run`.
`--kinds` (apart by semicolons) and `--formats` leave some out.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

import electra_tf
from electra_tf.serving import NAMES
from electra_tf.serving.formats import FORMATS
from electra_tf.serving.ids_network import TEXTS, IdsNetwork, comparable
from electra_tf.serving.model_export import export_model
from electra_tf.serving.warmup import distance

LABELS = ("no", "yes", "maybe")
# Kind -> class, its arguments; of pre-trained models what is asked.
KINDS: dict[str, tuple] = {
    "detect": (None, "detect"),
    "embed": (None, "embed"),
    "Classifier": ("Classifier", {"labels": LABELS}),
    "Classifier, multi_label": (
        "Classifier", {"labels": LABELS, "multi_label": True}
    ),
    "Regressor": ("Regressor", {}),
    "Ranker": ("Ranker", {}),
    "SentenceEncoder": ("SentenceEncoder", {}),
    "Tagger": ("Tagger", {"labels": ("O", "B-X", "I-X")}),
    "SpanQA, joint head": ("SpanQA", {"head": "joint"}),
    "SpanQA, plain head": ("SpanQA", {"head": "plain"}),
}  # fmt: skip
# The command itself does not know TF Text's operations, which a graph that
# takes texts holds, whichever signature is asked.
CLI = """
import tensorflow_text
from tensorflow.python.tools.saved_model_cli import main
main()
"""
SAVED = ("function", "session", "cli")
INT8 = "litert int8"
ENDINGS = {"onnx": "onnx", "openvino": "xml", "litert": "tflite"}


def make(kind: str, model_dir: str):
    """The model, and `what` of a pre-trained one."""
    name, given = KINDS[kind]
    if name is None:
        return electra_tf.from_pretrained(model_dir), given
    keras.utils.set_random_seed(0)
    cls = getattr(electra_tf, name)
    return cls.from_pretrained(model_dir, max_seq_length=128, **given), ""


def run_function(path: str, signature: str) -> Callable:
    model = tf.saved_model.load(path)
    ask = model.signatures[signature]

    def run(ids):
        model  # noqa: B018, kept alive
        found = ask(**{n: tf.constant(x) for n, x in ids.items()})
        return {name: x.numpy() for name, x in found.items()}

    return run


def run_session(path: str, signature: str) -> Callable:
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)
    with graph.as_default():
        loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], path)
    spec = loaded.signature_def[signature]

    def run(ids):
        feeds = {spec.inputs[name].name: x for name, x in ids.items()}
        return session.run({k: v.name for k, v in spec.outputs.items()}, feeds)

    return run


def numbers_in(folder: str) -> dict[str, np.ndarray]:
    """Its .npy files; strings are pickled, and left where they are."""
    found = {}
    for name in os.listdir(folder):
        with contextlib.suppress(ValueError):
            array = np.load(os.path.join(folder, name), allow_pickle=False)
            found[name.removesuffix(".npy")] = array
    return found


def run_cli(path: str, signature: str) -> Callable:
    """`saved_model_cli run`, which reads and writes .npy files."""

    def run(ids):
        with tempfile.TemporaryDirectory() as folder:
            inputs = []
            for name, x in ids.items():
                np.save(os.path.join(folder, f"{name}.npy"), x)
                inputs.append(f"{name}={folder}/{name}.npy")
            out = os.path.join(folder, "out")
            os.mkdir(out)
            done = subprocess.run(
                [
                    sys.executable, "-c", CLI, "run", "--dir", path,
                    "--tag_set", "serve",
                    "--signature_def", signature, "--inputs",
                    ";".join(inputs), "--outdir", out,
                ],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                raise RuntimeError(done.stderr.strip().splitlines()[-1])
            return numbers_in(out)

    return run


RUN_SAVED = {"function": run_function, "session": run_session, "cli": run_cli}


def one_by_one(run: Callable) -> Callable:
    """For a format that takes one row of one length."""

    def rows(ids):
        count = len(ids["input_ids"])
        found = [run({n: x[i : i + 1] for n, x in ids.items()})
                 for i in range(count)]  # fmt: skip
        return {n: np.concatenate([row[n] for row in found]) for n in found[0]}

    return rows


def largest(network: IdsNetwork, run: Callable) -> float:
    """Over all outputs that are numbers."""
    ids = network.examples(128)
    expected = network(*(tf.constant(ids[name]) for name in NAMES))
    expected = comparable({n: x.numpy() for n, x in expected.items()})
    found = comparable(run(ids))
    return max(distance(x, found.get(n)) for n, x in expected.items())


def cells(
    kind: str, model_dir: str, formats: list[str], folder: str
) -> Iterator[tuple[str, float | str]]:
    """(format, largest difference or the reason why there is none)."""
    model, what = make(kind, model_dir)
    network = IdsNetwork(model, what)
    stem = os.path.join(folder, kind.replace(", ", "_").replace(" ", "_"))
    if set(SAVED) & set(formats):
        export_model(model, f"{stem}/1", warmup=False)
    signature = f"{what}_ids" if what else "serving_default"
    for name in formats:
        try:
            if name in SAVED:
                run = RUN_SAVED[name](f"{stem}/1", signature)
            else:
                run = of_file(name, model, what, stem)
            yield name, largest(network, run)
        except Exception as error:  # to be named in the table
            reason = (str(error).splitlines() or [""])[0]
            yield name, f"{type(error).__name__}: {reason}"


def of_file(name: str, model, what: str, stem: str) -> Callable:
    format, _, quantize = name.partition(" ")
    given = {"what": what} if what else {}
    if format == "litert":
        given |= {"quantize": quantize or "none", "max_seq_length": 128}
    path = f"{stem}{quantize}.{ENDINGS[format]}"
    print(export_model(model, path, format, **given), file=sys.stderr)
    run = FORMATS[format].open(path)
    return one_by_one(run) if FORMATS[format].is_fixed else run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model_dir", default="tiny")
    parser.add_argument("--kinds", default=";".join(KINDS))
    formats = (*SAVED, *ENDINGS, INT8)
    parser.add_argument("--formats", default=",".join(formats))
    given = parser.parse_args()
    chosen, reasons = given.formats.split(","), []
    print(f"| {len(TEXTS)} texts | {' | '.join(chosen)} |")
    print(f"| --- {'| ---: ' * len(chosen)}|")
    with tempfile.TemporaryDirectory() as folder:
        for kind in given.kinds.split(";"):
            row = []
            for name, found in cells(kind, given.model_dir, chosen, folder):
                if isinstance(found, str):
                    reasons.append(f"{kind}, {name}: {found}")
                row.append("-" if isinstance(found, str) else f"{found:.1e}")
            print(f"| {kind} | {' | '.join(row)} |", flush=True)
    print("\n".join(["", *reasons]))


if __name__ == "__main__":
    main()
