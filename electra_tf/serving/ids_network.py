"""A model as other formats hold it: ids in, numbers out, plain operations."""

import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from electra_tf.data.tokenizers import pack_segments
from electra_tf.errors import InputError, require
from electra_tf.finetune.models import TaskModel
from electra_tf.finetune.models.span_heads import NO_ANSWER_HERE
from electra_tf.finetune.preprocessor import TextPreprocessor
from electra_tf.pretrained import PretrainedElectra
from electra_tf.serving import NAMES, Function
from electra_tf.serving.export import module_of
from electra_tf.serving.forward import ServedNetwork
from electra_tf.serving.pretrained import PretrainedModule
from electra_tf.serving.warmup import distance

Arrays = dict[str, np.ndarray]
Run = Callable[[Arrays], Arrays]
WHATS = ("detect", "embed")
# Ten: short and long, one of nothing, marks above letters, signs.
TEXTS = (
    "The chef cooked the meal.",
    "It is said that nobody who has read the letter, however often, could "
    "tell who had written it: neither the hand nor the words gave a hint.",
    "",
    "Why not?",
    "A caf\u00e9 in Z\u00fcrich sold 1,250 na\u00efve paintings for $3.50 "
    "each.",
    "Rain fell on the harbour all night; in the morning the boats were gone.",
    "She asked the committee for two more weeks, and was given one.",
    "The state of the union is strong, and its people want peace.",
    "peace " * 90,
    "\u5929\u6c17\u304c\u3044\u3044\u3002 OK \U0001f642",
)


class IdsNetwork(tf.Module):
    """A pre-trained or fine-tuned model: int [B, L] each -> named numbers.

    What its signature of ids answers, without texts such as the names of
    labels, without assertions, and without buckets.

    Args:
      model: what `from_pretrained` gave, or a fine-tuned model.
      what: of a pre-trained model: "detect" or "embed"; "": what it has, in
        that order.
      preprocessor: of a fine-tuned model that has none any more.

    Attributes:
      tokenizer: of the model.
      labels: their names, where there are some.
      max_length: ids of a row, where nobody says another length.
      positions: ids of a row at most.
      is_pair: whether the model reads pairs of texts.

    Raises:
      InputError: the model cannot be asked for `what`, has no preprocessor,
        or is of another kind.
    """

    def __init__(
        self,
        model: PretrainedElectra | TaskModel,
        what: str = "",
        preprocessor: TextPreprocessor | None = None,
    ):
        super().__init__()
        if isinstance(model, PretrainedElectra):
            part, name = _pretrained(model, what)
            self.tokenizer = model.tokenizer
            self.max_length = min(128, part.max_length)
        else:
            require(not what, "what goes with a pre-trained model alone", what)
            preprocessor = preprocessor or getattr(model, "preprocessor", None)
            part, name = _finetuned(model, preprocessor), "serving_default"
            self.tokenizer = preprocessor.tokenizer
            self.max_length = preprocessor.max_seq_length
        self.positions = part.max_length
        part.leave_out_checks()
        self.labels = [str(label) for label in getattr(part, "labels", ())]
        self.is_pair = getattr(model, "reads", "") in ("pairs", "triples")
        self.weights = part.weights
        # Past the module's tracking: it would save the other signatures.
        self._answer = lambda *ids: part.signatures()[name].python_function(
            *ids
        )

    def __call__(self, *ids: tf.Tensor) -> dict[str, tf.Tensor]:
        """input_ids, input_mask, segment_ids; called eagerly, Keras'."""
        found = self._answer(*ids)
        return {n: x for n, x in found.items() if x.dtype != tf.string}

    def output_names(self) -> list[str]:
        """Of what it answers, in the order in which graphs have them."""
        one = tf.constant([[self.tokenizer.cls_id, self.tokenizer.sep_id]])
        return sorted(self(one, tf.ones_like(one), tf.zeros_like(one)))

    def traced(self, rows: int | None, length: int | None, dtype) -> Function:
        """The graph function of ids [rows, length]; None: of any."""
        specs = [tf.TensorSpec([rows, length], dtype, name) for name in NAMES]
        return tf.function(self.__call__, specs, autograph=False)

    def examples(self, length: int) -> Arrays:
        """`TEXTS` as ids, or each with the one before: int64 [10, length]."""
        first = self.tokenizer.tokenize(tf.constant(TEXTS))
        second = None
        if self.is_pair:
            second = self.tokenizer.tokenize(tf.roll(TEXTS, 1, 0))
        packed = pack_segments(self.tokenizer, first, second, length)
        arrays = (packed.input_ids, packed.input_mask, packed.segment_ids)
        return {
            name: x.numpy().astype(np.int64)
            for name, x in zip(NAMES, arrays, strict=True)
        }


