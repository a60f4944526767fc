"""TensorFlow Serving's REST contract: forms of requests and of errors."""

import base64
import json
import shutil

import numpy as np
import pytest
import tiny

from electra_tf.errors import InputError

pytest.importorskip("starlette")
pytest.importorskip("httpx")

IDS = {"input_ids": [7, 8, 9], "input_mask": [1, 1, 1], "segment_ids": [0] * 3}
DEEP = json.loads("[" * 800 + "]" * 800)
COLUMNS = {name: [row] for name, row in IDS.items()}


@pytest.fixture(scope="module")
def ask(tiny_export, tmp_path_factory):
    """(status, answer) of a predict request."""
    from starlette.testclient import TestClient

    from electra_tf.demo import LocalModel
    from electra_tf.demo.app import OWN_HOSTS, make_app

    path = tmp_path_factory.mktemp("served") / "electra"
    shutil.copytree(tiny_export, path / "3")
    (path / "1").mkdir()  # an older one, never loaded
    app = make_app(
        "electra", LocalModel(str(path)), hosts=(*OWN_HOSTS, "me.example")
    )
    client = TestClient(app, "http://localhost:8600")

    def send(body, **request):
        content = body if isinstance(body, bytes) else json.dumps(body)
        answer = client.post(
            "/v1/models/electra:predict", content=content, **request
        )
        return answer.status_code, answer.json()

    send.client = client
    return send


def test_columns_and_rows_are_two_forms_of_one_answer(ask):
    texts = ["the union", "", "Émile \U0001f600"]
    request = {"signature_name": "detect"}
    status, columns = ask({**request, "inputs": {"text": texts}})
    assert status == 200
    for instances in (texts, [{"text": text} for text in texts]):
        status, rows = ask({**request, "instances": instances})
        assert status == 200
        for i, row in enumerate(rows["predictions"]):
            assert row == {k: v[i] for k, v in columns["outputs"].items()}
    assert ask({**request, "inputs": texts})[1] == columns


def test_one_output_stands_without_its_name(ask):
    status, answer = ask({"inputs": COLUMNS})
    assert status == 200
    assert np.shape(answer["outputs"]) == (1, 3)
    status, rows = ask({"instances": [IDS]})
    assert rows["predictions"] == answer["outputs"]


def test_bytes_travel_as_base64(ask):
    text = b"the union"
    coded = {"b64": base64.b64encode(text).decode()}
    request = {"signature_name": "detect"}
    plain = ask({**request, "inputs": {"text": ["the union"]}})
    assert ask({**request, "inputs": {"text": [coded]}}) == plain
    assert ask({**request, "instances": [coded]})[0] == 200
    status, answer = ask({**request, "inputs": {"text": [{"b64": "*"}]}})
    assert status == 400
    assert "b64" in answer["error"]


def detect(text):
    return {"signature_name": "detect", "inputs": {"text": text}}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error"),
        (b"\xff", "JSON Parse error"),
        (b"[" * 100_000, "JSON Parse error"),
        (b'{"inputs": ' + b"9" * 5000 + b"}", "JSON Parse error"),
        ([], "either 'instances' or 'inputs'"),
        ({}, "either 'instances' or 'inputs'"),
        ({"inputs": COLUMNS, "instances": [IDS]}, "either 'instances' or"),
        ({"signature_name": "none", "inputs": {}}, '"none" not found'),
        ({"signature_name": 7, "inputs": {}}, '"7" not found'),
        ({"inputs": {"input_ids": [[7]]}}, "inputs must be input_ids, input_"),
        ({"inputs": {**COLUMNS, "more": 1}}, "received input_ids, input_mask"),
        ({"inputs": [[7]]}, "inputs must name input_ids"),
        ({"inputs": {**COLUMNS, "input_ids": [["a"]]}}, "must be int64"),
        ({"inputs": {**COLUMNS, "input_ids": [[1, 2], [3]]}}, "of one shape"),
        ({"inputs": {**COLUMNS, "input_ids": [1, 2, 3]}}, "must have 2 axes"),
        ({"inputs": {**COLUMNS, "input_ids": [[1.5, 2, 3]]}}, "must be int64"),
        ({"inputs": {**COLUMNS, "input_mask": [[1]]}}, "shaped as input_ids"),
        (
            {"inputs": {**COLUMNS, "input_ids": [[0, 1, 10**6]]}},
            "between 0 and",
        ),
        ({"inputs": {**COLUMNS, "input_ids": [[0, 1, 10**30]]}}, "int64"),
        ({"instances": [IDS, {"input_ids": [7]}]}, "the same keys"),
        ({"instances": [IDS, 7]}, "the same keys"),
        (detect(7), "texts must be strings"),
        # TensorFlow would end the process.
        (detect(DEEP), "text must have 1 axes"),
        ({"inputs": {**COLUMNS, "input_ids": DEEP}}, "must have 2 axes"),
        ({"inputs": {**COLUMNS, "input_ids": [[1], DEEP]}}, "must have 2 axes"),
        (detect([None]), "texts must be strings"),
        (detect("one"), "must have 1 axes"),
        (detect([["one"]]), "must have 1 axes"),
        (detect({"b64": 7}), "b64 cannot be decoded"),
    ],
)
def test_a_bad_request_gets_status_400_and_one_line(ask, body, message):
    status, answer = ask(body)
    assert status == 400
    assert message in answer["error"]
    assert "\n" not in answer["error"]


