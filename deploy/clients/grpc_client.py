"""Asks a TensorFlow Serving over gRPC; pip install tensorflow-serving-api.

    python deploy/clients/grpc_client.py --server=localhost:8500 \
        "We must help the people of the percent."
"""

import argparse
import sys

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

# An answer for many long texts is longer than gRPC's 4 MB.
OPTIONS = [("grpc.max_receive_message_length", 64 << 20)]


def predict(
    channel: grpc.Channel, model: str, signature: str, inputs: dict
) -> dict[str, np.ndarray]:
    """The signature's outputs, by name."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    answer = stub.Predict(request, timeout=30)
    return {name: tf.make_ndarray(x) for name, x in answer.outputs.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="localhost:8500")
    parser.add_argument("--model", default="electra")
    parser.add_argument("text", nargs="+")
    given = parser.parse_args()
    texts = [text.encode() for text in given.text]
    try:
        with grpc.insecure_channel(given.server, OPTIONS) as channel:
            found = predict(channel, given.model, "detect", {"text": texts})
    except grpc.RpcError as error:
        print(f"{error.code()}: {error.details()}", file=sys.stderr)
        return 1
    for row, text in enumerate(given.text):
        print(text)
        for i in range(found["num_tokens"][row]):
            token = found["tokens"][row][i].decode()
            print(f"{token:>16} {found['probabilities'][row][i]:.2f}")
        if found["truncated"][row]:
            print("(the text was cut)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
