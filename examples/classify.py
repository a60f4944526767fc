"""Fine-tunes a classifier on 32 lines and asks it about others.

Run `python examples/classify.py --steps=150`.
"""

import argparse
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf

import electra_tf

DATA = pathlib.Path(__file__).parent / "data"
LABELS = ("blame", "praise")
BATCH_SIZE = 8
EPOCHS = 5


def read(name: str) -> tuple[list[str], np.ndarray]:
    """Texts, and their labels' numbers, of a TSV file."""
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    labels, texts = zip(*(line.split("\t") for line in lines), strict=True)
    return list(texts), np.array([LABELS.index(label) for label in labels])


def main(steps: int) -> None:
    keras.utils.set_random_seed(0)
    texts, labels = read("remarks.train.tsv")
    model = electra_tf.Classifier.from_pretrained(
        "tiny", labels=LABELS, max_seq_length=32
    )
    optimizer = electra_tf.create_optimizer(model, steps, learning_rate=1e-3)
    model.compile(optimizer, metrics=["accuracy"])
    rows = tf.data.Dataset.from_tensor_slices((texts, labels))
    batches = rows.shuffle(99).repeat().batch(BATCH_SIZE)
    model.fit(batches, epochs=EPOCHS, steps_per_epoch=steps // EPOCHS)

    loss, accuracy = model.evaluate(*read("remarks.dev.tsv"), verbose=0)
    print(f"held out: loss {loss:.3f}, accuracy {accuracy:.3f}")
    asked = ["The new road is good and safe.", "The old mill is a danger."]
    for text, logits in zip(
        asked, model.predict(asked, verbose=0), strict=True
    ):
        print(f"{model.labels[logits.argmax()]:>8}  {text}")

    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        again = electra_tf.load_model(f"{folder}/model.keras")
    same = again.predict(asked, verbose=0) == model.predict(asked, verbose=0)
    print(f"saved and loaded, it predicts the same: {same.all()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=150)
    main(parser.parse_args().steps)
