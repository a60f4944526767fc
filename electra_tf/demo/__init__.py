"""A page to try a model on, over TensorFlow Serving's REST contract.

Here is the contract, kept by a SavedModel in this process; `app` is the page.

Requests and answers have the form of TensorFlow Serving's "Predict API"
(https://www.tensorflow.org/tfx/serving/api_rest), so that whoever talks to
this can talk to a real server.
"""

import base64
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401, registers its ops

from electra_tf.data.columns import whole_characters
from electra_tf.errors import InputError
from electra_tf.files import check_path

DEFAULT = "serving_default"


class RequestError(Exception):
    """A request that cannot be answered; its text is for the caller."""


class LocalModel:
    """The highest version below a base path.

    Args:
      base_path: a folder that holds versions, as `export_saved_model.py
        --output_dir` names it.

    Attributes:
      name: last part of the base path.
      version: its number.

    Raises:
      InputError: there is no version, or it cannot be loaded.
    """

    def __init__(self, base_path: str):
        names = []
        check_path("saved_model", base_path)
        if tf.io.gfile.isdir(base_path):
            names = [n.rstrip("/") for n in tf.io.gfile.listdir(base_path)]
        versions = [int(n) for n in names if n.isascii() and n.isdigit()]
        if not versions:
            raise InputError(
                "a model's base path must hold a version's folder (1, 2, "
                f"...); received {base_path!r}"
            )
        self.name = os.path.basename(base_path.rstrip("/"))
        self.version = max(versions)
        path = os.path.join(base_path, str(self.version))
        try:
            self._model = tf.saved_model.load(path)
        except (OSError, tf.errors.OpError) as error:
            raise InputError(
                f"cannot load {path!r}: {str(error).splitlines()[0]}"
            ) from error

    def status(self) -> dict[str, Any]:
        """The answer to GET /v1/models/<name>."""
        status = {"error_code": "OK", "error_message": ""}
        version = str(self.version)
        return {
            "model_version_status": [
                {"version": version, "state": "AVAILABLE", "status": status}
            ]
        }

    def predict(self, body: bytes) -> dict[str, Any]:
        """The answer to POST /v1/models/<name>:predict.

        Raises:
          RequestError: what TensorFlow Serving answers with status 400.
        """
        try:
            request = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise RequestError(f"JSON Parse error: {error}") from error
        if not isinstance(request, dict) or (
            ("instances" in request) == ("inputs" in request)
        ):
            raise RequestError(
                "a request must be an object with either 'instances' or "
                "'inputs'"
            )
        signature = self._signature(request.get("signature_name", DEFAULT))
        specs = signature.structured_input_signature[1]
        by_row = "instances" in request
        values = _by_name(request["instances" if by_row else "inputs"], specs)
        tensors = {
            name: _tensor(values[name], spec) for name, spec in specs.items()
        }
        try:
            outputs = signature(**tensors)
        except tf.errors.OpError as error:
            raise RequestError(_reason(error)) from error
        arrays = {name: _json_ready(x) for name, x in outputs.items()}
        if not by_row:
            return {"outputs": _single(arrays)}
        count = len(next(iter(arrays.values())))
        rows = [{n: x[i] for n, x in arrays.items()} for i in range(count)]
        return {"predictions": [_single(row) for row in rows]}

    def _signature(self, name: Any) -> Any:
        if not isinstance(name, str) or name not in self._model.signatures:
            raise RequestError(f'Serving signature name: "{name}" not found')
        return self._model.signatures[name]


def _reason(error: tf.errors.OpError) -> str:
    """The broken rule, without the place in the graph."""
    lines = error.message.splitlines()
    rules = [line for line in lines if "assertion failed" in line]
    return (rules or lines)[0].strip()


def _by_name(values: Any, specs: Mapping[str, tf.TensorSpec]) -> dict[str, Any]:
    """Name of an input -> its nested lists."""
    if isinstance(values, list) and values and isinstance(values[0], dict):
        if not set(values[0]) <= {"b64"}:
            names = set(values[0])
            if any(not isinstance(r, dict) or set(r) != names for r in values):
                raise RequestError("all instances must have the same keys")
            values = {name: [row[name] for row in values] for name in names}
    if not isinstance(values, dict):
        if len(specs) != 1:
            raise RequestError(f"inputs must name {', '.join(sorted(specs))}")
        return {next(iter(specs)): values}
    if values.keys() != specs.keys():
        raise RequestError(
            f"inputs must be {', '.join(sorted(specs))}; received "
            f"{', '.join(sorted(values)) or 'none'}"
        )
    return values


def _tensor(value: Any, spec: tf.TensorSpec) -> tf.Tensor:
    if not _has_axes(value, spec.shape.rank):
        raise RequestError(f"{spec.name} must have {spec.shape.rank} axes")
    if spec.dtype == tf.string:
        value = _as_bytes(value)
    try:
        tensor = tf.constant(value, spec.dtype)
    except (ValueError, TypeError) as error:
        raise RequestError(
            f"{spec.name} must be {spec.dtype.name} of one shape: "
            f"{str(error).splitlines()[0]}"
        ) from error
    if tensor.shape.rank == 1 and spec.shape.rank == 2 and not len(tensor):
        tensor = tensor[:, None]  # a list of no rows
    if tensor.shape.rank != spec.shape.rank:
        raise RequestError(
            f"{spec.name} must have {spec.shape.rank} axes; received "
            f"{tensor.shape.rank}"
        )
    return tensor


def _has_axes(value: Any, most: int) -> bool:
    """Whether lists are nested no deeper; of 255 TensorFlow aborts."""
    if not isinstance(value, list):
        return True
    return most > 0 and all(_has_axes(part, most - 1) for part in value)


def _as_bytes(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_bytes(part) for part in value]
    if isinstance(value, dict) and set(value) == {"b64"}:
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (ValueError, TypeError) as error:
            raise RequestError(f"b64 cannot be decoded: {error}") from error
    if not isinstance(value, str):
        raise RequestError(f"texts must be strings; received {value!r:.80}")
    return whole_characters(value).encode("utf-8")


def _json_ready(tensor: tf.Tensor) -> list[Any]:
    array = tensor.numpy()
    if array.dtype != object:
        return array.tolist()
    decoded = [value.decode("utf-8", "replace") for value in array.flat]
    return np.array(decoded, object).reshape(array.shape).tolist()


def _single(outputs: dict[str, Any]) -> Any:
    """One output stands alone, several by name."""
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs
