"""Pairs of texts: where partners stand, what is read and learned."""

import numpy as np
import pytest

from electra_tf.config.finetuning import TaskOptions
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError
from electra_tf.finetune.tasks.sentence_pairs import (
    cosines_of,
    open_pairs,
    open_similarity,
    partner_ranks,
)


def test_places_of_partners_by_going_through_all():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 2, 4))
    partners = [f"p{number}" for number in rng.integers(0, 200, 300)]
    for number, name in enumerate(partners):  # one text, one vector
        vectors[number, 1] = vectors[partners.index(name), 1]
    found = partner_ranks(vectors, partners)
    for row in range(300):
        first = vectors[row, 0]
        near = {
            name: first @ v / np.linalg.norm(v)
            for name, v in zip(partners, vectors[:, 1], strict=True)
        }
        order = sorted(near, key=near.get, reverse=True)
        assert found[row] == 1 + order.index(partners[row])
    same = partner_ranks(np.ones((3, 2, 4)), ["a", "b", "c"])
    assert same.tolist() == [3, 3, 3]
    lengths = np.linalg.norm(vectors, axis=-1)
    expected = (vectors[:, 0] * vectors[:, 1]).sum(-1) / lengths.prod(-1)
    np.testing.assert_allclose(cosines_of(vectors), expected)


def options(folder, text):
    for split in ("train", "dev"):
        (folder / f"{split}.tsv").write_text(text)
    return TaskOptions(data_dir=str(folder))


def test_what_is_read(checkpoint, tmp_path):
    text = "text\ttext_pair\tlabel\nthe cat\ta dog\t4\nan owl\tcow\t-8\n"
    near = open_similarity(options(tmp_path, text))
    tokenizer = Tokenizer.from_folder(checkpoint)
    examples = near.splits.train
    found = near.encode(tokenizer, examples, 20, is_training=True)
    assert found.targets.tolist() == [0.5, -1.0]
    for name, texts in (
        ("input_ids", ["the cat", "an owl"]),
        ("other_input_ids", ["a dog", "cow"]),
    ):
        ids = tokenizer.tokenize(texts).to_list()
        rows = [[tokenizer.cls_id, *row, tokenizer.sep_id] for row in ids]
        kept = [[i for i in r if i] for r in found.inputs[name].tolist()]
        assert kept == rows
    pairs = open_pairs(options(tmp_path, text))
    assert pairs.metric == "mrr@10"
    found = pairs.encode(tokenizer, pairs.splits.train, 20, is_training=True)
    assert found.targets is None


@pytest.mark.parametrize(
    ("opened", "text", "message"),
    [
        (open_pairs, "text\ttext_pair\na\tb\n", "must hold two pairs or more"),
        (open_pairs, "text\tother\na\tb\n", "must have one column 'text_pair'"),
        (open_pairs, "text\ttext_pair\na\t\n", "must not be empty"),
        (open_similarity, "text\ttext_pair\na\tb\n", "one column 'label'"),
        (
            open_similarity,
            "text\ttext_pair\tlabel\na\tb\tnear\n",
            "line 2: the label must be a number; received 'near'",
        ),
    ],
)
def test_what_is_refused(opened, text, message, tmp_path):
    with pytest.raises(InputError, match=message):
        opened(options(tmp_path, text))
