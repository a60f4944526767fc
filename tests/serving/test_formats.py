"""ONNX, LiteRT and OpenVINO files: the Keras model's answers, from ids.

Files are run by their own libraries here, and what they must answer is worked
out from the Keras model's predictions.
"""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
import tiny_finetune

import electra_tf
from electra_tf.errors import InputError
from electra_tf.serving import formats, model_export

LENGTH = tiny_finetune.LENGTH
SPAN = {"num_beams": 4, "max_answer_length": 4}
KINDS = {
    "classify": ("Classifier", {"labels": ("bad", "g\u00f6od", "so so")}),
    "several": ("Classifier", {"num_classes": 3, "multi_label": True}),
    "regress": ("Regressor", {}),
    "rank": ("Ranker", {"head": "huggingface"}),
    "encode": ("SentenceEncoder", {}),
    "tag": ("Tagger", {"labels": ("O", "B-X", "I-X")}),
    "joint": ("SpanQA", {"head": "joint", **SPAN}),
    "plain": ("SpanQA", {"head": "plain", **SPAN}),
}
ENDINGS = {"onnx": "onnx", "litert": "tflite", "openvino": "xml"}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("pretrained") / "model")
    return tiny_finetune.write_pretrained(folder)


def model_of(kind, pretrained):
    keras.utils.set_random_seed(4)
    name, given = KINDS[kind]
    cls = getattr(electra_tf, name)
    model = cls.from_pretrained(pretrained, max_seq_length=LENGTH, **given)
    rng = np.random.default_rng(8)
    for variable in model.trainable_variables[-4:]:
        noise = rng.normal(size=variable.shape)
        variable.assign(variable.numpy() + noise)
    return model


@pytest.fixture(scope="module")
def classifier(pretrained):
    return model_of("classify", pretrained)


def run_onnx(path, ids):
    """By name; rows of any number and length."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, ids), strict=True))


def run_openvino(path, ids):
    openvino = pytest.importorskip("openvino")
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", exact)
    return {output.any_name: x for output, x in compiled(ids).items()}


def run_litert(path, ids):
    """Row by row; rows that are longer than the file's would fail."""
    module = pytest.importorskip("ai_edge_litert.interpreter")
    run = module.Interpreter(path).get_signature_runner()
    rows = [
        run(**{n: x[i : i + 1].astype(np.int32) for n, x in ids.items()})
        for i in range(len(ids["input_ids"]))
    ]
    return {n: np.concatenate([row[n] for row in rows]) for n in rows[0]}


RUN = {"onnx": run_onnx, "litert": run_litert, "openvino": run_openvino}
NEEDS = {"onnx": "tf2onnx", "litert": "ai_edge_litert", "openvino": "openvino"}


def exported(model, format, folder, **arguments):
    pytest.importorskip(NEEDS[format])
    path = str(folder / f"model.{ENDINGS[format]}")
    model.export(path, format=format, **arguments)
    return path


def ids_of(rows=4):
    ids = tiny_finetune.id_batch(rows)
    return {name: x.astype(np.int64) for name, x in ids.items()}


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def expected_of(kind, outputs, ids):
    """The signature's numbers from the Keras model's."""
    real = ids["input_mask"] != 0
    return {
        "classify": lambda: {"scores": softmax(outputs)},
        "several": lambda: {
            "scores": 1 / (1 + np.exp(-outputs)),
            "holds": outputs >= 0,
        },
        "regress": lambda: {"scores": outputs},
        "rank": lambda: {"scores": outputs},
        "encode": lambda: {"embeddings": outputs},
        "tag": lambda: {"scores": softmax(outputs) * real[:, :, None]},
        "joint": lambda: outputs,
        "plain": lambda: outputs,
    }[kind]()


def check(kind, model, found, ids):
    expected = expected_of(kind, model.predict(ids, verbose=0), ids)
    assert set(found) == set(expected)
    for name, array in expected.items():
        if not name.endswith("_index"):  # of places that may not be answers
            close = {"rtol": 1e-5, "atol": 1e-5}
            np.testing.assert_allclose(found[name], array, **close)


