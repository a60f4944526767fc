"""What knows no grammar and yet is right about many pairs."""

import math
import os
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from electra_tf.data.records import Records, open_records
from electra_tf.data.records.format import parse_examples
from electra_tf.data.records.manifest import has_manifest, tokenizer_of
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError, require
from electra_tf.experiments.acceptability import Scores
from electra_tf.experiments.acceptability.kneser_ney import KneserNey

UNIGRAM, NGRAM = "unigram", "5-gram"
_ORDER = 5
_BATCH = 1024  # records
_MOST_TOKENS = 2**25  # that the 5-gram counts, as all are sorted in memory


def training_records(
    data_dir: str, own_data_dir: str, model_dir: str, tokenizer: Tokenizer
) -> Records | str:
    """The training split of a run's records, or why it cannot be had.

    Args:
      data_dir: what the user names; "" for the run's own.
      own_data_dir: what the run's configuration names.
      model_dir: of the run, which may have records of its own.
      tokenizer: the model's, which the records must have been made with.

    Raises:
      InputError: `data_dir` holds none, or of another vocabulary.
    """
    folder = data_dir or own_data_dir or os.path.join(model_dir, "data")
    try:
        records = open_records(folder, "train")
        is_same = records is not None and _is_of(tokenizer, records, folder)
    except (InputError, tf.errors.OpError):
        if data_dir:
            raise
        if not own_data_dir:
            return "these weights name no training records (--data_dir would)"
        return f"the training records are not there any more: {own_data_dir}"
    if data_dir:
        rule = "data_dir must hold records of the model's vocabulary, of"
        require(is_same, f"{rule} {tokenizer.vocab_size} pieces", data_dir)
    if records is None or not is_same:
        return f"the records in {folder} are of another vocabulary"
    return records


def _is_of(tokenizer: Tokenizer, records: Records, folder: str) -> bool:
    """Whether records were made with it, as far as they say so."""
    if has_manifest(folder):
        return tokenizer_of(folder).vocab == tokenizer.vocab
    counts = records.token_counts
    return counts is None or not counts[tokenizer.vocab_size :].any()


def frequency_baselines(
    records: Records, tokenizer: Tokenizer
) -> tuple[dict[str, Scores], int]:
    """Name -> scores of texts, by frequencies in training records.

    The unigram counts each token once more than it stands there. Also gives
    the number of tokens that both count.
    """
    size, texts = tokenizer.vocab_size, list(_texts(records, tokenizer))
    model = KneserNey(texts, size, _ORDER)
    counts = 1.0 + np.bincount(np.concatenate(texts), minlength=size)
    edges = {*tokenizer.special_ids} - {tokenizer.unk_id}
    counts[list(edges)] = 0
    with np.errstate(divide="ignore"):
        unigram = np.log(counts / counts.sum())

    def of_unigrams(texts: Sequence[str]) -> np.ndarray:
        # fsum: the same tokens in another order must tie.
        return np.array([math.fsum(unigram[ids]) for ids in ids_of(texts)])

    def of_ngrams(texts: Sequence[str]) -> np.ndarray:
        return model.log_probs(ids_of(texts))

    def ids_of(texts: Sequence[str]) -> list[np.ndarray]:
        ids = tokenizer.tokenize(tf.constant(texts, tf.string))
        return np.split(ids.values.numpy(), ids.row_splits.numpy()[1:-1])

    return {UNIGRAM: of_unigrams, NGRAM: of_ngrams}, model.num_tokens


def _texts(records: Records, tokenizer: Tokenizer) -> Iterator[np.ndarray]:
    """What stands between [CLS], [SEP] and padding."""
    specials = [tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id]
    left = _MOST_TOKENS
    for start in range(0, records.num_records, _BATCH):
        numbers = np.arange(start, min(start + _BATCH, records.num_records))
        batch = parse_examples(
            tf.constant(records.read(numbers)), records.max_seq_length
        )
        ids = batch["input_ids"].numpy().ravel()
        is_text = ~np.isin(ids, specials)
        # Runs of text: where it begins, and where it ends.
        edges = np.flatnonzero(np.diff(is_text, prepend=False, append=False))
        for begin, end in edges.reshape(-1, 2):
            yield ids[begin:end]
        left -= int(is_text.sum())
        if left <= 0:
            return
