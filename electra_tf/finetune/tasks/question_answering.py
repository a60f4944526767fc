"""Tasks about a passage: SQuAD 1.1, SQuAD 2.0 and the MRQA sets."""

import json
from collections.abc import Sequence

import keras
import numpy as np

from electra_tf.finetune.models.span_qa import SpanQA
from electra_tf.finetune.tasks import squad_metrics
from electra_tf.finetune.tasks.answers import Answered, answer_questions
from electra_tf.finetune.tasks.squad import Question
from electra_tf.finetune.tasks.task import (
    Encoded,
    Evaluation,
    ModelSettings,
    Splits,
    Task,
)
from electra_tf.finetune.tasks.windows import (
    WindowSettings,
    cut_windows,
    window_targets,
)

THRESHOLD = "null_threshold"


class QuestionAnswering(Task):
    """Answers that are spans of a passage, or "no answer".

    Whether "no answer" may be said is read off the dev set: there, some
    question has none.

    Args:
      name: on the command line.
      splits: of `Question`s.
      window_settings: how passages are cut.
      head: "joint" or "plain", see `SpanQA`.
      num_beams: of the joint head.
      max_answer_length: in tokens.
      num_best: answers to write into nbest_predictions.json.
    """

    metric = "f1"
    epochs = 2
    max_seq_length = 512

    def __init__(
        self,
        name: str,
        splits: Splits,
        window_settings: WindowSettings,
        head: str = "joint",
        num_beams: int = 20,
        max_answer_length: int = 30,
        num_best: int = 20,
    ):
        self.name, self.splits = name, splits
        self.window_settings = window_settings
        self.least_length = window_settings.least_length
        self.head, self.num_beams = head, num_beams
        self.max_answer_length, self.num_best = max_answer_length, num_best

    def encode(self, tokenizer, examples, max_seq_length, is_training=False):
        windows, inputs, num_cut = cut_windows(
            tokenizer, examples, max_seq_length, self.window_settings
        )
        targets = window_targets(windows, examples) if is_training else None
        return Encoded(examples, inputs, targets, num_cut, windows)

    def build_model(self, settings: ModelSettings) -> keras.Model:
        return SpanQA.from_pretrained(
            settings.init_checkpoint,
            head=self.head,
            num_beams=self.num_beams,
            max_answer_length=self.max_answer_length,
            max_seq_length=settings.max_seq_length,
            dropout=settings.dropout,
            load_weights=not settings.from_scratch,
        )

    def evaluate(self, encoded, outputs):
        answered = self._answered(encoded, outputs)
        questions = encoded.examples
        gold = [question.answers for question in questions]
        metrics, threshold = {}, np.inf
        if not all(gold):
            _, f1 = squad_metrics.answer_scores(gold, answered.texts())
            answerable = np.array([bool(answers) for answers in gold])
            threshold = squad_metrics.best_threshold(
                answered.null_odds, f1, answerable
            )
            metrics[THRESHOLD] = threshold
        ids = [question.id for question in questions]
        texts = answered.texts(threshold)
        metrics |= squad_metrics.summarize(
            dict(zip(ids, gold, strict=True)),
            dict(zip(ids, texts, strict=True)),
        )
        return Evaluation(metrics, self._files(questions, answered, threshold))

    def predictions(self, test_set, encoded, outputs, metrics):
        del test_set
        answered = self._answered(encoded, outputs)
        threshold = metrics.get(THRESHOLD, np.inf)
        return self._files(encoded.examples, answered, threshold)

    def _answered(self, encoded: Encoded, outputs: dict) -> Answered:
        return answer_questions(
            encoded.rows,
            outputs,
            encoded.examples,
            self.max_answer_length,
            self.num_best,
        )

    def _files(
        self,
        questions: Sequence[Question],
        answered: Answered,
        null_threshold: float,
    ) -> dict[str, str]:
        ids = [question.id for question in questions]
        texts = answered.texts(null_threshold)
        odds = answered.null_odds.tolist()
        best = [_with_probabilities(answers) for answers in answered.answers]
        contents = {
            "predictions.json": texts,
            "null_odds.json": odds,
            "nbest_predictions.json": best,
        }
        return {
            name: json.dumps(
                dict(zip(ids, values, strict=True)),
                indent=1,
                ensure_ascii=False,
            )
            for name, values in contents.items()
        }


def _with_probabilities(answers: Sequence) -> list[dict]:
    """An n-best list as it is written: probabilities among its answers."""
    scores = np.array([answer.score for answer in answers])
    if not np.isfinite(scores).all():
        return [{"text": "", "probability": 1.0}]
    weights = np.exp(scores - scores.max())
    return [
        {
            "text": answer.text,
            "probability": float(probability),
            "score": answer.score,
            "start": answer.start,
            "end": answer.end,
        }
        for answer, probability in zip(
            answers, weights / weights.sum(), strict=True
        )
    ]