QUICK = ["onnx", "litert", pytest.param("openvino", marks=pytest.mark.slow)]


@pytest.mark.parametrize("format", QUICK)
def test_a_classifier_answers_as_in_keras(format, classifier, tmp_path, capsys):
    path = exported(classifier, format, tmp_path)
    line = capsys.readouterr().out
    assert line.startswith(f"{path}: "), line
    assert "scores; largest difference from Keras on 10 texts" in line
    # Two shapes; the second has rows that are shorter than the first's.
    ids = ids_of()
    check("classify", classifier, RUN[format](path, ids), ids)
    if format != "litert":
        short = {name: x[:1, :7] for name, x in ids.items()}
        short["input_mask"][:] = 1
        check("classify", classifier, RUN[format](path, short), short)
    with open(f"{path}.json", encoding="utf-8") as file:
        about = json.load(file)
    assert about["labels"] == list(KINDS["classify"][1]["labels"])
    assert about["outputs"] == ["scores"]
    vocab = (tmp_path / "vocab.txt").read_text("utf-8").splitlines()
    assert vocab == tiny.vocab()
    assert (tmp_path / "tokenizer.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("format", ENDINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_in_every_format(kind, format, pretrained, tmp_path):
    model = model_of(kind, pretrained)
    path = exported(model, format, tmp_path)
    ids = ids_of()
    check(kind, model, RUN[format](path, ids), ids)


@pytest.mark.slow
@pytest.mark.parametrize("format", ENDINGS)
def test_the_networks_have_keras_own_export(format, tiny_model, tmp_path):
    """Which is told of ids: raw logits, of any batch and length."""
    pytest.importorskip(NEEDS[format])
    path = str(tmp_path / f"model.{ENDINGS[format]}")
    tiny_model.discriminator.export(path, format=format, verbose=False)
    if format == "onnx":
        ids = {n: x.astype(np.int32) for n, x in ids_of().items()}
        [found] = run_onnx(path, ids).values()
        logits = tiny_model.discriminator(*ids.values())
        np.testing.assert_allclose(found, logits, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("opset", [formats.OPSETS[0], formats.OPSETS[-1]])
def test_every_opset_that_is_offered_is_one(opset, pretrained, tmp_path):
    onnx = pytest.importorskip("onnx")
    model = model_of("joint", pretrained)  # the most operations
    path = exported(model, "onnx", tmp_path, opset_version=opset)
    versions = {o.domain: o.version for o in onnx.load(path).opset_import}
    assert versions[""] == opset


@pytest.mark.slow
def test_a_saved_model_takes_text_or_is_keras_own(classifier, tmp_path):
    path = str(tmp_path / "ours")
    classifier.export(path, warmup=False)
    ours = tf.saved_model.load(path).signatures
    [label] = ours["classify"](text=tf.constant(["we"]))["label"].numpy()
    assert label.decode() in KINDS["classify"][1]["labels"]
    ids = {n: tf.constant(x[:, :6]) for n, x in ids_of().items()}
    specs = [{n: tf.TensorSpec([None, 6], x.dtype, n) for n, x in ids.items()}]
    path = str(tmp_path / "keras")
    classifier.export(path, input_signature=specs, verbose=False)
    loaded = tf.saved_model.load(path)
    found = loaded.serve(ids)
    expected = classifier.predict(ids, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


BAD = [
    ("onnx", {"opset_version": 99}, "between 13 and 18; received 99"),
    ("onnx", {"quantize": "int8"}, "takes what, opset_version"),
    ("onnx", {"what": "detect"}, "pre-trained model alone"),
    ("litert", {"max_seq_length": 1000}, "32 positions; received 1000"),
    ("litert", {"quantize": "int4"}, "none, int8; received 'int4'"),
    ("torch", {}, "one of tf_saved_model, onnx, litert, openvino"),
    ("tf_saved_model", {"opset_version": 17}, "takes dtype, warmup"),
]


@pytest.mark.parametrize(("format", "arguments", "line"), BAD)
def test_what_a_format_does_not_take(
    format, arguments, line, classifier, tmp_path, monkeypatch
):
    monkeypatch.setattr(model_export, "require_packages", lambda *_: None)
    with pytest.raises(InputError, match=line):
        classifier.export(tmp_path / "model", format=format, **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_a_missing_package_names_the_extra(
    format, classifier, tmp_path, monkeypatch
):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=rf'pip install -e "\.\[{format}\]"'):
        classifier.export(tmp_path / "model.xml", format=format)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_off_is_not_kept(classifier, tmp_path, monkeypatch):
    """Nor is one that would stand beside another model's tokenizer."""
    litert = formats.FORMATS["litert"]

    def off(path):
        run = litert.open(path)
        return lambda ids: {n: x + 0.01 for n, x in run(ids).items()}

    changed = {"litert": formats.dataclasses.replace(litert, open=off)}
    monkeypatch.setattr(model_export, "FORMATS", changed)
    path = tmp_path / "model.tflite"
    with pytest.raises(InputError, match=r"to 0\.0001; received"):
        classifier.export(path, format="litert")
    assert not list(tmp_path.iterdir())
    (tmp_path / "vocab.txt").write_text("another")
    with pytest.raises(InputError, match="no tokenizer of another model"):
        classifier.export(path, format="litert")
    assert [each.name for each in tmp_path.iterdir()] == ["vocab.txt"]


@pytest.fixture(scope="module")
def written(tiny_run, tmp_path_factory):
    """(what the command printed, path) by --quantize."""
    folder = tmp_path_factory.mktemp("tflite")
    found = {}
    for quantize in ("none", "int8"):
        path = folder / f"{quantize}.tflite"
        finished = tiny.command(
            "export_saved_model",
            "--format=litert",
            f"--model_dir={tiny_run.folder}",
            f"--output={path}",
            f"--max_seq_length={LENGTH}",
            f"--quantize={quantize}",
        )
        assert finished.code == 0, finished.out + finished.err
        found[quantize] = finished.out, path
    return found


@pytest.mark.parametrize(("quantize", "bound"), [("none", 1e-6), ("int8", 0.1)])
def test_quantized_or_not(written, tiny_model, quantize, bound):
    out, path = written[quantize]
    assert out.startswith(f"{path}: {path.stat().st_size / 1e6:.1f} MB, ")
    ids = {n: x.astype(np.int32) for n, x in ids_of().items()}
    logits = tiny_model.discriminator(*ids.values()).numpy()
    expected = ids["input_mask"] / (1 + np.exp(-logits))
    found = run_litert(str(path), ids)["probabilities"]
    largest = np.abs(found - expected).max()
    assert largest < bound
    # Else nothing was quantised.
    assert quantize == "none" or largest > 1e-6


def test_gelu_is_built_in_and_nothing_needs_tensorflow(written):
    module = pytest.importorskip("ai_edge_litert.interpreter")
    run = module.Interpreter(str(written["none"][1]))
    ops = [op["op_name"] for op in run._get_ops_details()]
    # One a block, one in the head.
    assert ops.count("GELU") == tiny.FLAGS["num_hidden_layers"] + 1
    assert not [op for op in ops if op.startswith("Flex")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--output={0}/out"],
        ["--model_dir={run}"],
        ["--model_dir={run}", "--output={0}/none/out"],
        ["--model_dir={run}", "--output={0}/out", "--max_seq_length=1000"],
        [
            "--model_dir={run}",
            "--output={0}/out",
            "--format=onnx",
            "--opset_version=99",
        ],
        ["--model_dir={run}", "--output={0}/out", "--format=openvino"],
        ["--model_dir={run}", "--output={0}/out", "--dtype=float16"],
        ["--model_dir={run}", "--output_dir={0}/out", "--what=embed"],
    ],
)
def test_the_command_refuses(arguments, tiny_run, tmp_path):
    (tmp_path / "none").write_text("")
    given = [a.format(tmp_path, run=tiny_run.folder) for a in arguments]
    tiny.command("export_saved_model", "--format=litert", *given).error()
    assert [path.name for path in tmp_path.iterdir()] == ["none"]
