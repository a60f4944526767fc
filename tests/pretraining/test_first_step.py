"""A fresh ELECTRA-Small on real text starts where chance says it must."""

import itertools
import math

import numpy as np
import pytest

from electra_tf.config.pretraining import make_config
from electra_tf.data.records import open_records
from electra_tf.data.records.batches import train_batches
from electra_tf.data.records.build import build_records
from electra_tf.data.text import (
    embedded_corpus_path,
    embedded_vocab_path,
    read_documents,
)
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.modeling.noise import Noise
from electra_tf.pretraining.factory import build_pretrainer
from electra_tf.pretraining.pretrainer import total_loss

SEEDS = range(10)
ROWS, LENGTH = 16, 128


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_file(embedded_vocab_path())


@pytest.fixture(scope="module")
def batch(tokenizer, tmp_path_factory):
    """As training sees it: packed in two segments, rarely padded."""
    documents = read_documents([embedded_corpus_path()])
    folder = str(tmp_path_factory.mktemp("records"))
    build_records(
        list(itertools.islice(documents, 8)),
        folder,
        tokenizer,
        LENGTH,
        num_shards=1,
        num_processes=1,
        progress=False,
    )
    records = open_records(folder, "train")
    return next(iter(train_batches(records, ROWS, seed=0, first_step=0)))


@pytest.mark.slow
def test_first_loss_of_a_fresh_small_model_over_ten_seeds(tokenizer, batch):
    totals, mlm = [], []
    for seed in SEEDS:
        config = make_config({"model_size": "small", "seed": seed})
        objective = build_pretrainer(config, tokenizer).objective
        with Noise(seed, step=0, name="train").scope():
            outcome = objective(batch, training=True)
            counts = objective.counts(batch, outcome.masked)
        totals.append(float(total_loss(outcome.losses, counts)))
        mlm.append(float(outcome.losses[0].sum / outcome.losses[0].count))
    expected = math.log(30522) + 50 * math.log(2)
    print(f"first totals: {np.round(totals, 2).tolist()}")
    assert np.mean(totals) == pytest.approx(expected, abs=1.0)
    assert totals == pytest.approx([expected] * len(totals), abs=4.0)
    assert mlm == pytest.approx([math.log(30522)] * len(mlm), abs=0.1)
