"""SQuAD's and MRQA's files: answers, places, what is left out."""

import json

import grammar

from electra_tf.finetune.tasks.squad import read_mrqa, read_squad


def write(path, *records, context="Zoë met Bob. 😀 Bob left."):
    paragraph = {"context": context, "qas": list(records)}
    content = {"data": [{"title": "T", "paragraphs": [paragraph]}]}
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return str(path)


def record(name, text="Bob", start=15, **more):
    answers = [{"text": text, "answer_start": start}]
    return {"id": name, "question": "Who?", "answers": answers, **more}


def test_places_are_characters(tmp_path):
    path = write(tmp_path / "a.json", record("q"))
    (found,) = read_squad(path, is_training=True).questions
    assert found.context[slice(*found.span)] == "Bob"
    assert found.span == (15, 18)


def test_half_characters_keep_places(tmp_path):
    """JSON spells what no file can hold; half of a pair is one character."""
    context = "\ud83d \ud83d Bob"
    (tmp_path / "a.json").write_text(
        json.dumps(
            {
                "data": [
                    {
                        "paragraphs": [
                            {
                                "context": context,
                                "qas": [record("q\ude00", start=4)],
                            }
                        ]
                    }
                ]
            }
        )
    )
    path = str(tmp_path / "a.json")
    (found,) = read_squad(path, is_training=True).questions
    assert found.context == "\ufffd \ufffd Bob"
    assert found.id == "q\ufffd"
    assert found.context[slice(*found.span)] == "Bob"


def test_impossible_questions_have_no_answer(tmp_path):
    asked = record("q", is_impossible=True, plausible_answers=[])
    path = write(tmp_path / "a.json", asked, record("p", is_impossible=False))
    for is_training in (True, False):
        first, second = read_squad(path, is_training).questions
        assert (first.answers, first.span) == ((), None)
        assert second.answers == ("Bob",)


def test_misplaced_answers_are_left_out_of_training(tmp_path):
    path = write(tmp_path / "a.json", record("q", start=13), record("p"))
    found = read_squad(path, is_training=True)
    assert [q.id for q in found.questions] == ["p"]
    assert found.num_left_out == 1
    assert read_squad(path).num_left_out == 0
    # The place may hold the answer in another spelling.
    path = write(tmp_path / "b.json", record("q", text="bob", start=8))
    assert read_squad(path, is_training=True).num_left_out == 0


def test_a_test_file_has_no_answers(tmp_path):
    path = write(tmp_path / "a.json", {"id": "q", "question": "Who?"})
    assert read_squad(path).questions[0].answers == ()


def test_mrqa(task_files):
    expected = grammar.questions(12)
    for name in ("train.jsonl", "dev.jsonl.gz"):
        found = read_mrqa(str(task_files / name), is_training=True).questions
        for question, asked in zip(found, expected, strict=True):
            assert question.id == asked["id"]
            assert question.answers == (asked["answer"],)
            start, end = question.span  # the file's last character is included
            assert question.context[start:end] == asked["answer"]


def test_mrqa_questions_without_a_place_are_left_out(tmp_path):
    qas = [
        {"qid": "a", "question": "?", "answers": ["x"]},
        {
            "qid": "b",
            "question": "?",
            "answers": ["Two"],
            "detected_answers": [{"text": "two", "char_spans": [[4, 6]]}],
        },
    ]
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"context": "one two", "qas": qas}))
    found = read_mrqa(str(path), is_training=True)
    assert [q.id for q in found.questions] == ["b"]
    assert found.num_left_out == 1
    assert len(read_mrqa(str(path)).questions) == 2
