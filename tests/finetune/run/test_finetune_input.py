"""Every mistake of a user: one line that names it, nothing written."""

import json

import pytest
import tiny

ROWS = "text\tlabel\nthe cat\tx\na dog\ty\n"


def write(folder, **contents):
    for name, content in contents.items():
        (folder / f"{name}.tsv").write_text(content)
    return folder


def error(tmp_path, *given):
    """The one line; nothing new in the folder."""
    before = tiny.tree(tmp_path)
    finished = tiny.command(
        "finetune", f"--output_dir={tmp_path / 'out'}", *given
    )
    assert tiny.tree(tmp_path) == before
    return finished.error()


@pytest.mark.parametrize(
    ("train", "dev", "told"),
    [
        (ROWS, None, "custom must have a dev split"),
        (
            ROWS,
            f"{ROWS}\ty\n",
            "dev.tsv, line 4: texts and labels must not be empty (column "
            "'text')",
        ),
        (ROWS, f"{ROWS}a\tz\n", "line 4: the label must be one of x, y; "),
        (ROWS, "text\tkind\na\tx\n", "dev.tsv must have one column 'label'"),
        (ROWS + "a\n", ROWS, "train.tsv, line 4: must have 2 columns"),
        (
            ROWS + "a\t\n",
            ROWS,
            "line 4: texts and labels must not be empty (column 'label')",
        ),
        ("text\tlabel\na\tx\n", ROWS, "two classes or more; received {'x'}"),
    ],
)
def test_tables(train, dev, told, checkpoint, tmp_path):
    write(tmp_path, train=train, **({"dev": dev} if dev else {}))
    line = error(
        tmp_path,
        "--task=custom",
        f"--data_dir={tmp_path}",
        f"--init_checkpoint={checkpoint}",
    )
    assert told in line


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"text": "b", "label": None}, "the label must be text or a number"),
        ({"text": None, "label": "y"}, "the text must be text or a number"),
        ({"text": ["b", "c"], "label": "y"}, "received ['b', 'c']"),
        ({"text": {"b": 1}, "label": "y"}, "received {'b': 1}"),
        ({"text": "b", "label": float("nan")}, "the label must be"),
        ({"text": float("inf"), "label": "y"}, "the text must be"),
        ({"text": "b", "label": "y\tz"}, "no tab and no line end"),
        ({"text": "b", "label": "y\nz"}, "no tab and no line end"),
    ],
)
def test_json_lines(row, told, checkpoint, tmp_path):
    first = json.dumps({"text": "a", "label": "x"})
    path = tmp_path / "train.jsonl"
    path.write_text(f"{first}\n{json.dumps(row)}\n")
    line = error(
        tmp_path,
        "--task=custom",
        f"--train_file={path}",
        f"--dev_file={path}",
        f"--init_checkpoint={checkpoint}",
    )
    assert told in line
    assert "line 2" in line or "class's name" in line


def test_numbers(checkpoint, tmp_path):
    write(tmp_path, train=ROWS, dev=ROWS)
    line = error(
        tmp_path,
        "--task=custom",
        "--label_kind=number",
        f"--data_dir={tmp_path}",
        f"--init_checkpoint={checkpoint}",
    )
    assert "train.tsv, line 2: the label must be a number; received 'x'" in line


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"task": "colla"}, "task must be one of ax, chunk, cola, "),
        ({"task": ""}, "task must be given; received ()"),
        ({"data_dir": ""}, "--data_dir"),
        (
            {"data_dir": "/no/such/folder"},
            "data_dir must be a folder; received '/no/such/folder'",
        ),
        ({"init_checkpoint": ""}, "init_checkpoint must be given; received ''"),
        ({"init_checkpoint": "/no/model"}, "received '/no/model'"),
        ({"max_seq_length": 41}, "lie between 5, which cola needs, and 40"),
        ({"max_seq_length": 4}, "lie between 5"),
        ({"task": "squad1", "max_seq_length": 20}, "between 68, which squad1"),
        ({"num_trials": 0}, "num_trials must be positive; received 0"),
        ({"train_batch_size": -1}, "train_batch_size must be positive"),
        ({"learning_rate": "nan"}, "learning_rate must be finite"),
        ({"layerwise_lr_decay": 1.1}, "must lie in (0, 1]; received 1.1"),
        ({"hidden_dropout_prob": 1}, "must lie in [0, 1); received 1.0"),
        ({"qa_head": "both"}, "one of joint, plain; received 'both'"),
        (
            {"head": "huggingface", "qa_head": "joint"},
            "qa_head must be plain with head=huggingface, or not be given; "
            "received 'joint'",
        ),
        (
            {"head": "paper", "qa_head": "plain"},
            "qa_head must be joint with head=paper",
        ),
        ({"compat": "bert"}, "one of none, google; received 'bert'"),
        ({"train_file": "a.tsv"}, "use --task=custom"),
        ({"task": "chunk,wnut17", "dev_file": "x"}, "must be of one task"),
        (
            {"task": "chunk", "dev_file": "/none"},
            "a file must exist; received '/none'",
        ),
        ({"task": "stsb_cosine", "head": "paper"}, "head must not be given"),
        ({"task": "mnli,sst3"}, "received 'sst3'"),
    ],
)
def test_values(changed, told, checkpoint, task_files, tmp_path):
    values = {
        "task": "cola",
        "data_dir": task_files,
        "init_checkpoint": checkpoint,
        **changed,
    }
    given = [f"--{name}={value}" for name, value in values.items()]
    assert told in error(tmp_path, *given)


