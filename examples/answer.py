"""Fine-tunes question answering, exports it, and asks the SavedModel.

Run `python examples/answer.py --steps=300`.
"""

import argparse
import json
import pathlib
import tempfile

import keras
import tensorflow as tf

import electra_tf

DATA = pathlib.Path(__file__).parent / "data" / "builders.jsonl"
BATCH_SIZE = 16
EPOCHS = 5


def targets(rows: list[dict], tokenizer: electra_tf.Tokenizer) -> dict:
    """First and last token of each answer in `[CLS] question [SEP] passage`."""
    start, end = [], []
    for row in rows:
        begin = len(tokenizer.tokenize([row["question"]])[0]) + 2
        _, starts, ends = tokenizer.tokenize_with_offsets([row["context"]])
        last = row["start"] + len(row["answer"])
        start.append(begin + starts[0].numpy().tolist().index(row["start"]))
        end.append(begin + ends[0].numpy().tolist().index(last))
    return {"start": start, "end": end, "is_impossible": [0] * len(rows)}


def main(steps: int) -> None:
    keras.utils.set_random_seed(0)
    rows = [json.loads(line) for line in DATA.read_text().splitlines()]
    train, held_out = rows[:-6], rows[-6:]
    model = electra_tf.SpanQA.from_pretrained("tiny", max_seq_length=40)
    model.compile(electra_tf.create_optimizer(model, steps, learning_rate=1e-3))
    names = {"text": "question", "text_pair": "context"}
    x = {k: [row[name] for row in train] for k, name in names.items()}
    y = targets(train, model.preprocessor.tokenizer)
    examples = tf.data.Dataset.from_tensor_slices((x, y))
    batches = examples.shuffle(99).repeat().batch(BATCH_SIZE)
    model.fit(batches, epochs=EPOCHS, steps_per_epoch=steps // EPOCHS)

    with tempfile.TemporaryDirectory() as folder:
        electra_tf.export_finetuned(model, f"{folder}/answer")
        answer = tf.saved_model.load(f"{folder}/answer").signatures["answer"]
        asked = {k: [r[k] for r in held_out] for k in ("question", "context")}
        found = answer(**{k: tf.constant(v) for k, v in asked.items()})
    for row, text in zip(held_out, found["answer"].numpy(), strict=True):
        print(f"{row['question']} {text.decode()} (true: {row['answer']})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    main(parser.parse_args().steps)
