"""Tasks about a passage: SQuAD 1.1, SQuAD 2.0 and the MRQA sets."""

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from electra_tf.config.finetuning import TaskOptions, TrainingOptions
from electra_tf.finetune import tasks
from electra_tf.finetune.models.span_qa import SpanQA
from electra_tf.finetune.models.windows import WindowSettings
from electra_tf.finetune.tasks import Encoded, Evaluation, answers, squad
from electra_tf.finetune.tasks.metrics import (
    answer_metrics,
    answer_scores,
    best_threshold,
)

THRESHOLD = "null_threshold"


class QuestionAnswering(tasks.Task):
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

    def __init__(self, name: str, splits: tasks.Splits, options: TaskOptions):
        self.name, self.splits, self.options = name, splits, options
        self.window_settings = WindowSettings(
            options.doc_stride, options.max_query_length
        )
        self.least_length = self.window_settings.least_length

    def encode(self, tokenizer, examples, max_seq_length, is_training=False):
        cut, inputs = answers.cut_questions(
            tokenizer, examples, max_seq_length, self.window_settings
        )
        targets = answers.window_targets(cut, examples) if is_training else None
        return Encoded(examples, inputs, targets, cut.num_cut, cut)

    def build_model(self, plan: TrainingOptions) -> SpanQA:
        return tasks.build(
            SpanQA,
            plan,
            head=self.options.qa_head,
            num_beams=self.options.num_beams,
            max_answer_length=self.options.max_answer_length,
            **dataclasses.asdict(self.window_settings),
        )

    def evaluate(self, encoded, outputs):
        answered = self._answered(encoded, outputs)
        ids = [question.id for question in encoded.examples]
        gold = [question.answers for question in encoded.examples]
        found, threshold = {}, np.inf
        if not all(gold):
            _, f1 = answer_scores(gold, answered.texts())
            answerable = np.array(list(map(bool, gold)))
            threshold = best_threshold(answered.null_odds, f1, answerable)
            found[THRESHOLD] = threshold
        texts = answered.texts(threshold)
        found |= answer_metrics(
            dict(zip(ids, gold, strict=True)),
            dict(zip(ids, texts, strict=True)),
        )
        files = self._files(encoded.examples, answered, threshold)
        return Evaluation(found, files)

    def predictions(self, test_set, encoded, outputs, metrics):
        answered = self._answered(encoded, outputs)
        threshold = metrics.get(THRESHOLD, np.inf)
        return self._files(encoded.examples, answered, threshold)

    def _answered(self, encoded: Encoded, outputs: dict) -> answers.Answered:
        return answers.answer_questions(
            encoded.rows,
            outputs,
            encoded.examples,
            self.options.max_answer_length,
            self.options.n_best_size,
        )

    def _files(
        self,
        questions: Sequence[squad.Question],
        answered: answers.Answered,
        null_threshold: float,
    ) -> dict[str, str]:
        contents = {
            "predictions.json": answered.texts(null_threshold),
            "null_odds.json": answered.null_odds.tolist(),
            "nbest_predictions.json": map(
                _with_probabilities, answered.answers
            ),
        }
        ids = [question.id for question in questions]
        written = {
            n: dict(zip(ids, c, strict=True)) for n, c in contents.items()
        }
        return {
            name: json.dumps(content, indent=1, ensure_ascii=False)
            for name, content in written.items()
        }


def _with_probabilities(best: Sequence[answers.Answer]) -> list[dict]:
    """An n-best list as it is written: probabilities among its answers."""
    scores = np.array([answer.score for answer in best])
    if not np.isfinite(scores).all():
        return [{"text": "", "probability": 1.0}]
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    return [
        {"text": "", "probability": p, **dataclasses.asdict(answer)}
        for answer, p in zip(best, weights.tolist(), strict=True)
    ]


def open_questions(
    name: str,
    read: Callable[[str, bool], squad.Questions],
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
    files = tasks.find_files(name, usual, options)
    notes = []

    def questions(path: str, split: str) -> list[squad.Question]:
        found = read(path, split == "train")
        if found.num_left_out:
            notes.append(
                f"{path}: {found.num_left_out} questions were left out: their "
                "answer is not where the file says"
            )
        return found.questions

    splits = tasks.read_splits(files, questions)
    splits = dataclasses.replace(splits, notes=tuple(notes))
    return QuestionAnswering(name, splits, options)


for _name, _read, _endings in (
    ("squad1", squad.read_squad, ["-v1.1.json"]),
    ("squad2", squad.read_squad, ["-v2.0.json"]),
    ("mrqa", squad.read_mrqa, [".jsonl", ".jsonl.gz"]),
):
    _usual = {split: [split + e for e in _endings] for split in tasks.SPLITS}
    _open = functools.partial(open_questions, _name, _read, _usual)
    tasks.register(_name)(_open)
