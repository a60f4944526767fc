"""The exported `answer` says what the command measured, window by window."""

import dataclasses
import json
import random
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_finetune

from electra_tf.config.finetuning import TaskOptions
from electra_tf.finetune.models.span_qa import SpanQA
from electra_tf.finetune.models.windows import WindowSettings
from electra_tf.finetune.tasks import Splits
from electra_tf.finetune.tasks.answers import answer_questions
from electra_tf.finetune.tasks.question_answering import QuestionAnswering
from electra_tf.finetune.tasks.squad import Question
from electra_tf.serving.answer import NO_SPAN, AnswerModule

WORDS = (
    "the state of the union is strong caf\u00e9 \U0001f600 na\u00efve "
    "soft\u00adhyphen people congress (1895-1943) peace, war. \u6771\u4eac "
    "America's z\u0301\u0301 tax"
).split(" ")
# Row, stride, tokens of a question; the last row is too short for its
# questions, which are cut to half of it.
CUTS = [(32, 128, 12), (32, 5, 12), (24, 3, 6), (16, 1, 7), (20, 7, 16)]


def questions() -> list[Question]:
    """From nothing at all to many windows."""
    rng = random.Random(3)
    found = []
    for number in range(24):
        context = "  ".join(rng.choices(WORDS, k=number * 3))
        asked = " ".join(rng.choices(WORDS, k=number % 9))
        found.append(Question(str(number), asked, context, (), None))
    return [*found, Question("none", "who", "\u200b", (), None)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("pretrained") / "model"
    return tiny_finetune.write_pretrained(str(folder))


def make_task(cut, head: str = "joint") -> QuestionAnswering:
    _, stride, longest = cut
    options = TaskOptions(
        doc_stride=stride,
        max_query_length=longest,
        max_answer_length=5,
        qa_head=head,
        num_beams=6,
    )
    return QuestionAnswering("q", Splits([], {}, {}), options)


def make_model(task: QuestionAnswering, checkpoint: str, length: int) -> SpanQA:
    model = SpanQA.from_pretrained(
        checkpoint,
        head=task.options.qa_head,
        num_beams=task.options.num_beams,
        max_answer_length=task.options.max_answer_length,
        max_seq_length=length,
        **dataclasses.asdict(task.window_settings),
    )
    rng = np.random.default_rng(8)
    for variable in model.head.trainable_variables:
        noise = rng.normal(size=variable.shape)
        variable.assign(variable.numpy() + noise)
    return model


# How text is cut does not depend on the head, so each has every second cut.
@pytest.mark.parametrize(
    ("cut", "head"),
    [(cut, ("joint", "plain")[n % 2]) for n, cut in enumerate(CUTS)],
)
def test_an_export_answers_as_the_command_measured(
    cut, head, checkpoint, tmp_path
):
    task, asked = make_task(cut, head), questions()
    model = make_model(task, checkpoint, cut[0])
    tokenizer = model.preprocessor.tokenizer
    encoded = task.encode(tokenizer, asked, cut[0])
    outputs = model.predict(encoded.inputs, verbose=0)
    answered = answer_questions(
        encoded.rows, outputs, asked, task.options.max_answer_length
    )
    vocab = tmp_path / "vocab.txt"
    vocab.touch()
    module = AnswerModule(model, model.preprocessor, str(vocab))
    found = module.answer(
        tf.constant([q.question for q in asked]),
        tf.constant([q.context for q in asked]),
    )
    found = {name: tensor.numpy() for name, tensor in found.items()}
    assert len(encoded.rows.windows.row) > 2 * len(asked)
    assert found["truncated"].sum() == encoded.num_cut > 0
    for row, (question, best) in enumerate(
        zip(asked, answered.answers, strict=True)
    ):
        first = best[0]
        assert found["answer"][row].decode() == first.text
        content = question.context.encode()
        start, end = found["start"][row], found["end"][row]
        assert len(content[:start].decode()) == first.start
        assert len(content[:end].decode()) == first.end
        score = max(first.score, NO_SPAN)
        assert found["score"][row] == pytest.approx(score, rel=1e-4)
    np.testing.assert_allclose(
        found["null_score"], answered.null_odds, rtol=1e-3, atol=1e-3
    )
    assert found["answer"][-1] == b""


def test_a_task_s_model_is_saved_with_its_windows(checkpoint, tmp_path):
    """And one that was saved without them has the flags' defaults."""
    from electra_tf.config.finetuning import TrainingOptions

    plan = TrainingOptions(init_checkpoint=checkpoint, max_seq_length=32)
    model = make_task((32, 5, 12)).build_model(plan)
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path, compile=False)
    assert loaded.window_settings == WindowSettings(5, 12)
    old = tmp_path / "old.keras"
    with zipfile.ZipFile(path) as new, zipfile.ZipFile(old, "w") as archive:
        for name in new.namelist():
            content = new.read(name)
            if name == "config.json":
                config = json.loads(content)
                for key in ("doc_stride", "max_query_length"):
                    del config["config"][key]
                content = json.dumps(config)
            archive.writestr(name, content)
    loaded = keras.models.load_model(old, compile=False)
    options = TaskOptions()
    assert loaded.window_settings == WindowSettings(
        options.doc_stride, options.max_query_length
    )