def largest_difference(
    network: IdsNetwork, run: Run, length: int, fixed: bool
) -> float:
    """Between Keras and a file, over `TEXTS`; see `distance`.

    Args:
      network: called eagerly.
      run: ids by name -> outputs by name, of the file.
      length: of the rows.
      fixed: whether the file takes one row of that length alone.
    """
    worst = 0.0
    for ids in _batches(network.examples(length), fixed):
        found = comparable(run(ids))
        expected = network(*(tf.constant(ids[name]) for name in NAMES))
        expected = comparable({n: x.numpy() for n, x in expected.items()})
        for name, array in expected.items():
            worst = max(worst, distance(array, found.get(name)))
    return worst


def _batches(ids: Arrays, fixed: bool) -> Iterator[Arrays]:
    """All rows together and the first two alone, cut; or each as it is."""
    ends = ids["input_mask"].sum(1)
    count = len(ends)
    parts = [slice(0, count), slice(0, 1), slice(1, 2)]
    if fixed:
        parts = [slice(row, row + 1) for row in range(count)]
    for part in parts:
        cut = None if fixed else ends[part].max()
        yield {name: x[part, :cut] for name, x in ids.items()}


def comparable(found: Arrays) -> Arrays:
    """What may differ by rounding alone.

    Without `holds`, which follows from scores, and near a threshold turns;
    and of beams without those of places where no answer may stand, which are
    all as unlikely and come in any order.
    """
    found = {n: x for n, x in found.items() if x.dtype.kind in "fiu"}
    if "start_index" not in found:
        return found
    start = found["start_log_probs"] > NO_ANSWER_HERE / 2  # [B, K]
    end = found["end_log_probs"] > NO_ANSWER_HERE / 2  # [B, K, K]
    end &= start[:, :, None]
    kept = {"start_index": start, "start_log_probs": start}
    kept |= {"end_index": end, "end_log_probs": end}
    return {n: np.where(kept.get(n, True), x, 0) for n, x in found.items()}


def _pretrained(
    model: PretrainedElectra, what: str
) -> tuple[ServedNetwork, str]:
    """What answers, and the name of its signature."""
    what = what or WHATS[0 if model.has_discriminator else 1]
    require(what in WHATS, f"what must be one of {', '.join(WHATS)}", what)
    if what == "detect":
        model.discriminator  # noqa: B018, says what is there instead
    # The table reads the file at once.
    with tempfile.TemporaryDirectory() as folder:
        module = PretrainedModule(model, model.tokenizer.save_pieces(folder))
    name = f"{what}_ids"
    part = next(p for p in module.parts if name in p.signatures())
    return part, name


def _finetuned(
    model: TaskModel, preprocessor: TextPreprocessor | None
) -> ServedNetwork:
    make: Callable = module_of(model)
    if preprocessor is None:
        raise InputError(
            "a model whose preprocessor was taken out must be given a "
            "preprocessor; received none"
        )
    with tempfile.TemporaryDirectory() as folder:
        pieces = preprocessor.tokenizer.save_pieces(folder)
        return make(model, preprocessor, pieces)
