"""Fine-tunes a tagger of names, exports it, and asks the SavedModel.

Run `python examples/tag.py --steps=150`.
"""

import argparse
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf

import electra_tf

DATA = pathlib.Path(__file__).parent / "data" / "people_and_places.conll"
LENGTH, BATCH_SIZE, EPOCHS = 32, 8, 5


def read() -> list[list[list[str]]]:
    """Sentences of [word, label]."""
    blocks = DATA.read_text(encoding="utf-8").strip().split("\n\n")
    return [[line.split() for line in block.splitlines()] for block in blocks]


def targets(sentence, labels, tokenizer) -> list[int]:
    """A label at each word's first piece; -1, "ignore", everywhere else."""
    row = [-1]  # [CLS]
    for word, label in sentence:
        pieces = len(tokenizer.tokenize([word])[0])
        row += [labels.index(label)] + [-1] * (pieces - 1)
    return row + [-1] * (LENGTH - len(row))


def main(steps: int) -> None:
    keras.utils.set_random_seed(0)
    sentences = read()
    labels = sorted({label for s in sentences for _, label in s})
    make = electra_tf.Tagger.from_pretrained
    model = make("tiny", labels=labels, max_seq_length=LENGTH)
    model.compile(electra_tf.create_optimizer(model, steps, learning_rate=1e-3))
    texts = [" ".join(word for word, _ in s) for s in sentences]
    tokenizer = model.preprocessor.tokenizer
    y = np.array([targets(s, labels, tokenizer) for s in sentences])
    rows = tf.data.Dataset.from_tensor_slices((texts, y))
    batches = rows.shuffle(99).repeat().batch(BATCH_SIZE)
    model.fit(batches, epochs=EPOCHS, steps_per_epoch=steps // EPOCHS)

    with tempfile.TemporaryDirectory() as folder:
        electra_tf.export_finetuned(model, f"{folder}/tag")
        tag = tf.saved_model.load(f"{folder}/tag").signatures["tag"]
        found = tag(text=tf.constant(["Governor Harris of Texas met Monroe ."]))
    for word, label in zip(found["words"][0], found["labels"][0], strict=True):
        print(f"{word.numpy().decode():>10} {label.numpy().decode()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=150)
    main(parser.parse_args().steps)