@pytest.mark.parametrize(
    "text", ["", "\ud800", "\x00", "\u202eשלום", "x" * 1_000_000]
)
def test_any_string_gets_an_answer(ask, text):
    status, answer = ask(detect([text, "the union"]))
    assert status == 200
    alone = ask(detect(["the union"]))[1]["outputs"]
    count = alone["num_tokens"][0]
    assert answer["outputs"]["num_tokens"][1] == count
    found = answer["outputs"]["probabilities"][1][:count]
    np.testing.assert_allclose(found, alone["probabilities"][0], atol=1e-5)


@pytest.mark.parametrize(
    ("path", "method"),
    [("/", "GET"), ("", "GET"), (":predict", "POST")],
)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "127.0.0.1"}, 200),
        ({"host": "[::1]:8600"}, 200),
        ({"host": "Me.example:80"}, 200),
        ({"host": "evil.example:8600"}, 400),
        ({"host": "localhost.evil.example"}, 400),
        ({"host": "[::1"}, 400),
        ({"host": ""}, 400),
        ({"origin": "http://localhost:8600"}, 200),
        ({"origin": "http://localhost:3000"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_only_its_own_names_and_pages_are_answered(
    ask, path, method, headers, status
):
    path = path if path == "/" else f"/v1/models/electra{path}"
    body = json.dumps(detect(["the union"])) if method == "POST" else None
    answer = ask.client.request(method, path, content=body, headers=headers)
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["error"]


def test_a_body_that_is_too_large_is_not_read(ask):
    in_chunks = (b"x" * 100_000 for _ in range(100))
    for content in (b"x" * (2**20 + 1), in_chunks):
        answer = ask.client.post("/v1/models/electra:predict", content=content)
        assert answer.status_code == 413
        assert "at most 1048576 bytes" in answer.json()["error"]
    assert ask(b"x" * 2**20)[0] == 400  # as it is no JSON


@pytest.mark.parametrize("count", [0, 1000])
def test_batches_of_any_size(ask, count):
    status, answer = ask(detect(["the union"] * count))
    assert status == 200
    assert answer["outputs"]["num_tokens"] == [2] * count
    assert len(answer["outputs"]["tokens"]) == count


def test_status_page_and_other_paths(ask):
    [status] = ask.client.get("/v1/models/electra").json()[
        "model_version_status"
    ]
    assert (status["version"], status["state"]) == ("3", "AVAILABLE")
    assert "<textarea" in ask.client.get("/").text
    assert ask.client.get("/v1/models/other").status_code == 404
    assert ask.client.get("/v1/models/electra:predict").status_code == 405


def test_a_backend_that_is_away_is_told(tmp_path):
    from starlette.testclient import TestClient

    from electra_tf.demo.app import make_app

    app = make_app("electra", backend="http://localhost:1")
    client = TestClient(app, "http://127.0.0.1")
    answer = client.post("/v1/models/electra:predict", content=b"{}")
    assert answer.status_code == 502
    assert "http://localhost:1 does not answer" in answer.json()["error"]


def test_a_folder_without_versions_is_refused(tmp_path):
    from electra_tf.demo import LocalModel

    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match="must hold a version"):
            LocalModel(str(path))
    (tmp_path / "1").mkdir()
    with pytest.raises(InputError, match="cannot load"):
        LocalModel(str(tmp_path))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--saved_model={0}", "--backend=http://localhost:8501"],
        ["--backend=localhost:8501"],
        ["--saved_model={0}"],
        ["--saved_model={0}", "--port=0"],
    ],
)
def test_the_command_refuses(arguments, tmp_path):
    given = [argument.format(tmp_path) for argument in arguments]
    tiny.command("demo", *given).error()
