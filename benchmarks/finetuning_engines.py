"""Fine-tuning here and in PyTorch, for benchmarks/finetuning.py.

ELECTRA-Small with fresh weights, on which no time depends; dropout 0.1, AdamW,
clip 1.0. A process has one engine, one task (classify, answer), one shape.
"""

import time

import numpy as np
from turns import answer, peak_gigabytes

BEGUN = time.perf_counter()
RATE, CLIP = 3e-4, 1.0


def batch_of(batch: int, length: int) -> tuple[dict, np.ndarray]:
    """Rows of two full segments, and numbers for targets."""
    rng = np.random.default_rng(0)
    ids = rng.integers(1000, 30522, (batch, length), np.int32)
    segments = np.zeros_like(ids)
    segments[:, length // 2 :] = 1
    inputs = {
        "input_ids": ids,
        "input_mask": np.ones_like(ids),
        "segment_ids": segments,
    }
    return inputs, rng.integers(length // 2, length, batch, np.int32)


def timed(build):
    """Builds, takes the first steps, then as many as it is asked for."""
    imported = time.perf_counter()
    works = build()
    works["train"]()
    first = time.perf_counter() - imported
    works["predict"]()

    def respond(work: str, calls: int) -> dict:
        seconds = []
        for _ in range(calls):
            begin = time.perf_counter()
            works[work]()
            seconds.append(time.perf_counter() - begin)
        return {"seconds": seconds, "peak": peak_gigabytes()}

    return {"import": imported - BEGUN, "first": first}, respond


def ours(task: str, batch: str, length: str):
    """`train_on_batch` and `predict_on_batch` of the package's models."""
    import tensorflow as tf

    import electra_tf
    from electra_tf.config.pretraining import make_config
    from electra_tf.modeling.tying import make_main_encoder

    def build():
        encoder = make_main_encoder(make_config({"model_size": "small"}).model)
        inputs, places = batch_of(int(batch), int(length))
        if task == "classify":
            model = electra_tf.Classifier(encoder, num_classes=2)
            targets = tf.constant(places % 2)
        else:
            model = electra_tf.SpanQA(encoder, head="plain")
            start = tf.constant(places)
            zeros = tf.zeros_like(start)
            targets = {"start": start, "end": start, "is_impossible": zeros}
        optimizer = electra_tf.create_optimizer(model, 1000)
        model.compile(optimizer)
        inputs = {name: tf.constant(x) for name, x in inputs.items()}
        return {
            "train": lambda: model.train_on_batch(inputs, targets),
            "predict": lambda: model.predict_on_batch(inputs),
        }

    return timed(build)


def pytorch(task: str, batch: str, length: str):
    """transformers' models, eager."""
    import torch
    import transformers

    def build():
        config = transformers.ElectraConfig(
            vocab_size=30522, intermediate_size=1024
        )
        inputs, places = batch_of(int(batch), int(length))
        places = torch.from_numpy(places).long()
        if task == "classify":
            model = transformers.ElectraForSequenceClassification(config)
            targets = {"labels": places % 2}
        else:
            model = transformers.ElectraForQuestionAnswering(config)
            targets = {"start_positions": places, "end_positions": places}
        optimizer = torch.optim.AdamW(model.parameters(), RATE)
        ids, mask, segments = (
            torch.from_numpy(x).long() for x in inputs.values()
        )

        def train():
            model.train()
            loss = model(ids, mask, segments, **targets).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            loss.item()

        def predict():
            model.eval()
            with torch.inference_mode():
                found = model(ids, mask, segments)
                return [x.numpy() for x in found.to_tuple()]

        return {"train": train, "predict": predict}

    return timed(build)


if __name__ == "__main__":
    answer({"ours": ours, "pytorch": pytorch})
