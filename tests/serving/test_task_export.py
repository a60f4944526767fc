"""Fine-tuned models as SavedModels, asked where there is no electra_tf.

What they must answer is worked out here window by window and word by word,
from the Keras model's own predictions on ids.
"""

import json

import bare_process
import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
import tiny_finetune
from tiny_finetune import LENGTH, id_batch

from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError
from electra_tf.finetune.models.classifiers import (
    Classifier,
    Regressor,
)
from electra_tf.finetune.models.ranker import Ranker
from electra_tf.finetune.models.sentence_encoder import SentenceEncoder
from electra_tf.finetune.models.span_qa import SpanQA
from electra_tf.finetune.models.tagger import Tagger
from electra_tf.finetune.models.windows import make_windows
from electra_tf.finetune.models.words import begins_word
from electra_tf.serving.export import export_finetuned
from electra_tf.serving.finetuned import TagModule
from electra_tf.serving.warmup import verify_saved_model

TEXTS = [
    "The state of the union is strong.",
    "",
    "Caf\u00e9 \U0001f600 na\u00efve\u3000U.S. soft\u00adhyphen",
    "we the people of the United States of America " * 3,
]
PAIRS = ["Congress", "the war", "", "peace and war and work " * 4]
QUESTIONS = ["what of the union?", "", "the people and the war " * 20, "who"]
PASSAGES = [
    [PAIRS[0], "", PAIRS[1]],
    ["", "", ""],
    PAIRS[1:],
    [*TEXTS[::2], ""],
]
SPAN = {"num_beams": 5, "max_answer_length": 4}
# Of the second model: windows that overlap, and questions cut at another place.
CUT = {"max_query_length": 6, "doc_stride": 2}
MODELS = {
    "classify": (Classifier, {"labels": ("bad", "g\u00f6od", "so so")}),
    "regress": (Regressor, {}),
    "tag": (Tagger, {"labels": ("O", "B-X", "I-X")}),
    "answer": (SpanQA, {"head": "joint", **SPAN}),
    "answer_plain": (SpanQA, {"head": "plain", **SPAN, **CUT}),
    "several": (
        Classifier,
        {
            "num_classes": 3,
            "multi_label": True,
            "head": "huggingface",
            "thresholds": [0.2, 0.5, 0.9],
        },
    ),
    "rank": (Ranker, {"head": "huggingface"}),
    "encode": (SentenceEncoder, {}),
}
CLIENT = """
folder, asked, out = sys.argv[1:]
asked = dict(np.load(asked))
strings = json.loads(asked.pop("strings").item())
ids = {name: tf.constant(array) for name, array in asked.items()}
found, log = {}, {}
for name in NAMES:
    model = tf.saved_model.load(f"{folder}/{name}")
    log[name] = sorted(model.signatures)
    for key, signature in model.signatures.items():
        wanted = signature.structured_input_signature[1]
        inputs = ids if "input_ids" in wanted else {
            n: tf.constant(np.vectorize(str.encode)(strings[n]).astype(object))
            for n in wanted
        }
        for part, value in signature(**inputs).items():
            value = value.numpy()
            label = f"{name}/{key}/{part}"
            if value.dtype == object:
                log[label] = np.vectorize(bytes.decode)(value).tolist()
            else:
                found[label] = value
        none = signature(**{n: x[:0] for n, x in inputs.items()})
        assert all(x.shape[0] == 0 for x in none.values()), none
np.savez(out, log=json.dumps(log), **found)
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("pretrained") / "model")
    path = tiny_finetune.write_pretrained(folder)
    keras.utils.set_random_seed(4)
    made = {
        name: cls.from_pretrained(path, max_seq_length=LENGTH, **given)
        for name, (cls, given) in MODELS.items()
    }
    rng = np.random.default_rng(8)
    for name, model in made.items():
        if name == "encode":
            continue
        for variable in model.head.trainable_variables:
            noise = rng.normal(size=variable.shape)
            variable.assign(variable.numpy() + noise)
    # So that not every text gets the same label.
    bias = made["classify"].head.bias
    bias.assign(-made["classify"].predict(id_batch(), verbose=0).mean(0))
    return made


@pytest.fixture(scope="module")
def answers(models, tmp_path_factory):
    """Signature outputs by "model/signature/part"."""
    folder = tmp_path_factory.mktemp("exported")
    for name, model in models.items():
        export_finetuned(model, str(folder / name))
    strings = {"text": TEXTS, "text_pair": PAIRS}
    strings |= {"question": QUESTIONS, "context": TEXTS}
    strings |= {"query": TEXTS, "passages": PASSAGES}
    ids = {n: v.astype(np.int64) for n, v in id_batch().items()}
    np.savez(folder / "in.npz", strings=json.dumps(strings), **ids)
    client = f"NAMES = {list(models)}\n{CLIENT}"
    files = (folder / "in.npz", folder / "out.npz")
    bare_process.run(client, folder, *files, cwd=folder)
    found = dict(np.load(folder / "out.npz"))
    return found | json.loads(found.pop("log").item())


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_signatures(answers):
    assert answers["classify"] == [
        "classify", "classify_ids", "classify_pair", "serving_default",
    ]  # fmt: skip
    assert answers["regress"] == [
        "regress", "regress_ids", "regress_pair", "serving_default",
    ]  # fmt: skip
    assert answers["several"] == answers["classify"]
    assert answers["rank"] == ["rank", "rank_ids", "serving_default"]
    assert answers["tag"] == ["serving_default", "tag", "tag_ids"]
    assert answers["answer"] == ["answer", "answer_ids", "serving_default"]


INPUTS = {
    "": TEXTS,
    "_pair": {"text": TEXTS, "text_pair": PAIRS},
    "_ids": id_batch(),
}


@pytest.mark.parametrize("form", INPUTS)
def test_classify_and_regress(form, models, answers):
    logits = models["classify"].predict(INPUTS[form], verbose=0)
    key = f"classify/classify{form}"
    close(answers[f"{key}/scores"], softmax(logits))
    names = list(MODELS["classify"][1]["labels"])
    assert answers[f"{key}/labels"] == [names] * len(logits)
    best = [names[i] for i in logits.argmax(-1)]
    assert answers[f"{key}/label"] == best
    key = f"regress/regress{form}"
    expected = models["regress"].predict(INPUTS[form], verbose=0)
    close(answers[f"{key}/scores"], expected)
    if form != "_ids":
        rows = models["regress"].preprocessor(
            tf.constant(TEXTS)
            if form == ""
            else {n: tf.constant(v) for n, v in INPUTS[form].items()}
        )
        cut = rows["truncated"].numpy().astype(bool).tolist()
        assert answers[f"{key}/truncated"].tolist() == cut
        assert True in cut
        assert False in cut
    assert len(set(best)) > 1 or form != "_ids"


@pytest.mark.parametrize("form", ["_pair", "_ids"])
def test_huggingface_heads(form, models, answers):
    """Each class by itself; of a Ranker the logits."""
    logits = models["several"].predict(INPUTS[form], verbose=0)
    expected = 1 / (1 + np.exp(-logits))
    close(answers[f"several/classify{form}/scores"], expected)
    holds = answers[f"several/classify{form}/holds"]
    np.testing.assert_array_equal(holds, expected >= [0.2, 0.5, 0.9])
    assert {*holds.flat} == {True, False}


def test_encode(models, answers):
    assert answers["encode"] == ["encode", "encode_ids", "serving_default"]
    found = answers["encode/encode/embeddings"]
    close(found, models["encode"].embed(TEXTS))
    close(np.linalg.norm(found, axis=1), 1)
    assert answers["encode/encode/truncated"].tolist()[-1]


def test_rank_scores_each_passage_that_is_there(models, answers):
    scores, cut = answers["rank/rank/scores"], answers["rank/rank/truncated"]
    for query, passages, row, row_cut in zip(
        TEXTS, PASSAGES, scores, cut, strict=True
    ):
        there = np.array([passage != "" for passage in passages])
        assert (row[~there] == -10_000).all()
        assert not row_cut[~there].any()
        if there.any():
            kept = [passage for passage in passages if passage]
            close(row[there], models["rank"].rank(query, kept))
    assert np.ptp(scores[scores > -10_000]) > 0.1
    assert cut.any()
    with pytest.raises(InputError, match="must have a passage or more"):
        models["rank"].rank("who", [])


def test_the_default_takes_ids(models, answers):
    for name, model in models.items():
        expected = model.predict(id_batch(), verbose=0)
        if name == "encode":
            close(answers["encode/serving_default/embeddings"], expected)
        elif name in ("regress", "rank"):
            close(answers[f"{name}/serving_default/scores"], expected)
        elif name.startswith("answer"):
            for part, value in expected.items():
                close(answers[f"{name}/serving_default/{part}"], value)
        else:
            if name == "tag":
                scores = tags_of_ids(model)[0]
            elif name == "several":
                scores = 1 / (1 + np.exp(-expected))
            else:
                scores = softmax(expected)
            close(answers[f"{name}/serving_default/scores"], scores)


def tags_of_ids(model):
    """Scores and labels of `id_batch`, 0 and "" on padding."""
    real = id_batch()["input_mask"].astype(bool)
    scores = softmax(model.predict(id_batch(), verbose=0)) * real[:, :, None]
    names = np.array(MODELS["tag"][1]["labels"], object)[scores.argmax(-1)]
    return scores, np.where(real, names, "").tolist()


@pytest.mark.parametrize("buckets", [(), (9, 11)])
def test_tags_of_ids_do_not_tell_buckets(buckets, models, tmp_path):
    """What stands on padding is the same wherever a row was cut."""
    vocab = tmp_path / "vocab.txt"
    vocab.touch()
    module = TagModule(
        models["tag"],
        models["tag"].preprocessor,
        str(vocab),
        buckets=buckets,
    )
    found = module.tag_ids(
        **{name: tf.constant(x, tf.int64) for name, x in id_batch().items()}
    )
    scores, labels = tags_of_ids(models["tag"])
    close(found["scores"], scores)
    assert np.vectorize(bytes.decode)(found["labels"]).tolist() == labels


def test_tag_labels_each_words_first_piece(models, answers):
    model, labels = models["tag"], MODELS["tag"][1]["labels"]
    tokenizer = model.preprocessor.tokenizer
    count = 0
    for row, text in enumerate(TEXTS):
        ids, firsts, words = [tokenizer.cls_id], [], text.split()
        for word in words:
            firsts.append(len(ids))
            ids += tokenizer.tokenize([word])[0].numpy().tolist()
        is_cut = len(ids) > LENGTH - 1
        ids = [*ids[: LENGTH - 1], tokenizer.sep_id]
        ids = np.array([ids + [0] * (LENGTH - len(ids))])
        mask = (ids > 0).astype(int)
        features = {"input_ids": ids, "input_mask": mask}
        features["segment_ids"] = ids * 0
        probs = softmax(model.predict(features, verbose=0))[0]
        kept = [i for i, first in enumerate(firsts) if first < LENGTH - 1]
        places = [firsts[i] for i in kept]
        n, key = len(kept), "tag/tag"
        assert answers[f"{key}/num_words"][row] == n
        assert answers[f"{key}/words"][row][:n] == [words[i] for i in kept]
        best = probs[places].argmax(-1)
        found = answers[f"{key}/labels"][row]
        assert found[:n] == [labels[i] for i in best]
        assert set(found[n:]) <= {""}
        close(answers[f"{key}/scores"][row][:n], probs[places].max(-1))
        content = text.encode()
        for start, end, i in zip(
            answers[f"{key}/starts"][row],
            answers[f"{key}/ends"][row],
            kept,
            strict=False,
        ):
            assert content[start:end].decode() == words[i]
        assert answers[f"{key}/truncated"][row] == is_cut
        count += n
    assert count > 10
    assert answers["tag/tag_ids/labels"] == tags_of_ids(model)[1]


def test_what_parts_words():
    """White space does, deleted characters and punctuation do not."""
    tokenizer = Tokenizer(tiny.vocab())
    for text, expected in [
        ("a b", [True, True]),
        ("a.b", [True, False, False]),
        ("a\u00adb", None),
        ("a\u200bb\u00a0c", None),
    ]:
        texts = tf.constant([text])
        _, starts, ends = tokenizer.tokenize_with_offsets(texts)
        found = begins_word(texts, starts, ends)[0].numpy().tolist()
        if expected is None:
            expected = [True] + [False] * (len(found) - 1)
            if "\u00a0" in text:
                expected[-1] = True
        assert found == expected, text


def brute_force_answer(model, question, context):
    """Every window in turn, every beam in turn."""
    tokenizer = model.preprocessor.tokenizer
    q = tokenizer.tokenize([question])[0].numpy().tolist()
    # Half of the row where it is too short for the default of 64.
    longest, stride = ((LENGTH - 3) // 2, 128)
    if model.window_settings.doc_stride != 128:
        longest, stride = CUT["max_query_length"], CUT["doc_stride"]
    q = q[:longest]
    tokens, starts, ends = (
        x[0].numpy() for x in tokenizer.tokenize_with_offsets([context])
    )
    room = LENGTH - 3 - len(q)
    step = min(stride, room)
    windows, first = [], 0
    while True:
        windows.append((first, min(room, len(tokens) - first)))
        if first + room >= len(tokens):
            break
        first += step

    def context_of(window, token):
        first, length = window
        if not first <= token < first + length:
            return -1
        return min(token - first, first + length - 1 - token) + 0.01 * length

    best, null = (-4000.0, "", 0, 0), np.inf
    content = context.encode()
    for first, length in windows:
        ids = [tokenizer.cls_id, *q, tokenizer.sep_id]
        begin = len(ids)
        ids += [*tokens[first : first + length], tokenizer.sep_id]
        mask = [1] * len(ids) + [0] * (LENGTH - len(ids))
        segments = [0] * begin + [1] * (length + 1)
        row = {
            "input_ids": ids + [0] * (LENGTH - len(ids)),
            "input_mask": mask,
            "segment_ids": segments + [0] * (LENGTH - len(segments)),
            # As in training, not at the last [SEP].
            "answer_mask": [
                int(p == 0 or begin <= p < begin + length)
                for p in range(LENGTH)
            ],
        }
        row = {n: tf.constant([v], tf.int32) for n, v in row.items()}
        beams = {n: v.numpy()[0] for n, v in model(row).items()}
        null = min(null, beams["answerability"])
        for i, start in enumerate(beams["start_index"]):
            for j, end in enumerate(beams["end_index"][i]):
                s, e = first + start - begin, first + end - begin
                contexts = [context_of(w, s) for w in windows]
                owner = windows[int(np.argmax(contexts))]
                if (
                    begin <= start <= end < begin + length
                    and end - start < SPAN["max_answer_length"]
                    and owner == (first, length)
                ):
                    score = beams["start_log_probs"][i]
                    score = score + beams["end_log_probs"][i, j]
                    if score > best[0]:
                        span = starts[s], ends[e]
                        text = content[slice(*span)].decode()
                        best = (score, text, *span)
    return best, null, len(windows)


@pytest.mark.parametrize("name", ["answer", "answer_plain"])
def test_answer_reads_every_window(name, models, answers):
    most_windows = 0
    for row, pair in enumerate(zip(QUESTIONS, TEXTS, strict=True)):
        best, null, count = brute_force_answer(models[name], *pair)
        score, text, start, end = best
        key = f"{name}/answer"
        assert answers[f"{key}/answer"][row] == text
        assert answers[f"{key}/start"][row] == start
        assert answers[f"{key}/end"][row] == end
        close(answers[f"{key}/score"][row], score)
        close(answers[f"{key}/null_score"][row], null)
        most_windows = max(most_windows, count)
    assert most_windows > 3
    assert answers[f"{name}/answer/answer"][1] == ""


def test_windows_cover_every_token():
    for room in range(1, 9):
        for tokens in range(30):
            found = make_windows(
                tf.constant([2]), tf.constant([tokens]), room + 5, 4
            )
            covered = set()
            for first, length in zip(
                found.first.numpy(), found.length.numpy(), strict=True
            ):
                assert length <= room
                covered |= set(range(first, first + length))
            assert covered == set(range(tokens))
            # No window that the one before it makes needless.
            assert len(found.first) == 1 or found.first[-2] + room < tokens


def test_a_model_without_preprocessor_needs_one(models, tmp_path):
    bare = Regressor(models["regress"].encoder)
    with pytest.raises(InputError, match="must be given a preprocessor"):
        export_finetuned(bare, str(tmp_path / "out"))
    given = models["regress"].preprocessor
    export_finetuned(bare, str(tmp_path / "out"), given)
    loaded = tf.saved_model.load(str(tmp_path / "out"))
    found = loaded.signatures["regress"](text=tf.constant(TEXTS))["scores"]
    ids = given(tf.constant(TEXTS))
    close(found, bare.predict(ids, verbose=0))


def test_the_command_exports_a_keras_file(models, answers, tmp_path):
    path = str(tmp_path / "model.keras")
    models["classify"].save(path)
    out = str(tmp_path / "out")
    arguments = [f"--model_dir={path}", f"--output_dir={out}"]
    finished = tiny.command("export_saved_model", *arguments)
    assert finished.code == 0, finished.err
    assert finished.out.startswith(f"{out}/1: signatures serving_default, cl")
    loaded = tf.saved_model.load(f"{out}/1")
    found = loaded.signatures["classify"](text=tf.constant(TEXTS))
    close(found["scores"], answers["classify/classify/scores"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--output_dir={}/out"], "which Keras cannot load"),
        ([], "output_dir must be given where"),
        (["--for_finetuning"], "for_finetuning takes a pre-trained model"),
    ],
)
def test_the_command_refuses(flags, message, tmp_path):
    (tmp_path / "model.keras").write_text("no model")
    given = [f"--model_dir={tmp_path}/model.keras"]
    given += [flag.format(tmp_path) for flag in flags]
    finished = tiny.command("export_saved_model", *given)
    assert message in finished.error()
    assert not (tmp_path / "out").exists()


def test_another_model_is_refused(models, tmp_path):
    with pytest.raises(
        InputError, match="takes Classifier, Regressor, Ranker, "
    ):
        export_finetuned(
            keras.Sequential(), str(tmp_path), models["tag"].preprocessor
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["several", "tag", "answer", "rank", "encode"])
def test_a_session_answers_as_the_keras_model(name, models, tmp_path):
    """Warm-up requests, replayed in processes of their own."""
    pytest.importorskip("tensorflow_serving")
    path = str(tmp_path / name / "1")
    names = export_finetuned(models[name], path, warmup=True)
    found = verify_saved_model(path)
    assert {(d.loader, d.signature) for d in found} == {
        (loader, n) for loader in ("function", "session") for n in names
    }
    # Rounding adds up in the log-probabilities of the joint head's beams, at
    # this test's large random weights: 4e-5 was seen.
    limit = 1e-4 if name == "answer" else 1e-5
    assert not [d for d in found if not d.largest < limit]
