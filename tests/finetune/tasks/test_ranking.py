"""Queries and passages: files, what is learned of them, MRR and NDCG."""

import grammar
import numpy as np
import pytest
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score

from electra_tf.config.finetuning import TaskOptions
from electra_tf.errors import InputError
from electra_tf.finetune.tasks import Splits, ranking
from electra_tf.finetune.tasks.metrics import ranking_metrics
from electra_tf.finetune.tasks.ranking import Judged, Ranking, Triple


def random_lists(rng, has_ties):
    """Queries of their passages, one or more of which fit."""
    queries, labels, scores = [], [], []
    for query in range(rng.integers(1, 6)):
        count = int(rng.integers(2, 30))
        gains = rng.integers(0, 4, count) * (rng.random(count) < 0.15)
        gains[rng.integers(count)] = 2
        found = rng.normal(size=count)
        queries += [f"q{query}"] * count
        labels += gains.tolist()
        scores += (np.round(found) if has_ties else found).tolist()
    order = rng.permutation(len(queries))
    return [np.array(x)[order] for x in (queries, labels, scores)]


@pytest.mark.parametrize("has_ties", [False, True])
def test_metrics_of_random_lists(has_ties):
    """By scikit-learn's, and by going through each order."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        queries, labels, scores = random_lists(rng, has_ties)
        found = ranking_metrics(queries, labels, scores)
        mrr, ndcg = [], []
        for query in set(queries):
            gain, score = (x[queries == query] for x in (labels, scores))
            ndcg.append(ndcg_score([gain], [score], k=10))
            worst = np.lexsort((gain > 0, -score))[:10]
            places = np.flatnonzero(gain[worst])
            mrr.append(1 / (places[0] + 1) if len(places) else 0)
        assert found["mrr@10"] == pytest.approx(100 * np.mean(mrr))
        assert found["ndcg@10"] == pytest.approx(100 * np.mean(ndcg))
        best = np.flatnonzero(labels)[:1]
        if not has_ties:  # one that fits, among ten: scikit-learn's again
            few = np.unique([*range(min(10, len(labels))), *best])[:10]
            gain = np.zeros(len(few))
            gain[rng.integers(len(few))] = 1
            one = ranking_metrics(["q"] * len(few), gain, scores[few])
            same = label_ranking_average_precision_score([gain], [scores[few]])
            assert one["mrr@10"] == pytest.approx(100 * same)


def test_metrics_of_ranx():
    ranx = pytest.importorskip("ranx")
    rng = np.random.default_rng(1)
    for _ in range(20):
        queries, labels, scores = random_lists(rng, has_ties=False)
        qrels, run = {}, {}
        for number, query in enumerate(queries):
            name = f"p{number}"
            qrels.setdefault(query, {})[name] = int(labels[number])
            run.setdefault(query, {})[name] = float(scores[number])
        expected = ranx.evaluate(
            ranx.Qrels(qrels), ranx.Run(run), ["mrr@10", "ndcg@10"]
        )
        found = ranking_metrics(queries, labels, scores)
        for name, value in expected.items():
            assert found[name] == pytest.approx(100 * value), name


def test_a_query_that_nothing_fits_counts_as_nothing():
    found = ranking_metrics(["a", "a", "b", "c"], [1, 0, 0, 3], [2, 1, 5, 0])
    assert found == pytest.approx({"mrr@10": 200 / 3, "ndcg@10": 200 / 3})
    constant = ranking_metrics(["a"] * 20, [1] + [0] * 19, [0.5] * 20)
    assert constant["mrr@10"] == 0


TRIPLES = [Triple("q", "good", "bad"), Triple("q", "good", "worse")]
JUDGED = [Judged("q", "good", 1.0), Judged("q", "bad", 0.0)]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.tsv", "q\tgood\tbad\nq\tgood\tworse\n", TRIPLES),
        (
            "b.tsv",
            "query\tpositive\tnegative\nq\tgood\tbad\nq\tgood\tworse",
            TRIPLES,
        ),
        ("c.tsv", "q\tgood\t1\nq\tbad\t0\n", JUDGED),
        ("d.csv", "label,query,passage\n1,q,good\n0,q,bad\n", JUDGED),
        (
            "e.jsonl",
            '{"query": "q", "passage": "good", "label": 1}\n'
            '{"query": "q", "passage": "bad", "label": 0}\n',
            JUDGED,
        ),
        # A number among passages is a passage.
        ("f.tsv", "q\tgood\t1945\nq\tgood\tbad\n", None),
    ],
)
def test_files(name, text, expected, tmp_path):
    path = tmp_path / name
    path.write_text(text)
    found = ranking.read_ranking(str(path), "train")
    if expected is None:
        expected = [Triple("q", "good", "1945"), TRIPLES[0]]
    assert found == expected


def test_test_files_need_no_labels(tmp_path):
    path = tmp_path / "test.tsv"
    for text in ("q\ta\nq\tb\n", "query\tpassage\nq\ta\nq\tb\n"):
        path.write_text(text)
        found = ranking.read_ranking(str(path), "test")
        assert found == [Judged("q", "a"), Judged("q", "b")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q\tgood\n", "must have columns query, positive, negative, or query"),
        ("q\tgood\t1\nq\t\t0\n", "line 2: texts and labels must not be empty"),
        ("q\tgood\t1\nq\tbad\t-1\n", "line 2: a label must not be below 0"),
        ("q\tgood\t1\nq\tbad\n", "line 2: must have 3 columns"),
        ("query\tpassage\nq\tgood\n", "must have one column 'label'"),
        ("q\tgood\t1\nq\talso\t1\n", "a passage that fits and one that"),
        ("q\tgood\t1\np\tbad\t0\n", "a passage that fits and one that"),
    ],
)
def test_files_that_are_refused(text, message, tmp_path):
    for split in ("train", "dev"):
        (tmp_path / f"{split}.tsv").write_text(text)
    with pytest.raises(InputError, match=message):
        ranking.open_ranking(TaskOptions(data_dir=str(tmp_path)))
    with pytest.raises(InputError, match="dev must hold a passage that fits"):
        Ranking("r", Splits(TRIPLES, {"dev": JUDGED[1:]}, {}))


def test_what_is_learned_of_either_form():
    """Each passage occurs; a label stands beside all lower ones."""
    labels = {"a": 2.0, "b": 1.0, "c": 0.0, "d": 0.0, "e": 0.0}
    judged = [Judged("q", p, n) for p, n in labels.items()]
    judged += [Judged("r", "x", 1.0), Judged("s", "y", 0.0)]
    found = list(ranking.triples_of([*judged, *TRIPLES]))
    own = [t for t in found if t not in TRIPLES]
    assert found[:2] == TRIPLES
    assert {t.query for t in own} == {"q"}
    assert {p for t in own for p in (t.positive, t.negative)} == {*labels}
    assert all(labels[t.positive] > labels[t.negative] for t in own)
    assert len(own) == 1 + 3 + 3
    again = ranking.judged_of([*TRIPLES, Judged("q", "bad", 3.0)])
    assert again == [
        Judged("q", "good", 1.0), Judged("q", "bad", 3.0),
        Judged("q", "worse", 0.0),
    ]  # fmt: skip


@pytest.mark.parametrize("loss", ["binary", "pairwise"])
def test_arrays(loss, checkpoint):
    from electra_tf.data.tokenizers import Tokenizer

    tokenizer = Tokenizer.from_folder(checkpoint)
    words = grammar.ANIMALS
    triples = [Triple(words[0], words[1], words[2] + " " + words[3])] * 3
    task = Ranking("r", Splits(triples, {"dev": triples}, {}), loss)
    found = task.encode(tokenizer, task.splits.train, 20, is_training=True)
    ids = tokenizer.tokenize(words[:4]).numpy()[:, 0]
    cls, sep = tokenizer.cls_id, tokenizer.sep_id
    good = [cls, ids[0], sep, ids[1], sep]
    bad = [cls, ids[0], sep, ids[2], ids[3], sep]
    rows = found.inputs["input_ids"].tolist()
    if loss == "pairwise":
        assert found.targets is None
        assert rows == [good] * 3
        assert found.inputs["other_input_ids"].tolist() == [bad] * 3
    else:
        assert found.targets.tolist() == [1, 0] * 3
        assert rows == [[*good, tokenizer.pad_id], bad] * 3
    dev = task.encode(tokenizer, task.splits.dev["dev"], 20)
    assert dev.targets.tolist() == [1, 0]
