"""What deploy/ says to TensorFlow Serving, and its clients."""

import concurrent.futures
import http.server
import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
import yaml
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"
CONFIG = DEPLOY / "serving"
TEXT = "We must help the people of the percent."

pytest.importorskip("tensorflow_serving")


def parsed(name, message):
    return text_format.Parse((CONFIG / name).read_text(), message)


def message_of(name, fields, nested=()):
    """A message that tensorflow-serving-api does not ship.

    `fields` as in tensorflow/serving: name -> (number, type).
    """
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{name}.proto", package="serving_test", syntax="proto3"
    )
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    for one, members in ((name, fields), *nested):
        proto = file.message_type.add(name=one)
        for field, (number, kind) in members.items():
            added = proto.field.add(
                name=field, number=number, label=kinds.LABEL_OPTIONAL
            )
            if kind.startswith("."):
                added.type, added.type_name = kinds.TYPE_MESSAGE, kind
            else:
                added.type = getattr(kinds, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    found = pool.FindMessageTypeByName(f"serving_test.{name}")
    return message_factory.GetMessageClass(found)()


def test_models_config_is_what_the_server_reads():
    from tensorflow_serving.config import model_server_config_pb2

    config = parsed(
        "models.config", model_server_config_pb2.ModelServerConfig()
    )
    [model] = config.model_config_list.config
    assert (model.name, model.base_path) == ("electra", "/models/electra")
    assert model.model_version_policy.latest.num_versions == 1


def test_batching_config_is_what_the_server_reads():
    """Fields: servables/tensorflow/session_bundle_config.proto."""
    wrapped = ".google.protobuf.Int64Value"
    config = parsed(
        "batching.config",
        message_of(
            "BatchingParameters",
            {
                "max_batch_size": (1, wrapped),
                "batch_timeout_micros": (2, wrapped),
                "max_enqueued_batches": (3, wrapped),
                "num_batch_threads": (4, wrapped),
                "pad_variable_length_inputs": (7, "bool"),
            },
        ),
    )
    assert config.max_batch_size.value == 32
    # It would pad input_mask with ones (tensorflow/serving#1279).
    assert not config.pad_variable_length_inputs


def test_monitoring_config_is_what_the_server_reads():
    """Fields: config/monitoring_config.proto."""
    prometheus = "PrometheusConfig"
    config = parsed(
        "monitoring.config",
        message_of(
            "MonitoringConfig",
            {"prometheus_config": (1, f".serving_test.{prometheus}")},
            [
                (
                    "PrometheusConfig",
                    {"enable": (1, "bool"), "path": (2, "string")},
                )
            ],
        ),
    )
    assert config.prometheus_config.enable
    scraped = documents()[0]["metadata"]["annotations"]["prometheus.io/path"]
    assert config.prometheus_config.path == scraped


def compose():
    text = (DEPLOY / "docker-compose.yaml").read_text()
    return yaml.safe_load(text)["services"]["serving"]


def documents():
    text = (DEPLOY / "kubernetes-serving.yaml").read_text()
    return list(yaml.safe_load_all(text))


def test_every_file_that_the_server_is_given_is_there():
    service, deployment = documents()
    pod = deployment["spec"]["template"]
    [container] = pod["spec"]["containers"]
    for arguments in (compose()["command"], container["args"]):
        files = [a.split("=/config/")[1] for a in arguments if "/config/" in a]
        assert sorted(files) == sorted(p.name for p in CONFIG.iterdir())
    assert service["spec"]["selector"] == pod["metadata"]["labels"]
    assert {m["name"] for m in container["volumeMounts"]} == {
        volume["name"] for volume in pod["spec"]["volumes"]
    }
    mounts = dict(m.split(":")[:2] for m in compose()["volumes"])
    assert mounts == {"../served": "/models", "./serving": "/config"}


class Status(http.server.BaseHTTPRequestHandler):
    """GET /v1/models/electra, in a state of the test's choice."""

    state = ""

    def do_GET(self):
        assert self.path == "/v1/models/electra"
        status = {"version": "1", "state": self.state}
        self.send_response(200)
        self.end_headers()
        body = {"model_version_status": [status]}
        self.wfile.write(json.dumps(body, indent=1).encode())

    def log_message(self, *args):
        pass


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize("state", ["AVAILABLE", "LOADING", "UNLOADING", "END"])
def test_ready_means_available(state, monkeypatch):
    monkeypatch.setattr(Status, "state", state)
    server = http.server.HTTPServer(("localhost", 0), Status)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    [container] = documents()[1]["spec"]["template"]["spec"]["containers"]
    commands = [
        compose()["healthcheck"]["test"][1:],
        container["startupProbe"]["exec"]["command"],
        container["readinessProbe"]["exec"]["command"],
    ]
    for command in commands:
        place = f"/localhost/{server.server_port}"
        command = [part.replace("/localhost/8501", place) for part in command]
        assert place in command[-1]
        done = subprocess.run(command, timeout=20, check=False)
        assert (done.returncode == 0) == (state == "AVAILABLE")
    server.shutdown()
    server.server_close()


def client(name):
    path = DEPLOY / "clients" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def served(tiny_export):
    from electra_tf.demo import LocalModel

    return LocalModel(str(pathlib.Path(tiny_export).parent))


def printed_as_detected(out, tiny_model):
    [expected] = tiny_model.detect([TEXT])
    lines = out.splitlines()
    assert lines[0] == TEXT
    found = [line.split() for line in lines[1:]]
    assert found == [[t.token, f"{t.probability:.2f}"] for t in expected]


def run(monkeypatch, module, *arguments):
    monkeypatch.setattr(sys, "argv", ["client", *arguments])
    return module.main()


def test_the_grpc_client(served, tiny_model, monkeypatch, capsys):
    """Against a server of gRPC's own with the export behind it."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import (
        predict_pb2,
        prediction_service_pb2_grpc,
    )

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):  # noqa: N802
            if request.model_spec.name != "electra":
                context.abort(grpc.StatusCode.NOT_FOUND, "no such servable")
            signature = served._model.signatures[
                request.model_spec.signature_name
            ]
            inputs = {
                name: tf.constant(tf.make_ndarray(x))
                for name, x in request.inputs.items()
            }
            answer = predict_pb2.PredictResponse()
            for name, x in signature(**inputs).items():
                answer.outputs[name].CopyFrom(tf.make_tensor_proto(x.numpy()))
            return answer

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Service(), server
    )
    port = server.add_insecure_port("localhost:0")
    server.start()
    module, place = client("grpc_client"), f"--server=localhost:{port}"
    assert run(monkeypatch, module, place, TEXT) == 0
    printed_as_detected(capsys.readouterr().out, tiny_model)
    assert run(monkeypatch, module, place, "--model=other", TEXT) == 1
    assert "no such servable" in capsys.readouterr().err
    server.stop(0)


@pytest.fixture
def rest(served):
    """The demo's REST interface on a port of its own."""
    pytest.importorskip("starlette")
    import uvicorn

    from electra_tf.demo.app import make_app

    config = uvicorn.Config(
        make_app("electra", served), port=0, log_level="warning"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    [socket] = server.servers[0].sockets
    yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


def test_the_rest_client(rest, tiny_model, monkeypatch, capsys):
    module, place = client("rest_client"), f"--server={rest}"
    assert run(monkeypatch, module, place, TEXT) == 0
    printed_as_detected(capsys.readouterr().out, tiny_model)
    assert run(monkeypatch, module, place, "--model=other", TEXT) == 1
    assert "404" in capsys.readouterr().err
    assert run(monkeypatch, module, "--server=http://localhost:1", TEXT) == 1
    assert "does not answer" in capsys.readouterr().err
    # Every output of a signature has an entry a text.
    texts = [TEXT, "", "the union"]
    found = module.predict(rest, "electra", "detect", {"text": texts})
    assert {len(values) for values in found.values()} == {3}
    expected = tiny_model.detect(texts)
    assert found["num_tokens"] == [len(tokens) for tokens in expected]
    np.testing.assert_allclose(
        found["probabilities"][2][:2],
        [token.probability for token in expected[2]],
        atol=1e-5,
    )
