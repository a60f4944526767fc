"""Whether a device trains as the CPU does, and how fast: one page."""

import dataclasses
import time
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from electra_tf.config.pretraining import PretrainingConfig, make_config
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.data.tokenizers.vocab_file import SPECIAL_PIECES
from electra_tf.pretraining.factory import build_pretrainer
from electra_tf.pretraining.pretrainer import Pretrainer
from electra_tf.training.distribution import Distribution
from electra_tf.training.optimizers import make_optimizer

STEPS, RATE_STEPS = 20, 10
# Two blocks, dropout and all: enough for each kind of operation to be there.
_TINY = {
    "vocab_size": 512,
    "embedding_size": 32,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "max_position_embeddings": 64,
    "generator_hidden_size": 0.5,
    "max_seq_length": 64,
    "train_batch_size": 16,
    "learning_rate": 1e-3,
    "num_warmup_steps": 5,
    "num_train_steps": STEPS,
}
# How far a step's loss may be from the CPU's in float32, in per cent: another
# order of summing, other rounding; float16 also leaves out steps at first,
# until its loss scale fits.
LIMITS = {
    "float32": 0.05,
    "two replicas": 0.05,
    "XLA": 0.05,
    "mixed_bfloat16": 5.0,
    "mixed_float16": 5.0,
}


@dataclasses.dataclass(frozen=True)
class Check:
    """A row of the page.

    Attributes:
      name: what was tried.
      worst: largest relative difference of a step's loss to the CPU's, in per
        cent; NaN where it could not be tried.
      note: why not, or what else there is to say.
    """

    name: str
    worst: float
    note: str = ""

    @property
    def passed(self) -> bool:
        return self.worst <= LIMITS[self.name]

    @property
    def shown(self) -> str:
        return "not run" if np.isnan(self.worst) else f"{self.worst:.4f} %"


@dataclasses.dataclass(frozen=True)
class Rate:
    """Training speed of ELECTRA-Small at 128 tokens.

    Attributes:
      batch_size: B.
      sequences: a second; NaN where memory did not suffice.
      gigabytes: peak of the device's memory; NaN where it does not tell.
    """

    batch_size: int
    sequences: float
    gigabytes: float


def num_gpus() -> int:
    """How many TensorFlow can use."""
    return len(tf.config.list_physical_devices("GPU"))