def test_a_folder_that_is_no_checkpoint(task_files, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    line = error(
        tmp_path,
        "--task=cola",
        f"--data_dir={task_files}",
        f"--init_checkpoint={tmp_path}",
    )
    assert str(tmp_path) in line or "config" in line


def question(**changed):
    record = {
        "id": "q1",
        "question": "who?",
        "answers": [{"text": "cat", "answer_start": 4}],
        **changed,
    }
    return {k: v for k, v in record.items() if v is not None}


def squad(*questions, context="The cat sat."):
    paragraph = {"context": context, "qas": list(questions)}
    return {"data": [{"title": "T", "paragraphs": [paragraph]}]}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            {"version": "1.1"},
            "(SQuAD's format): must have 'data'; received ['version']",
        ),
        ([1], "(SQuAD's format) must be an object; received [1]"),
        (squad(question(question=None)), "'q1': must have 'question'"),
        (squad(question(), question()), "ids must differ; received 'q1'"),
        (
            squad(question(question=" ")),
            "the question of 'q1' must not be empty; received ' '",
        ),
        (
            squad(question(), context="  "),
            "stand in its context; received 'characters 4 to 7 of 2'",
        ),
        (
            squad(question(answers=[{"text": "cat", "answer_start": 10}])),
            "received 'characters 10 to 13 of 12'",
        ),
        (
            squad(question(answers=[{"text": "cat", "answer_start": 5}])),
            "must hold questions; received []",
        ),
        (squad(), "must hold questions; received []"),
        # What a file says has a type.
        (
            squad(question(is_impossible="false")),
            "'q1': is_impossible must be true or false; received 'false'",
        ),
        (squad(question(is_impossible=0)), "must be true or false; received 0"),
        (
            squad({**question(), "question": None}),
            "'q1': question must be text; received None",
        ),
        (squad(question(), context=7), "context must be text; received 7"),
        (squad(question(), context=["a"]), "must be text; received ['a']"),
        (squad(question(id=["z"])), "id must be text; received ['z']"),
        (squad(question(id=True)), "id must be text; received True"),
        (squad(question(id=1), question(id="1")), "differ; received '1'"),
        (squad("who?"), "a question must be an object; received 'who?'"),
        (
            squad(question(answers=[{"text": "cat", "answer_start": 4.0}])),
            "'q1': answer_start must be a whole number; received 4.0",
        ),
        (
            squad(question(answers=[{"text": "cat", "answer_start": True}])),
            "answer_start must be a whole number; received True",
        ),
        (
            squad(question(answers=[{"text": None, "answer_start": 4}])),
            "'q1': text must be text; received None",
        ),
        (
            squad(
                question(answers=[{"text": "cat", "answer_start": 4}, "cat"])
            ),
            "'q1' must be an object; received 'cat'",
        ),
        (squad(question(answers="cat")), "answers must be a list; received"),
        ({"data": ["a"]}, "an article must be an object; received 'a'"),
    ],
)
def test_squad_files(content, told, checkpoint, tmp_path):
    path = tmp_path / "train.json"
    path.write_text(json.dumps(content))
    line = error(
        tmp_path,
        "--task=squad1",
        f"--train_file={path}",
        f"--dev_file={path}",
        f"--init_checkpoint={checkpoint}",
    )
    assert told in line
    assert "train.json" in line


def mrqa(**changed):
    """A line of one question, but for what is changed, at either level."""
    qa = {"qid": "q", "question": "?", "answers": ["b"]}
    record = {"context": "a b", "qas": [qa]}
    for name, value in changed.items():
        (record if name in record else qa)[name] = value
    return json.dumps(record)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2: must be JSON"),
        ("[" * 100_000, "line 2: must be JSON; received maximum recursion"),
        (
            mrqa(answers="red mat"),
            "question 'q': answers must be a list; received 'red mat'",
        ),
        (mrqa(answers=[1]), "question 'q': an answer must be text; received 1"),
        (mrqa(context=None), "context must be text; received None"),
        (mrqa(qas={}), "qas must be a list; received {}"),
        (mrqa(qid=[1]), "qid must be text; received [1]"),
        (mrqa(question=["?"]), "question must be text; received ['?']"),
        (mrqa(detected_answers=None), "detected_answers must be a list"),
        (
            mrqa(detected_answers=[{"text": "b", "char_spans": []}]),
            "'q': char_spans must begin with [first, last]; received []",
        ),
        (
            mrqa(detected_answers=[{"text": "b", "char_spans": [[2, 2.0]]}]),
            "'q': places in char_spans must be a whole number; received 2.0",
        ),
        (
            '{"context": "a b"}',
            "line 2 (MRQA's format): must have 'qas'",
        ),
        (
            mrqa(detected_answers=[{"text": "b", "char_spans": [[2, 3]]}]),
            "question 'q': an answer must stand in its context; received "
            "'characters 2 to 4 of 3'",
        ),
    ],
)
def test_mrqa_files(line, told, checkpoint, tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text('{"header": {}}\n' + line + "\n")
    found = error(
        tmp_path,
        "--task=mrqa",
        f"--train_file={path}",
        f"--dev_file={path}",
        f"--init_checkpoint={checkpoint}",
    )
    assert told in found
