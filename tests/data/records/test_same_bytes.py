"""Records, their order in training and their fingerprint, as ever.

A run that was begun with an older release goes on: what these numbers tell
must never change. They are of the first release.
"""

import hashlib
import os

import numpy as np
import pytest

from electra_tf.data.records import open_records
from electra_tf.data.records.batches import train_batches
from electra_tf.data.records.build import build_records
from electra_tf.data.text import embedded_corpus_path, embedded_vocab_path
from electra_tf.data.tokenizers import Tokenizer


def digest_of_files(folder):
    digest = hashlib.sha256()
    for name in sorted(os.listdir(folder)):
        if name.endswith(".tfrecord"):
            with open(f"{folder}/{name}", "rb") as file:
                digest.update(file.read())
    return digest.hexdigest()


def digest_of_batches(records, seed):
    digest = hashlib.sha256()
    for batch in train_batches(records, 32, seed, first_step=40, num_steps=200):
        digest.update(np.asarray(batch["input_ids"], "<i4").tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize(
    ("seed", "length", "split", "expected"),
    [
        (
            0,
            128,
            True,
            (
                "2909f6171ec1a36e68b590145289103fd26f1ceb7928b2f62da6140b229ac0b4",
                "3f17ef017c683c78e4c46f08e7ad8a5714ca3e0f350cb19c9d26784cfe43a0f4",
                "50f7653a48eeaebd399eb0de32643d502d05663a0682f8b19a88b8174d56cda3",
            ),
        ),
        (
            7,
            32,
            False,
            (
                "9f8a1176be46c01acd718f2653b9b2f145eea4aa66030fb72f0a3e3bf9aa3292",
                "f783e3ed0daee3549e70d1254cf7d9729b8c631457f3824d3d46011cb2e0a096",
                "49fa612b8062561a3bbe2a11074cf2752a8a0f7ccafd43d9576a31cdb0965c11",
            ),
        ),
    ],
)
def test_records_of_the_embedded_corpus(
    tmp_path, seed, length, split, expected
):
    manifest = build_records(
        [embedded_corpus_path()],
        str(tmp_path),
        Tokenizer.from_file(embedded_vocab_path()),
        length,
        seed=seed,
        eval_fraction=0.05,
        num_shards=3,
        num_processes=1,
        split_long_lines=split,
        progress=False,
    )
    records = open_records(str(tmp_path), "train")
    assert expected == (
        manifest["fingerprint"],
        digest_of_files(tmp_path),
        digest_of_batches(records, seed),
    )
