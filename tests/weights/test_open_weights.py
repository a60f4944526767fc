"""Whatever weights come from, every command takes them."""

import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tiny

from electra_tf.errors import InputError
from electra_tf.pretrained import from_pretrained
from electra_tf.weights import (
    LazyArrays,
    npz,
    open_weights,
    save_weights,
)
from electra_tf.weights.record import FORMATS

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
# What a command does after opening is the same of all.
SOURCES = ("name", "run", "electra_tf", "tf1")


@pytest.fixture(scope="module")
def sources(tiny_run, tmp_path_factory) -> dict[str, str]:
    """A path of every kind that can be opened."""
    folder = tmp_path_factory.mktemp("sources")
    save_weights(open_weights(tiny_run.folder), str(folder / "weights"))
    shutil.copytree(GOLDEN / "electra_tied", folder / "tf1")
    shutil.copy(GOLDEN / "vocab.txt", folder)
    return {
        "name": "tiny",
        "run": tiny_run.folder,
        "electra_tf": str(folder / "weights"),
        "tf1": str(folder / "tf1" / "model.ckpt-8"),
    }


# ---------------------------------------------------------------------------
# The record.


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_same_record(sources, source):
    weights = open_weights(sources[source])
    model = from_pretrained(sources[source])
    networks = (model.discriminator, model.generator)
    for variable in (v for network in networks for v in network.variables):
        np.testing.assert_array_equal(
            variable.numpy(), weights.arrays[variable.path]
        )
    assert weights.config == model.config
    assert weights.tokenizer.vocab == model.tokenizer.vocab
    assert pathlib.Path(weights.vocab_file).is_file()
    assert (weights.head, weights.labels) == (None, None)
    assert (weights.optimizer is not None) == (source in ("run", "tf1"))


def test_optimizer_slots_of_a_run(sources):
    stored = tiny.checkpoint(sources["run"])
    slots = open_weights(sources["run"]).optimizer
    assert slots.step == tiny.STEPS
    end = "/.ATTRIBUTES/VARIABLE_VALUE"
    for slot, name in ((slots.m, "adam_m"), (slots.v, "adam_v")):
        assert set(slot) == set(open_weights(sources["run"]).arrays)
        for path, array in slot.items():
            key = f"adamw/{path.replace('/', '_')}_{name}".replace("/", ".S")
            np.testing.assert_array_equal(
                array, stored[f"optimizer/{key}{end}"], err_msg=path
            )


def test_optimizer_slots_of_tf1(sources):
    weights = open_weights(sources["tf1"])
    reader = tf.train.load_checkpoint(sources["tf1"])
    assert weights.optimizer.step == 8
    for path in weights.arrays:
        for slot, name in (
            (weights.optimizer.m, "adam_m"),
            (weights.optimizer.v, "adam_v"),
        ):
            expected = reader.get_tensor(f"{path}/{name}")
            np.testing.assert_array_equal(slot[path], expected)


def test_nothing_is_read_before_it_is_asked_for():
    asked = []

    def read(path):
        asked.append(path)
        return np.zeros(2)

    arrays = LazyArrays(["a", "b"], read)
    assert list(arrays) == ["a", "b"]
    assert "a" in arrays
    assert "c" not in arrays
    assert not asked
    assert arrays["b"].shape == (2,)
    with pytest.raises(KeyError):
        arrays["c"]
    assert asked == ["b"]


@pytest.mark.parametrize("path", ["", "tinny", "{}", "{}/none", "no://where"])
def test_what_cannot_be_opened_is_told_what_can(path, tmp_path):
    path = path.format(tmp_path)
    with pytest.raises(InputError) as error:
        open_weights(path)
    line = str(error.value)
    for taken in ("tiny", "checkpoints/", "weights.npz", "model.ckpt-8.index"):
        assert taken in line
    assert f"received {path!r}" in line
    assert len(line.splitlines()) == 1


# ---------------------------------------------------------------------------
# The commands.


