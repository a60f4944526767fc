"""What every test shares: no GPU, quiet TensorFlow, few threads; tiny runs."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import pytest
import tensorflow as tf
import tiny

# Tracing makes many objects, and few of them in circles: with Python's own
# threshold an eighth of the suite's time goes into looking for those.
gc.set_threshold(200_000, 20, 50)
# Devices for replicas; computing on one of them is as fast as ever.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 4,
)


@pytest.fixture(scope="session")
def text_file(tmp_path_factory) -> str:
    """Some addresses of the embedded corpus, a blank line between them."""
    path = tmp_path_factory.mktemp("text") / "addresses.txt"
    path.write_text(tiny.text(), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="session")
def vocab_file(tmp_path_factory) -> str:
    """Special pieces, characters and frequent words of `text_file`."""
    path = tmp_path_factory.mktemp("vocab") / "vocab.txt"
    path.write_text("".join(f"{p}\n" for p in tiny.vocab()), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="session")
def records_dir(tmp_path_factory, text_file, vocab_file) -> str:
    """Records of `text_file` at the length of `tiny.FLAGS`."""
    folder = str(tmp_path_factory.mktemp("records") / "data")
    tiny.build(text_file, folder, vocab_file, tiny.LENGTH)
    return folder


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, records_dir) -> tiny.Finished:
    """A pre-training run that went to its end without a stop."""
    folder = str(tmp_path_factory.mktemp("tiny") / "run")
    return tiny.pretrain(model_dir=folder, data_dir=records_dir)


@pytest.fixture(scope="session")
def mlm_run(tmp_path_factory, records_dir) -> tiny.Finished:
    """A short run of `--objective=mlm`."""
    folder = str(tmp_path_factory.mktemp("mlm") / "run")
    return tiny.pretrain(
        model_dir=folder,
        data_dir=records_dir,
        objective="mlm",
        num_train_steps=5,
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_run):
    """`from_pretrained` of `tiny_run`."""
    from electra_tf.pretrained import from_pretrained

    return from_pretrained(tiny_run.folder)


@pytest.fixture(scope="session")
def tiny_export(tiny_model, tmp_path_factory) -> str:
    """A version of an export of `tiny_model`; nothing may be written to it."""
    from electra_tf.serving.export import export_saved_model

    path = str(tmp_path_factory.mktemp("tiny_export") / "electra" / "1")
    export_saved_model(tiny_model, path, warmup=False)
    return path
