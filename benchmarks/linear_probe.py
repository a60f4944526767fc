"""What frozen states tell of a sentence: a logistic regression on them.

Where fine-tuning from pre-trained weights does no better than from fresh ones,
this says whether the weights knew anything of the label in the first place.

  python benchmarks/linear_probe.py --init_checkpoint=runs/books \
      --task=sst2 --data_dir=data/glue

Prints a Markdown table of dev accuracies in percent, of the state at [CLS],
the mean of all states, and the mean of the embeddings, pre-trained and fresh.
Where the label is a number (STS-B) nothing is trained: each text of a pair is
encoded alone, and Spearman's correlation is that of the two features' cosine.
"""

import argparse
import dataclasses

import keras
import numpy as np
import tensorflow as tf
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import electra_tf
from electra_tf.finetune.encoder import finetuning_encoder
from electra_tf.finetune.preprocessor import encode_texts
from electra_tf.finetune.tasks.glue import read_files
from electra_tf.finetune.tasks.glue_specs import GLUE
from electra_tf.serving import NAMES

FEATURES = ("at [CLS]", "mean of states", "mean of embeddings")
ROWS = 200


def features(encoder, tokenizer, examples, length) -> list[np.ndarray]:
    """Each of FEATURES: float [examples, width]."""
    texts = [(example.text, example.text_pair) for example in examples]
    ids, _ = encode_texts(tokenizer, texts, length)
    parts = []
    for begin in range(0, len(examples), ROWS):
        some = [ids[name][begin : begin + ROWS] for name in NAMES]
        first, *_, last = encoder.layer_states(*some)
        mask = tf.cast(some[1], tf.float32)[:, :, None]
        tokens = tf.reduce_sum(mask, 1)
        means = [tf.reduce_sum(x * mask, 1) / tokens for x in (last, first)]
        parts.append([last[:, 0], *means])
    return [np.concatenate(kind) for kind in zip(*parts, strict=True)]


def accuracies(encoder, tokenizer, train, dev, length) -> list[float]:
    """Percent right on dev, for each of FEATURES."""
    found = []
    of_train = features(encoder, tokenizer, train, length)
    of_dev = features(encoder, tokenizer, dev, length)
    for x, y in zip(of_train, of_dev, strict=True):
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)
        )
        model.fit(x, [example.label for example in train])
        right = model.score(y, [example.label for example in dev])
        found.append(100 * right)
    return found


def correlations(encoder, tokenizer, dev, length) -> list[float]:
    """100 times Spearman's of cosine and label, for each of FEATURES."""
    sides = []
    for field in ("text", "text_pair"):
        alone = [
            dataclasses.replace(x, text=getattr(x, field), text_pair=None)
            for x in dev
        ]
        sides.append(features(encoder, tokenizer, alone, length))
    found = []
    for pair in zip(*sides, strict=True):
        a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in pair)
        cosines = (a * b).sum(1)
        found.append(100 * spearmanr(cosines, [x.label for x in dev])[0])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--init_checkpoint", required=True)
    parser.add_argument("--task", default="sst2")
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--max_train_examples", type=int, default=10_000)
    parser.add_argument("--max_seq_length", type=int, default=64)
    given = parser.parse_args()
    keras.utils.set_random_seed(0)
    splits = read_files(GLUE[given.task], given.data_dir, with_test=False)
    order = np.random.default_rng(0).permutation(len(splits.train))
    train = [splits.train[i] for i in order[: given.max_train_examples]]
    dev = next(iter(splits.dev.values()))
    pretrained = electra_tf.from_pretrained(given.init_checkpoint)
    print(f"| weights | {' | '.join(FEATURES)} |")
    print("| --- " * (1 + len(FEATURES)) + "|")
    for name, load in (("pre-trained", True), ("fresh", False)):
        encoder = finetuning_encoder(pretrained, 0.0, load_weights=load)
        of = (encoder, pretrained.tokenizer)
        if GLUE[given.task].labels:
            found = accuracies(*of, train, dev, given.max_seq_length)
        else:
            found = correlations(*of, dev, given.max_seq_length)
        print(f"| {name} | {' | '.join(f'{x:.1f}' for x in found)} |")


if __name__ == "__main__":
    main()