@pytest.mark.parametrize("source", SOURCES)
def test_conversion(sources, source, tmp_path):
    out = str(tmp_path / "out")
    finished = tiny.command(
        "convert_weights",
        f"--input={sources[source]}",
        f"--output={out}",
        "--to=electra_tf",
    )
    assert finished.code == 0, finished.err
    given, made = open_weights(sources[source]), open_weights(out)
    assert given.arrays.keys() == made.arrays.keys()
    for name, array in given.arrays.items():
        np.testing.assert_array_equal(made.arrays[name], array, err_msg=name)
    assert from_pretrained(out).detect(["we are"]) == (
        from_pretrained(sources[source]).detect(["we are"])
    )
    read, absent, *left, written = finished.out.splitlines()
    assert read.startswith("read ")
    assert "generator, discriminator (objective=electra)" in read
    assert absent.startswith("not there: head, labels")
    has_slots = given.optimizer is not None
    assert ("optimizer" in absent) == (not has_slots)
    told = "left out, since electra_tf has no place: optimizer"
    assert left == [told] * has_slots
    assert written == f"{out}: weights in float32"


@pytest.mark.parametrize("source", SOURCES)
def test_a_dry_run_counts_its_weights(sources, source):
    """No size, vocabulary, casing or length is given."""
    path = sources[source]
    flag = f"--init_checkpoint={path}"
    dry = tiny.command("pretrain", flag, "--dry_run")
    assert dry.code == 0, dry.err
    model = from_pretrained(path)
    networks = (model.discriminator, model.generator)
    variables = {v.path: v for n in networks for v in n.trainable_variables}
    count = sum(np.prod(v.shape) for v in variables.values())
    assert f"{count:,}" in dry.out


def test_pretraining_starts_from_it(sources, tmp_path):
    path = sources["tf1"]
    finished = tiny.command(
        "pretrain",
        f"--init_checkpoint={path}",
        "--train_batch_size=4",
        f"--model_dir={tmp_path}/run",
        "--num_train_steps=1",
        "--num_warmup_steps=1",
        "--num_eval_steps=1",
        "--eval_batch_size=4",
    )
    assert finished.code == 0, finished.err
    run, given = open_weights(tmp_path / "run"), open_weights(path)
    assert run.tokenizer.settings() == given.tokenizer.settings()
    assert run.arrays.keys() == given.arrays.keys()
    # The first update has rate 0, so that the weights are still those given.
    for name, array in given.arrays.items():
        np.testing.assert_array_equal(run.arrays[name], array, err_msg=name)


@pytest.mark.slow
def test_export_and_finetuning_take_it(sources, tmp_path):
    exported = tiny.command(
        "export_saved_model",
        f"--model_dir={sources['tf1']}",
        f"--output_dir={tmp_path}/served",
        "--nowarmup",
    )
    assert exported.code == 0, exported.err
    assert "detect" in exported.out
    rows = "text\tlabel\nwe are\tgood\nthe state\tbad\n"
    for part in ("train", "dev"):
        (tmp_path / f"{part}.tsv").write_text(rows)
    finished = tiny.command(
        "finetune",
        f"--init_checkpoint={sources['tf1']}",
        "--task=custom",
        f"--train_file={tmp_path}/train.tsv",
        f"--dev_file={tmp_path}/dev.tsv",
        f"--output_dir={tmp_path}/tuned",
        "--num_train_epochs=1",
        "--max_seq_length=8",
        "--save_model=false",
    )
    assert finished.code == 0, finished.err
    assert "custom" in finished.out


