"""Tasks about a passage: SQuAD 1.1, SQuAD 2.0 and the MRQA sets."""

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from electra_tf.config.finetuning import TaskOptions, TrainingOptions
from electra_tf.finetune.models.span_qa import SpanQA
from electra_tf.finetune.models.windows import WindowSettings
from electra_tf.finetune.tasks import (
    SPLITS,
    Encoded,
    Evaluation,
    Splits,
    Task,
    build,
    find_files,
    register,
)
from electra_tf.finetune.tasks.answers import (
    Answered,
    answer_questions,
    cut_questions,
    window_targets,
)
from electra_tf.finetune.tasks.metrics import (
    answer_metrics,
    answer_scores,
    best_threshold,
)
from electra_tf.finetune.tasks.squad import (
    Question,
    Questions,
    read_mrqa,
    read_squad,
)

THRESHOLD = "null_threshold"


class QuestionAnswering(Task):
    """Answers that are spans of a passage, or "no answer".

    Whether "no answer" may be said is read off the dev set: there, some
    question has none.

    Args:
      name: on the command line.
      splits: of `Question`s.
      options: how passages are cut and answers are found.
    """

    metric = "f1"
    epochs = 2
    max_seq_length = 512

    def __init__(self, name: str, splits: Splits, options: TaskOptions):
        self.name, self.splits, self.options = name, splits, options
        self.window_settings = WindowSettings(
            options.doc_stride, options.max_query_length
        )
        self.least_length = self.window_settings.least_length

    def encode(self, tokenizer, examples, max_seq_length, is_training=False):
        cut, inputs = cut_questions(
            tokenizer, examples, max_seq_length, self.window_settings
        )
        targets = window_targets(cut, examples) if is_training else None
        return Encoded(examples, inputs, targets, cut.num_cut, cut)

    def build_model(self, plan: TrainingOptions) -> SpanQA:
        return build(
            SpanQA,
            plan,
            head=self.options.qa_head,
            num_beams=self.options.num_beams,
            max_answer_length=self.options.max_answer_length,
            **dataclasses.asdict(self.window_settings),
        )

    def evaluate(self, encoded, outputs):
        answered = self._answered(encoded, outputs)
        questions = encoded.examples
        gold = [question.answers for question in questions]
        found, threshold = {}, np.inf
        if not all(gold):
            _, f1 = answer_scores(gold, answered.texts())
            answerable = np.array([bool(answers) for answers in gold])
            threshold = best_threshold(answered.null_odds, f1, answerable)
            found[THRESHOLD] = threshold
        ids = [question.id for question in questions]
        texts = answered.texts(threshold)
        found |= answer_metrics(
            dict(zip(ids, gold, strict=True)),
            dict(zip(ids, texts, strict=True)),
        )
        return Evaluation(found, self._files(questions, answered, threshold))

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
            self.options.max_answer_length,
            self.options.n_best_size,
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


def open_questions(
    name: str,
    read: Callable[[str, bool], Questions],
    usual: Mapping[str, Sequence[str]],
    options: TaskOptions,
) -> QuestionAnswering:
    """A task of files of questions.

    Args:
      name: on the command line.
      read: (path, whether it is to learn from) -> what the file holds.
      usual: split -> names of its file.
      options: where the files are, and how answers are found.
    """
    files = find_files(name, usual, options)
    train = read(files["train"], True)
    dev = read(files["dev"], False)
    notes = []
    if train.num_left_out:
        notes.append(
            f"{files['train']}: {train.num_left_out} questions were left out: "
            "their answer is not where the file says"
        )
    test = {}
    if "test" in files:
        test["test"] = read(files["test"], False).questions
    splits = Splits(train.questions, {"dev": dev.questions}, test, tuple(notes))
    return QuestionAnswering(name, splits, options)


_MRQA = {split: [f"{split}.jsonl", f"{split}.jsonl.gz"] for split in SPLITS}
_SQUAD1 = {split: [f"{split}-v1.1.json"] for split in SPLITS}
_SQUAD2 = {split: [f"{split}-v2.0.json"] for split in SPLITS}
for _name, _read, _usual in (
    ("squad1", read_squad, _SQUAD1),
    ("squad2", read_squad, _SQUAD2),
    ("mrqa", read_mrqa, _MRQA),
):
    register(_name)(functools.partial(open_questions, _name, _read, _usual))