def device_name() -> str:
    """What the device calls itself."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    details = tf.config.experimental.get_device_details(gpus[0])
    return f"{len(gpus)} x {details.get('device_name', 'GPU')}"


def checks(two: Distribution | None) -> Iterator[Check]:
    """Tries each way of computing the same twenty steps.

    Args:
      two: a distribution of two replicas, or None where there are none.
    """
    with tf.device("/CPU:0"):
        expected = losses()
    ways: dict[str, Callable[[], np.ndarray]] = {
        "float32": losses,
        "XLA": lambda: losses(jit_compile=True),
        "mixed_bfloat16": lambda: losses("mixed_bfloat16"),
        "mixed_float16": lambda: losses("mixed_float16"),
    }
    if two is None:
        yield Check("two replicas", float("nan"), "there is one device")
    else:
        ways["two replicas"] = lambda: losses(distribution=two)
    for name, way in ways.items():
        try:
            found = way()
        except (tf.errors.OpError, NotImplementedError) as error:
            reason = str(error).splitlines()[0]
            yield Check(name, float("nan"), reason)
            continue
        yield Check(name, 100 * float(np.max(np.abs(found / expected - 1))))


def losses(
    precision: str = "float32",
    jit_compile: bool = False,
    distribution: Distribution | None = None,
) -> np.ndarray:
    """The loss of each of `STEPS` steps, from the same start; float64."""
    distribution = distribution or Distribution()
    config = make_config({**_TINY, "precision": precision})
    with distribution.strategy.scope():
        pretrainer = _pretrainer(config, jit_compile)
        step = _step(pretrainer, config, distribution)
        found = []
        for _ in range(STEPS):
            step()
            found.append(float(pretrainer.measures.result()["loss"]))
            pretrainer.measures.reset_state()
    return np.array(found)


def rate(batch_size: int, precision: str, jit_compile: bool) -> Rate:
    """Sequences a second, after the first steps."""
    values = {
        "model_size": "small",
        "max_seq_length": 128,
        "train_batch_size": batch_size,
        "precision": precision,
    }
    config = make_config(values)
    nothing = float("nan")
    try:
        pretrainer = _pretrainer(config, jit_compile)
        step = _step(pretrainer, config, Distribution())
        for _ in range(2):
            step()
        begin = pretrainer.step, time.perf_counter()
        for _ in range(RATE_STEPS):
            step()
        steps = pretrainer.step - begin[0]  # waits for the end
        seconds = time.perf_counter() - begin[1]
    except tf.errors.ResourceExhaustedError:
        return Rate(batch_size, nothing, nothing)
    finally:
        keras.backend.clear_session()
    return Rate(batch_size, batch_size * steps / seconds, _peak_gigabytes())


def _peak_gigabytes() -> float:
    gpus = tf.config.list_logical_devices("GPU")
    if not gpus:
        return float("nan")
    place = gpus[0].name.rpartition("device:")[2]
    peak = tf.config.experimental.get_memory_info(place)["peak"]
    tf.config.experimental.reset_memory_stats(place)
    return peak / 1e9


def _pretrainer(config: PretrainingConfig, jit_compile: bool) -> Pretrainer:
    words = (f"w{n}" for n in range(len(SPECIAL_PIECES), 10**6))
    size = config.model.vocab_size
    pieces = [*SPECIAL_PIECES, *words][:size]
    pretrainer = build_pretrainer(
        config, Tokenizer(pieces), execution=config.execution
    )
    optimizer = make_optimizer(config.optimizer, config.execution.precision)
    pretrainer.compile(optimizer=optimizer, jit_compile=jit_compile)
    return pretrainer


def _step(
    pretrainer: Pretrainer,
    config: PretrainingConfig,
    distribution: Distribution,
) -> Callable[[], None]:
    """One update a call, on rows whose frequent words are frequent."""
    size, length = config.optimizer.train_batch_size, config.data.max_seq_length

    def rows(first: int, count: int) -> tf.data.Dataset:
        rng = np.random.default_rng(0)
        ranks = rng.zipf(1.3, (size, length)) % (config.model.vocab_size - 5)
        ids = (ranks + 5).astype(np.int32)[first : first + count]
        batch = {
            "input_ids": ids,
            "input_mask": np.ones_like(ids),
            "segment_ids": np.zeros_like(ids),
        }
        return tf.data.Dataset.from_tensors(batch).repeat()

    batches = iter(distribution.batches(rows, size))
    strategy = distribution.strategy
    update = tf.function(
        lambda: strategy.run(pretrainer.update, args=(next(batches),))
    )
    return lambda: update() and None


def page(device: str, found: list[Check], rates: dict[str, list[Rate]]) -> str:
    """All of it, in Markdown."""
    lines = [
        f"# electra_tf on {device}",
        "",
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}",
        "",
        f"Losses of {STEPS} steps of a small model, beside those of the CPU in "
        "float32:",
        "",
        "| | largest difference | allowed | |",
        "| --- | ---: | ---: | --- |",
    ]
    for check in found:
        verdict = "passed" if check.passed else check.note or "FAILED"
        lines.append(
            f"| {check.name} | {check.shown} | {LIMITS[check.name]} % | "
            f"{verdict} |"
        )
    lines += ["", "ELECTRA-Small, 128 tokens, a training step:", ""]
    lines.append("| precision | batch | sequences/s | peak memory, GB |")
    lines.append("| --- | ---: | ---: | ---: |")
    for precision, row in rates.items():
        for each in row:
            memory = (
                "-" if np.isnan(each.gigabytes) else f"{each.gigabytes:.2f}"
            )
            lines.append(
                f"| {precision} | {each.batch_size} | "
                f"{each.sequences:.1f} | {memory} |"
            )
    return "\n".join(lines) + "\n"