@pytest.mark.parametrize("source", ["name", "tf1"])
def test_an_export_has_no_default_place_but_a_folder_of_ours(
    sources, source, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = sources[source]
    finished = tiny.command("export_saved_model", f"--model_dir={path}")
    assert "output_dir must be given" in finished.error()
    assert not list(tmp_path.iterdir())
    assert not pathlib.Path(path).exists()


def test_a_prefix_wins_over_a_folder_of_its_name(sources, tmp_path):
    shutil.copytree(pathlib.Path(sources["tf1"]).parent, tmp_path / "model")
    shutil.copy(GOLDEN / "vocab.txt", tmp_path)
    prefix = tmp_path / "model" / "model.ckpt-8"
    (prefix / "export" / "1").mkdir(parents=True)
    assert "TF1" in open_weights(prefix).source
    # A folder of weights is what it says it is, whatever lies beside it.
    save_weights(open_weights(sources["electra_tf"]), str(prefix))
    assert "TF1" not in open_weights(prefix).source


def test_a_full_disk_leaves_no_folder(sources, tmp_path, monkeypatch):
    def full(path):
        raise InputError(f"cannot write to {path!r}")

    monkeypatch.setattr(npz, "replacing", full)
    with pytest.raises(InputError, match="cannot write"):
        save_weights(open_weights(sources["run"]), str(tmp_path / "out"))
    assert not list(tmp_path.iterdir())


def test_a_format_that_cannot_be_written(sources, tmp_path):
    there = ", ".join(
        name for name, each in FORMATS.items() if each.is_writable
    )
    for name in ("run", "none"):
        finished = tiny.command(
            "convert_weights",
            f"--input={sources['run']}",
            f"--output={tmp_path}/out",
            f"--to={name}",
        )
        expected = f"to must be one of {there}; received '{name}'"
        assert expected in finished.error()
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------------
# What pre-training takes from the weights.


@pytest.mark.parametrize(
    ("flag", "received"),
    [
        ("--hidden_size=64", "hidden_size must be that of init_checkpoint"),
        ("--vocab_size=30522", "30522"),
        ("--tying=gradient_disentangled", "tying must be that"),
        ("--nodo_lower_case", "do_lower_case must be that"),
        ("--model_size=base", "model_size must be that"),
        ("--generator_layers=1", "0.5; received 1.0"),
        ("--vocab_file={vocab}", "the vocabulary of vocab_file must be that"),
        ("--data_dir={records}", "the vocabulary of data_dir must be that"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry_run"]])
def test_what_differs_is_refused(
    flag, received, dry, vocab_file, records_dir, tmp_path
):
    flag = flag.format(vocab=vocab_file, records=records_dir)
    finished = tiny.command(
        "pretrain",
        "--init_checkpoint=tiny",
        f"--model_dir={tmp_path}/run",
        flag,
        *dry,
    )
    line = finished.error()
    assert received in line
    assert "init_checkpoint 'tiny'" in line
    assert not list(tmp_path.iterdir())


def test_casing_of_records_is_compared(
    sources, text_file, vocab_file, tmp_path
):
    records = str(tmp_path / "records")
    tiny.build(text_file, records, vocab_file, tiny.LENGTH, do_lower_case=False)
    finished = tiny.command(
        "pretrain",
        f"--init_checkpoint={sources['run']}",
        f"--data_dir={records}",
        "--dry_run",
    )
    assert "do_lower_case of data_dir must be that" in finished.error()


def test_another_length_is_the_flags(sources, tmp_path):
    finished = tiny.command(
        "pretrain",
        f"--init_checkpoint={sources['run']}",
        "--max_seq_length=12",
        "--dry_run",
    )
    assert finished.code == 0, finished.err


@pytest.mark.slow
def test_a_run_goes_on_without_its_initial_weights(sources, tmp_path):
    given = [
        f"--init_checkpoint={tmp_path}/weights",
        f"--model_dir={tmp_path}/run",
        "--num_warmup_steps=1",
        "--num_eval_steps=1",
        "--train_batch_size=4",
        "--eval_batch_size=4",
    ]
    shutil.copytree(sources["electra_tf"], tmp_path / "weights")
    finished = tiny.command("pretrain", *given, "--num_train_steps=1")
    assert finished.code == 0, finished.err
    shutil.rmtree(tmp_path / "weights")
    finished = tiny.command("pretrain", *given, "--num_train_steps=2")
    assert finished.code == 0, finished.err
    assert "going on from the checkpoint of step 1" in finished.err
    finished = tiny.command(
        "pretrain", *given, "--num_train_steps=2", "--hidden_size=64"
    )
    assert "hidden_size was 32, now 64" in finished.error()
