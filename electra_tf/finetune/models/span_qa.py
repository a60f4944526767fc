"""Question answering: the span of the passage that answers."""

import dataclasses
from collections.abc import Mapping

import keras
import tensorflow as tf

from electra_tf.config.finetuning import HEAD_STYLES, HEADS, SPAN_HEADS
from electra_tf.data.columns import WHOLE
from electra_tf.errors import require
from electra_tf.finetune.models import TaskModel, mean_over_replicas, rules
from electra_tf.finetune.models.span_heads import JointSpanHead, PlainSpanHead
from electra_tf.finetune.models.windows import WindowSettings
from electra_tf.finetune.preprocessor import TextPreprocessor
from electra_tf.modeling.encoder import Encoder

# As the other models call theirs.
ANSWERABILITY_WEIGHT = 0.5
# What a batch's inputs hold besides, in training: where the answer begins.
_TRUE_START = "true_start"


@keras.saving.register_keras_serializable("electra_tf")
class SpanQA(TaskModel):
    """Start and end of the answer in `[CLS] question [SEP] passage [SEP]`.

    Args:
      encoder: the pre-trained encoder.
      head: "joint" or "paper", the end given the start and a classifier for
        answerability; "plain" or "huggingface", BERT's, and that of
        `ElectraForQuestionAnswering`.
      num_beams: K, starts that prediction follows, and ends for each.
      max_answer_length: tokens of an answer, for the plain head's
        answerability, and what an export answers.
      max_query_length, doc_stride: how an export cuts questions and slides
        over long passages, in tokens: as when the model was measured.
      preprocessor: see `TaskModel`; `text` is the question, `text_pair` the
        passage.

    Inputs may hold `answer_mask`, int [B, L]: 1 at [CLS] and where an answer
    may stand; by default the second segment and [CLS].

    Returns a dict:
      start_log_probs, start_index: float32 and int32 [B, K], best first.
      end_log_probs, end_index: float32 and int32 [B, K, K], for each start
        its best ends. Neither order nor length of a span is checked here.
      answerability: float32 [B], a logit; positive: there is no answer.

    Targets are a dict of int [B]: `start`, `end` (both 0, [CLS], where there
    is no answer) and `is_impossible`. The loss is built in:
    (start + end) / 2, and with the joint head 0.5 times the cross-entropy of
    answerability.

    Example:
      model = SpanQA.from_pretrained("tiny")
      model.compile(create_optimizer(model, 100))
      model.fit(features, {"start": s, "end": e, "is_impossible": i})

    Reference: ELECTRA, section 3.1 and the authors' code.
    """

    reads = "pairs"
    head_kinds = ("span_qa",)

    def __init__(
        self,
        encoder: Encoder,
        head: str = "joint",
        num_beams: int = 20,
        max_answer_length: int = 30,
        max_query_length: int = 64,
        doc_stride: int = 128,
        preprocessor: TextPreprocessor | None = None,
        **kwargs,
    ):
        super().__init__(encoder, preprocessor, **kwargs)
        names = (*HEADS, *HEAD_STYLES)
        require(head in names, f"head must be one of {', '.join(names)}", head)
        counts = (num_beams, max_answer_length, max_query_length, doc_stride)
        are_counts = all(isinstance(n, WHOLE) and n > 0 for n in counts)
        rule = (
            "num_beams, max_answer_length, max_query_length and doc_stride "
            "must be positive whole numbers"
        )
        require(are_counts, rule, counts)
        self.num_beams = num_beams
        self.max_answer_length = max_answer_length
        self.window_settings = WindowSettings(doc_stride, max_query_length)
        self.head_kind = SPAN_HEADS.get(head, head)
        if self.head_kind == "joint":
            self.head = JointSpanHead(name="task_head")
        else:
            self.head = PlainSpanHead(max_answer_length, name="task_head")
        self.head.build((None, None, encoder.hidden_size))
        self.built = True

    def call(self, inputs, training=False):
        features = self.features(inputs)
        states = self.states(features, training)  # [B, L, H]
        mask = features.get("answer_mask")  # [B, L]
        if mask is None:
            mask = default_answer_mask(features)
        if _TRUE_START in features:
            start = features[_TRUE_START]  # [B]
            return self.head.scores(states, mask, start)
        return self.head.beam(states, mask, self.num_beams)

    def targets(self, y, x, places):
        return rules.spans(y, self.row_length(x))

    def span_logits(self, inputs) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits of the start and of the end, at every place, unmasked.

        Args:
          inputs: as the model's call takes them.

        Returns two float32 [B, L], as `ElectraForQuestionAnswering` gives.

        Raises:
          InputError: the head is the joint one, whose ends depend on starts.
        """
        rule = "span_logits needs a model with head=plain (or huggingface)"
        is_plain = isinstance(self.head, PlainSpanHead)
        require(is_plain, rule, self.head_kind)
        return self.head.logits(self.states(self.features(inputs), False))

    def train_step(self, data):
        return super().train_step(_with_true_start(data))

    def test_step(self, data):
        return super().test_step(_with_true_start(data))

    def default_loss(self, y, y_pred, sample_weight):
        if not isinstance(sample_weight, Mapping):  # one for all targets
            sample_weight = dict.fromkeys(y, sample_weight)
        losses = span_losses(y_pred, y, sample_weight)  # [B]
        return mean_over_replicas(tf.reduce_sum(losses), tf.size(losses))

    def get_config(self):
        return {
            **super().get_config(),
            "head": self.head_kind,
            "num_beams": self.num_beams,
            "max_answer_length": self.max_answer_length,
            **dataclasses.asdict(self.window_settings),
        }


def default_answer_mask(features: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """The second segment and [CLS]: int32 [B, L]."""
    second = tf.cast(features["segment_ids"], tf.int32)
    second *= tf.cast(features["input_mask"], tf.int32)
    # Not tf.one_hot of one place, which ONNX and OpenVINO do not know.
    is_cls = tf.equal(tf.range(tf.shape(second)[1]), 0)  # [L]
    return tf.maximum(second, tf.cast(is_cls, tf.int32))


def span_losses(
    scores: Mapping[str, tf.Tensor],
    targets: Mapping[str, tf.Tensor],
    weights: Mapping[str, tf.Tensor | None],
) -> tf.Tensor:
    """(-log p(start) - log p(end)) / 2, and answerability's: float32 [B].

    Args:
      scores: `start_log_probs`, `end_log_probs` [B, L]; from the joint head
        `answerability` [B].
      targets: `start`, `end`, `is_impossible`, int [B].
      weights: of each target, float [B] or None.
    """

    def missed(name):
        place = tf.reshape(tf.cast(targets[name], tf.int32), [-1, 1])
        log_probs = scores[f"{name}_log_probs"]  # [B, L]
        return -tf.gather(log_probs, place, batch_dims=1)[:, 0]

    losses = {"start": 0.5 * missed("start"), "end": 0.5 * missed("end")}
    if "answerability" in scores:
        impossible = tf.reshape(targets["is_impossible"], [-1])
        losses["is_impossible"] = ANSWERABILITY_WEIGHT * (
            tf.nn.sigmoid_cross_entropy_with_logits(
                tf.cast(impossible, tf.float32), scores["answerability"]
            )
        )
    for name, weight in weights.items():
        if name in losses and weight is not None:
            losses[name] *= tf.reshape(tf.cast(weight, tf.float32), [-1])
    return tf.add_n(list(losses.values()))


def _with_true_start(data):
    """The joint head's ends are learned given the true start."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    return {**x, _TRUE_START: tf.reshape(y["start"], [-1])}, y, sample_weight
