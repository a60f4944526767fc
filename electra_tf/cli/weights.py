"""Weights of any format: written in another, or asked to rank sentences."""

import collections
import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from electra_tf.cli.app import command
from electra_tf.config import GIVEN, POSITIVE, Options, field
from electra_tf.config.scoring import METHODS, SCORINGS
from electra_tf.errors import InputError, require

if TYPE_CHECKING:
    from electra_tf.weights import OpenedWeights, WeightsFormat


@dataclasses.dataclass(frozen=True)
class ConvertOptions(Options):
    """What to convert, where to, and in which format and precision.

    Attributes:
      input: what from_pretrained takes: a name, a run's folder, a Hugging Face
        folder or hf://org/name, a TF1 checkpoint, a KerasHub preset, ...
      output: folder to write; new, but for electra_tf.
      to: the format; electra_tf: config, tokenizer and weights in one small
        folder; huggingface, keras_hub, tf1: what these load.
      dtype: how weights are stored.
      generator_checkpoint: where the generator is, if input has a
        discriminator alone.
      scoring: the method that --method=auto shall be of these weights; is kept
        in electra_tf's format alone.
      verify: run what was written beside its source, and print the largest
        differences; uses the other library where it is installed.
      dry_run: list every tensor with its source, and write nothing.
    """

    input: str = field("", GIVEN)
    output: str = field("", GIVEN)
    # No choices: formats may come from outside.
    to: str = field("electra_tf")
    dtype: str = field("float32", choices=("float32", "float16", "bfloat16"))
    generator_checkpoint: str = field("")
    scoring: str = field("", choices=("", *METHODS))
    verify: bool = field(False)
    dry_run: bool = field(False)


@command(ConvertOptions)
def convert_weights(options: ConvertOptions) -> None:
    """Writes the folder; prints what was read, and what was not there."""
    from electra_tf.weights import (
        open_pair,
        pairs,
        save_weights,
        verify,
        writable,
    )

    target = writable(options.to)
    sources = [s for s in (options.input, options.generator_checkpoint) if s]
    if options.verify:
        verify.check_libraries(options.to, *sources)
    rule = "scoring needs to=electra_tf, which keeps it"
    require(not options.scoring or options.to == "electra_tf", rule, options.to)
    opened = open_pair(options.input, options.generator_checkpoint)
    if options.scoring:
        opened = dataclasses.replace(opened, scoring=options.scoring)
    weights = pairs.complete(opened)  # all weights fit, then
    if options.dry_run:
        for written, path in target.plan(weights):
            print(f"{written}  <-  {weights.stored_as.get(path, path)}")
        _tell(weights, target)
        return
    save_weights(weights, options.output, options.to, options.dtype)
    _tell(weights, target)
    print(f"{options.output}: weights in {options.dtype}")
    if options.verify:
        found = verify.compare(weights, options.output, options.to, *sources)
        print(found)


def _tell(weights: "OpenedWeights", target: "WeightsFormat") -> None:
    """What was read, what was not there, and what is left out."""
    from electra_tf.weights import pairs
    from electra_tf.weights.record import OPTIONAL

    shapes = pairs.expected_shapes(weights).values()
    networks = pairs.networks_of(weights)
    print(
        f"read {weights.source}: {', '.join(networks) or 'an encoder'} "
        f"(objective={weights.config.objective.objective}), "
        f"{sum(map(math.prod, shapes)):,} weights, "
        f"{weights.tokenizer.vocab_size:,} pieces"
    )
    there = {
        **dict.fromkeys(("generator", "discriminator")),
        **dict.fromkeys(networks, True),
        **{name: getattr(weights, name) for name in OPTIONAL},
    }
    absent = [name for name, part in there.items() if part is None]
    left = [n for n in OPTIONAL if there[n] and n not in target.keeps]
    if absent:
        print(f"not there: {', '.join(absent)}")
    if left:
        places = f"left out, since {target.name} has no place"
        print(f"{places}: {', '.join(left)}")


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A line of the input.

    Attributes:
      line: as it was read.
      name: of its list.
      text: the sentence.
    """

    line: str
    name: str
    text: str


@dataclasses.dataclass(frozen=True)
class ScoreOptions(Options):
    """Which model, what to read, where to write.

    Attributes:
      model_dir: what from_pretrained takes: a name, a run's folder, weights.
      input: lines, or TSV: list, ..., candidate.
      method: electric: energies of an Electric; rtd: log P(original) of a
        discriminator; pll: each token masked in turn; pll_word: with what
        follows it in its word; auto: electric, else pll of a masked LM alone,
        else what the weights name, else rtd.
      output: TSV to write (default: standard output).
      best: write the best of each list alone.
      batch_size: rows a pass: candidates, or their masked copies.
    """

    model_dir: str = field("", GIVEN)
    input: str = field("", GIVEN)
    method: str = field("auto", choices=SCORINGS)
    output: str = field("")
    best: bool = field(False)
    batch_size: int = field(128, POSITIVE)


@command(ScoreOptions)
def score_text(options: ScoreOptions) -> None:
    """Ranks candidate sentences by a model's scores.

    Each line of the input is a candidate. Lines with tabs belong to lists:
    the first column names the list (an utterance, a source sentence), the
    last is the candidate, and what is between stays. Lines without are one
    list. Written is `rank, score, the line` with tabs between; rank 1 is
    the best of its list.
    """
    from tqdm import tqdm

    from electra_tf.files import try_output, write_text
    from electra_tf.pretrained import from_pretrained

    if options.output:
        try_output("output", options.output)
    candidates = read_candidates(options.input)
    model = from_pretrained(options.model_dir)
    texts = [candidate.text for candidate in candidates]
    scorer = model.scorer(options.method)
    with tqdm(total=len(texts), unit="text", disable=None) as bar:
        scores = scorer(texts, options.batch_size, bar.update)
    ranks = rank(candidates, scores.tolist())
    rows = zip(ranks, scores, candidates, strict=True)
    lines = [
        f"{place}\t{score:.4f}\t{candidate.line}\n"
        for place, score, candidate in rows
        if place == 1 or not options.best
    ]
    if options.output:
        write_text(options.output, "".join(lines))
    else:
        print("".join(lines), end="")


def read_candidates(path: str) -> list[Candidate]:
    """The candidates of a file, in order; empty lines are left out.

    Raises:
      InputError: no such file, or a line whose last column is empty.
    """
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            content = file.read().decode("utf-8-sig")
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"cannot read {path!r} as UTF-8: {reason}") from None
    found = []
    # Only "\n" ends a line: splitlines() would also break at U+2028.
    for number, line in enumerate(content.split("\n"), start=1):
        line = line.removesuffix("\r")
        name, tab, rest = line.partition("\t")
        text = rest.rpartition("\t")[2] if tab else line
        if line.strip():
            rule = f"line {number} of {path!r} must end in a candidate"
            require(bool(text.strip()), rule, line)
            found.append(Candidate(line, name if tab else "", text))
    return found


def rank(candidates: Sequence[Candidate], scores: Sequence[float]) -> list[int]:
    """Each candidate's place in its list, 1 for the highest score."""
    places: collections.Counter[str] = collections.Counter()
    ranks = [0] * len(candidates)
    for number in sorted(range(len(scores)), key=lambda n: -scores[n]):
        name = candidates[number].name
        places[name] += 1
        ranks[number] = places[name]
    return ranks
