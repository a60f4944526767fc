"""Fifty examples of each task, by a small grammar, in the official formats.

What is to be learned shows in a word or two, so that a tiny model that has
seen no text before can learn all fifty.
"""

import gzip
import json
import pathlib
import random

from electra_tf.config.pretraining import make_config
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.pretraining.factory import build_pretrainer
from electra_tf.weights import OpenedWeights, save_weights

ANIMALS = "cat dog cow horse goat owl crow fox hare bear".split()
MOODS = "glad sad calm wild shy bold".split()  # the label is in this word
NAMES = "ada bob cleo dan eve finn".split()
CITIES = ["rome", "oslo", "lima", "new york", "cairo", "new delhi"]
REST = "the a is lives in sees near very . ? who where why does live".split()
LENGTH = 40
_NLI = ("contradiction", "entailment", "neutral")
_ENTAILS = ("entailment", "not_entailment")


def write_checkpoint(folder: str, hidden_size: int = 64) -> str:
    """Sizes, vocabulary and fresh weights, a little wider than usual."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = " ".join([*ANIMALS, *MOODS, *NAMES, *CITIES, *REST]).split()
    vocab = [*specials, *dict.fromkeys(words), "##s"]
    config = make_config(
        {
            "vocab_size": len(vocab),
            "embedding_size": hidden_size,
            "hidden_size": hidden_size,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 2 * hidden_size,
            "generator_hidden_size": 1.0,
            "max_position_embeddings": LENGTH,
            "max_seq_length": LENGTH,
            "initializer_range": 0.1,
        }
    )
    pretrainer = build_pretrainer(config, Tokenizer(vocab))
    weights = {v.path: v.numpy() for v in pretrainer.trainable_variables}
    save_weights(OpenedWeights(config, Tokenizer(vocab), weights), folder)
    return folder


def sentences(number: int = 50) -> list[tuple[str, str, int]]:
    """(a sentence, another one whose mood is the label, 0 .. 5)."""
    rng = random.Random(0)
    found = []
    for index in range(number):
        mood = index % len(MOODS)
        one, other, name = (
            rng.choice(words) for words in (ANIMALS, ANIMALS, NAMES)
        )
        found.append(
            (
                f"the {one} sees {name} .",
                f"the very {MOODS[mood]} {other} is near {name} .",
                mood,
            )
        )
    return found


def _tsv(path: pathlib.Path, rows: list[list], header: str = "") -> None:
    lines = ["\t".join(map(str, row)) for row in rows]
    if header:
        lines.insert(0, header)
    path.parent.mkdir(parents=True, exist_ok=True)
    # As some of the official files: no end of the last line.
    path.write_text("\n".join(lines), encoding="utf-8")


def write_glue(folder: pathlib.Path, number: int = 50) -> None:
    """All ten tasks: training, dev (the same) and test files."""
    texts = sentences(number)
    for split in ("train", "dev"):
        _write_single(folder, split, texts)
        _write_pairs(folder, split, texts)
    _write_mnli(folder, texts)
    _write_tests(folder, texts)


def _write_single(folder, split, texts):
    rows = [["gj04", m % 2, "" if m % 2 else "*", b] for _, b, m in texts]
    _tsv(folder / "CoLA" / f"{split}.tsv", rows)
    rows = [[f'{b} "', m % 2] for _, b, m in texts]  # a bare quote
    _tsv(folder / "SST-2" / f"{split}.tsv", rows, "sentence\tlabel")


def _write_pairs(folder, split, texts):
    _tsv(
        folder / "MRPC" / f"{split}.tsv",
        [[m % 2, i, i, a, f'" {b}'] for i, (a, b, m) in enumerate(texts)],
        "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String",
    )
    _tsv(
        folder / "STS-B" / f"{split}.tsv",
        [
            [i, "g", "f", "2012", "0", "none", "none", a, b, f"{m}.000"]
            for i, (a, b, m) in enumerate(texts)
        ],
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2"
        "\tsentence1\tsentence2\tscore",
    )
    broken = [["7", "8"]] if split == "train" else []
    _tsv(
        folder / "QQP" / f"{split}.tsv",
        [[i, 1, 2, a, b, m % 2] for i, (a, b, m) in enumerate(texts)] + broken,
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
    )
    rows = [[i, a, b, _ENTAILS[m % 2]] for i, (a, b, m) in enumerate(texts)]
    _tsv(
        folder / "QNLI" / f"{split}.tsv",
        rows,
        "index\tquestion\tsentence\tlabel",
    )
    header = "index\tsentence1\tsentence2\tlabel"
    _tsv(folder / "RTE" / f"{split}.tsv", rows, header)
    rows = [[i, a, b, m % 2] for i, (a, b, m) in enumerate(texts)]
    _tsv(folder / "WNLI" / f"{split}.tsv", rows, header)


def _write_mnli(folder, texts):
    start = (
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse"
        "\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse"
        "\tsentence1\tsentence2"
    )
    rows = [
        [i, "p", "q", "g", *["( x )"] * 4, a, b, _NLI[m % 3], _NLI[m % 3]]
        for i, (a, b, m) in enumerate(texts)
    ]
    mnli = folder / "MNLI"
    _tsv(mnli / "train.tsv", rows, f"{start}\tlabel1\tgold_label")
    several = "\t".join(f"label{n}" for n in range(1, 6))
    rows = [[*row[:-2], *["neutral"] * 5, row[-1]] for row in rows]
    for name in ("dev_matched", "dev_mismatched"):
        _tsv(mnli / f"{name}.tsv", rows, f"{start}\t{several}\tgold_label")
    for name in ("test_matched", "test_mismatched"):
        _tsv(mnli / f"{name}.tsv", [row[:10] for row in rows[:6]], start)


def _write_tests(folder, texts):
    texts = texts[:6]
    single = [[i, b] for i, (_, b, _) in enumerate(texts)]
    pairs = [[i, a, b] for i, (a, b, _) in enumerate(texts)]
    for name in ("CoLA", "SST-2"):
        _tsv(folder / name / "test.tsv", single, "index\tsentence")
    _tsv(
        folder / "MRPC" / "test.tsv",
        [[i, 1, 2, a, f'" {b}'] for i, a, b in pairs],
        "index\t#1 ID\t#2 ID\t#1 String\t#2 String",
    )
    _tsv(folder / "QQP" / "test.tsv", pairs, "id\tquestion1\tquestion2")
    _tsv(folder / "QNLI" / "test.tsv", pairs, "index\tquestion\tsentence")
    for path in ("RTE/test", "WNLI/test", "STS-B/test", "AX/AX"):
        _tsv(folder / f"{path}.tsv", pairs, "index\tsentence1\tsentence2")


def write_classes(folder: pathlib.Path, number: int = 50) -> None:
    """Sentences of an owl, and the moods that it is in: none, or two."""
    rng = random.Random(4)
    lines = []
    for _ in range(number):
        moods = rng.sample(MOODS, rng.randrange(3))
        text = f"the {' '.join(moods)} owl is near ada ."
        lines.append(json.dumps({"text": text, "label": moods}) + "\n")
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "dev", "test"):
        (folder / f"{split}.jsonl").write_text("".join(lines))


def write_ranking(folder: pathlib.Path, number: int = 50) -> None:
    """The same as triples and as passages with labels; moods of even numbers
    answer."""
    rng = random.Random(3)
    triples = []
    for index in range(number):
        animal, name = ANIMALS[index % len(ANIMALS)], NAMES[index % len(NAMES)]
        moods = (rng.choice(MOODS[0::2]), rng.choice(MOODS[1::2]))
        texts = [f"the {mood} {animal} lives near {name} ." for mood in moods]
        triples.append([f"where does the {animal} near {name} live ?", *texts])
    judged = [[t[0], t[1 + n], 1 - n] for t in triples for n in range(2)]
    for split in ("train", "dev", "test"):
        _tsv(folder / "triples" / f"{split}.tsv", triples)
        _tsv(folder / "judged" / f"{split}.tsv", judged)


def questions(number: int = 50, with_impossible: bool = False) -> list[dict]:
    """Who or where; "why" has no answer."""
    rng = random.Random(1)
    found = []
    for index in range(number):
        name, animal, other = (
            rng.choice(words) for words in (NAMES, ANIMALS, ANIMALS)
        )
        city = rng.choice(CITIES)
        context = (
            f"The {other} is very calm. {name.capitalize()} the {animal} "
            f"lives in {city.title()}, near the {other}."
        )
        kinds = ("who", "where", "why") if with_impossible else ("who", "where")
        kind = kinds[index % len(kinds)]
        answer = {"who": name.capitalize(), "where": city.title()}.get(kind)
        asked = f"{kind} does the {animal} live?"
        if kind == "who":
            asked = "who lives?"
        found.append(
            {
                "id": f"q{index}",
                "question": asked,
                "context": context,
                "answer": answer,
            }
        )
    return found


def write_squad(folder: pathlib.Path, number: int = 50) -> None:
    """SQuAD 1.1, 2.0 and MRQA; the test file is dev without answers."""
    folder.mkdir(parents=True, exist_ok=True)
    for version, with_impossible in (("1.1", False), ("2.0", True)):
        asked = questions(number, with_impossible)
        for split in ("train", "dev", "test"):
            content = {
                "version": version,
                "data": [
                    {
                        "title": "Animals",
                        "paragraphs": [_paragraph(q, split) for q in asked],
                    }
                ],
            }
            path = folder / f"{split}-v{version}.json"
            path.write_text(json.dumps(content), encoding="utf-8")
    lines = [{"header": {"dataset": "Animals"}}, *map(_mrqa, questions(number))]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    for split in ("train", "test"):
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    (folder / "dev.jsonl.gz").write_bytes(gzip.compress(text.encode()))


def _paragraph(asked: dict, split: str) -> dict:
    record = {"id": asked["id"], "question": asked["question"]}
    answer = asked["answer"]
    if split != "test":
        start = asked["context"].find(answer) if answer else -1
        record["answers"] = (
            [{"answer_start": start, "text": answer}] if answer else []
        )
        record["is_impossible"] = answer is None
    return {"context": asked["context"], "qas": [record]}


def _mrqa(asked: dict) -> dict:
    answer = asked["answer"]
    start = asked["context"].index(answer)
    span = [start, start + len(answer) - 1]
    return {
        "context": asked["context"],
        "qas": [
            {
                "qid": asked["id"],
                "question": asked["question"],
                "answers": [answer],
                "detected_answers": [{"text": answer, "char_spans": [span]}],
            }
        ],
    }


def tagged(number: int = 50) -> list[list[tuple[str, str, str, str]]]:
    """Sentences of (word, part of speech, chunk in BIO, entity in IOB1)."""
    rng = random.Random(2)
    found = []
    for _ in range(number):
        rows = [
            ("the", "DT", "B-NP", "O"),
            (rng.choice(MOODS), "JJ", "I-NP", "O"),
            (rng.choice(ANIMALS) + "s", "NN", "I-NP", "O"),
            ("sees", "VBZ", "B-VP", "O"),
            (rng.choice(NAMES), "NNP", "B-NP", "I-PER"),
            ("in", "IN", "B-PP", "O"),
        ]
        for place, word in enumerate(rng.choice(CITIES).split()):
            rows.append((word, "NNP", "BI"[place > 0] + "-NP", "I-LOC"))
        rows.append((".", ".", "O", "O"))
        found.append(rows)
    return found


def write_tags(folder: pathlib.Path, number: int = 50) -> None:
    """CoNLL-2000 chunks, CoNLL-2003 and WNUT-17 entities."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = tagged(number)

    def joined(columns, separator=" "):
        return "\n\n".join(
            "\n".join(separator.join(row[c] for c in columns) for row in s)
            for s in rows
        )

    for name in ("train.txt", "dev.txt", "test.txt"):
        (folder / name).write_text(joined((0, 1, 2)) + "\n\n")
    start = "-DOCSTART- -X- O O\n\n"
    for name in ("eng.train", "eng.testa", "eng.testb"):
        (folder / name).write_text(start + joined((0, 1, 2, 3)) + "\n")
    # IOB1 has no B here, so it reads the same in BIO but for the prefix.
    bio = joined((0, 3), "\t").replace("\n\n", "\n\t\n")
    for name in ("wnut17train", "emerging.dev"):
        (folder / f"{name}.conll").write_text(bio + "\n")
    (folder / "emerging.test.annotated").write_text(bio + "\n")
