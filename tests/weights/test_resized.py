"""Another vocabulary, longer texts, later steps than the weights had."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tiny
import tiny_finetune

from electra_tf.config.pretraining import make_config
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.pretraining.factory import build_pretrainer
from electra_tf.training.cost.flops import flops_until
from electra_tf.weights import open_weights, pairs, save_weights
from electra_tf.weights.adopting import adopt_sizes
from electra_tf.weights.resized import SHARE, MatchedRows, resized
from electra_tf.weights.warm_start import initial_weights

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
OLD = [*SPECIALS, "war", "##s", "##ship", "a", "b"]
# In another order; "a" is left out, and of "?" and "x?" nothing is known.
NEW = [*SPECIALS, "warships", "b", "##ship", "war", "?", "wars", "##s", "##a"]
PIECES = {5: [5, 7, 6], 9: list(range(10)), 10: [5, 6], 12: [8]}
WORDS = ["peace", "people", "america"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    """Weights at which everything matters, of `tiny.vocab()`."""
    folder = str(tmp_path_factory.mktemp("weights") / "weights")
    return tiny_finetune.write_pretrained(folder)


def started(**given):
    """A pre-training model that starts so, and its tokenizer."""
    config = make_config(adopt_sizes(given))
    tokenizer = Tokenizer.from_file(config.data.vocab_file)
    pretrainer = build_pretrainer(config, tokenizer)
    initial_weights(config)(pretrainer, tokenizer)
    return pretrainer, tokenizer


def by_path(pretrainer):
    return {v.path: v.numpy() for v in pretrainer.trainable_variables}


def losses(pretrainer):
    """Of rows of 12 ids of the old vocabulary."""
    ids = tiny_finetune.id_batch(8)
    pretrainer.measures.reset_state()
    pretrainer.measure({name: tf.constant(x) for name, x in ids.items()})
    return pretrainer.measures.measured()


def test_rows_by_token_and_the_mean_of_pieces():
    match = MatchedRows(Tokenizer(OLD), Tokenizer(NEW))
    table = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    found = match(table)
    for row, piece in enumerate(NEW):
        if piece in OLD:
            expected = table[OLD.index(piece)]
            np.testing.assert_array_equal(found[row], expected)
        else:
            expected = np.mean([table[i] for i in PIECES[row]], axis=0)
            np.testing.assert_allclose(found[row], expected, rtol=1e-6)
    assert found.shape == (len(NEW), 3)
    told = "9 of 13 rows by their token, 3 new ones as the mean of their old "
    told += "pieces, 1 as the mean of all (no piece known); 1 old rows left out"
    assert match.told == told


def test_new_tokens_get_no_more_than_their_share():
    """Whatever a head predicts, at the softmax itself."""
    match = MatchedRows(Tokenizer(OLD), Tokenizer(NEW))
    rng = np.random.default_rng(1)
    added = [*PIECES]
    for scale in (0.1, 1.0, 5.0):
        table, bias = (scale * rng.normal(size=s) for s in ((10, 4), 10))
        name = "generator_predictions/output_bias"
        states = rng.normal(size=(100, 4))
        old = np.exp(states @ table.T + bias).sum(1)
        new = np.exp(states @ match(table).T + match.bias(name, bias))
        assert (new[:, added].sum(1) <= SHARE * old).all()
        assert (new[:, added].sum(1) > 0).all()
    # A choice among given words has no such sum, moments no such start.
    name = "selector_predictions/output_bias"
    np.testing.assert_array_equal(match.bias(name, bias), match(bias))
    moments = resized({name.replace("selector", "main"): bias}, 4, match, False)
    for moment in moments.values():
        np.testing.assert_array_equal(moment, match(bias))


def test_a_vocabulary_with_words_added_starts_at_the_same_losses(
    weights, vocab_file, tmp_path
):
    more = tmp_path / "vocab.txt"
    words = [f"{w}ful" for w in WORDS]
    more.write_text(pathlib.Path(vocab_file).read_text() + "\n".join(words))
    given = {"init_checkpoint": weights, "max_seq_length": 12}
    before, _ = started(**given)
    after, tokenizer = started(
        **given, init_vocab="match", vocab_file=str(more)
    )
    assert tokenizer.vocab[-3:] == tuple(words)
    old, new = by_path(before), by_path(after)
    assert old.keys() == new.keys()
    size = len(tiny.vocab())
    longer = [n for n in old if len(new[n]) == size + 3]
    assert len(longer) == 2  # the shared table, the output's bias
    for name, value in old.items():
        kept = new[name][:size] if name in longer else new[name]
        np.testing.assert_array_equal(kept, value, err_msg=name)
    first, second = losses(before), losses(after)
    for name in ("mlm_loss", "disc_loss", "loss"):
        assert second[name] == pytest.approx(first[name], rel=1e-5, abs=1e-5)


def test_a_longer_table_changes_nothing_on_short_text(weights):
    rows = tiny.FLAGS["max_position_embeddings"]
    length = 2 * rows + 5
    given = {"init_checkpoint": weights}
    short, _ = started(**given, max_seq_length=12)
    long, _ = started(**given, max_seq_length=length, extend_positions=True)
    [name] = [n for n in by_path(short) if n.endswith("position_embeddings")]
    table, repeated = (by_path(m)[name] for m in (short, long))
    assert len(repeated) == length
    for row in range(length):
        np.testing.assert_array_equal(repeated[row], table[row % rows])
    # As many slots: their number follows from max_seq_length.
    long.objective.masker = short.objective.masker
    first, second = losses(short), losses(long)
    for name in ("mlm_loss", "disc_loss"):
        assert second[name] == pytest.approx(first[name], rel=1e-5)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--max_seq_length=40"], "at most 32, the rows of the position table"),
        (["--max_position_embeddings=33"], "--extend_positions be given"),
        (["--init_vocab=match"], "init_vocab=match needs the other vocabulary"),
        (["--vocab_file={more}"], "(--init_vocab=match carries rows over)"),
        (["--init_optimizer"], "needs weights with a step and Adam's moments"),
        (["--init_vocab=match", "--init_checkpoint="], "needs init_checkpoint"),
        (["--extend_positions", "--init_checkpoint="], "needs init_checkpoint"),
    ],
)
def test_what_cannot_be_taken_over(weights, flags, told, tmp_path):
    more = tmp_path / "more.txt"
    more.write_text("\n".join([*tiny.vocab(), "added"]))
    flags = [flag.format(more=more) for flag in flags]
    finished = tiny.command(
        "pretrain", f"--init_checkpoint={weights}", *flags, "--dry_run"
    )
    assert told in finished.error()


def test_a_run_from_a_lone_discriminator_for_other_records(
    weights, text_file, tmp_path
):
    """Another vocabulary, more positions, a fresh generator; each said once."""
    more = tmp_path / "vocab.txt"
    more.write_text("\n".join([*tiny.vocab(), "zebra", "zebras"]))
    records = str(tmp_path / "records")
    tiny.build(text_file, records, str(more), 48)
    alone = str(tmp_path / "alone")
    save_weights(pairs.alone(open_weights(weights), "discriminator"), alone)
    run = str(tmp_path / "run")
    flags = {
        "init_checkpoint": alone,
        "data_dir": records,
        "model_dir": run,
        "max_seq_length": 48,
        "num_train_steps": 1,
        "generator_hidden_size": 0.5,
        "max_position_embeddings": None,
    }
    finished = tiny.pretrain(
        "--init_vocab=match", "--extend_positions", **flags
    )
    assert finished.code == 0, finished.err
    for line in (
        "position table: 32 rows, repeated to 48",
        "rows by their token",
        "has none: generator, generator_predictions",
    ):
        assert finished.err.count(line) == 1, finished.err
    found, given = open_weights(run).arrays, open_weights(alone).arrays
    for name, value in given.items():  # The first update has rate 0.
        kept = found[name][: len(value)]
        np.testing.assert_array_equal(kept, value, err_msg=name)


@pytest.fixture(scope="module")
def phases(text_file, vocab_file, tmp_path_factory):
    """A function that runs one of two phases, to or from step 12 of 24."""
    folder = tmp_path_factory.mktemp("phases")
    for length in (16, 32):
        tiny.build(text_file, str(folder / f"{length}"), vocab_file, length)

    def run(length, name, *flags, **changed):
        changed |= {"max_seq_length": length, "max_position_embeddings": 32}
        changed |= {"data_dir": str(folder / f"{length}")}
        model_dir = str(folder / name)
        finished = tiny.pretrain(*flags, model_dir=model_dir, **changed)
        assert finished.code == 0, finished.err
        return finished

    run(16, "first", stop_at_step=12)
    return run


def second_flags(first):
    return "--init_optimizer", f"--init_checkpoint={first}"


def test_a_second_phase_of_the_same_length_is_the_run_that_never_stopped(
    phases, tiny_run
):
    first = phases(16, "first", stop_at_step=12).folder
    second = phases(16, "same", *second_flags(first)).folder
    tiny.assert_same_weights(second, tiny_run.folder)
    # Up to step 15 the first run's sums are in a line of the whole one.
    lines = [x for x in tiny.metrics(tiny_run.folder) if x["step"] > 15]
    assert [x for x in tiny.metrics(second) if x["step"] > 15] == lines


@pytest.mark.slow
def test_a_second_phase_goes_on_with_the_clock_to_the_same_bits(phases):
    first = phases(16, "first", stop_at_step=12).folder
    whole = phases(32, "whole", *second_flags(first)).folder
    lines = [line for line in tiny.metrics(whole) if "loss" in line]
    assert [line["step"] for line in lines] == [15, 20, 24]
    for line in lines:
        rate = tiny.FLAGS["learning_rate"] * (1 - line["step"] / tiny.STEPS)
        assert line["learning_rate"] == pytest.approx(rate)
    for stop in (12, 17, 0):  # at its very start, inside, at the end
        pieces = phases(32, "pieces", *second_flags(first), stop_at_step=stop)
    tiny.assert_same_end(pieces.folder, whole)


def test_a_dry_run_counts_the_steps_of_each_phase(phases):
    first = phases(16, "first", stop_at_step=12).folder
    values = {**tiny.FLAGS, "vocab_size": len(tiny.vocab())}
    for length, part, flags in (
        (16, "0 to 12 of 24", ["--stop_at_step=12"]),
        (32, "12 to 24 of 24", second_flags(first)),
    ):
        config = make_config({**values, "max_seq_length": length})
        half = flops_until(config, 24) - flops_until(config, 12)
        finished = phases(length, "none", *flags, "--dry_run")
        assert f"12  {part}" in finished.out
        assert f"{half:.3e}".replace("e+", "e") in finished.out
        assert f"{12 * 8 * length:,}" in finished.out


def test_weights_are_evaluated_as_a_run_is(phases):
    first = phases(16, "first", stop_at_step=12).folder
    data = f"--data_dir={pathlib.Path(first).parent / '16'}"
    size = ["--eval_batch_size=16", "--num_eval_steps=2"]
    found = [
        tiny.command("evaluate_pretraining", flag, data, *size)
        for flag in (f"--model_dir={first}", f"--init_checkpoint={first}")
    ]
    of_run, of_weights = (json.loads(x.out) for x in found)
    assert of_weights.pop("step") == 0
    assert of_run.pop("step") == 12
    assert of_weights == of_run
    finished = tiny.command("evaluate_pretraining", "--init_checkpoint=tiny")
    assert "needs --data_dir" in finished.error()
