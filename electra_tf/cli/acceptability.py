"""Evaluates a model on minimal pairs of texts."""

import dataclasses
import json
import os
from typing import TYPE_CHECKING, Any

from electra_tf.cli.app import command
from electra_tf.config import GIVEN, Options, field
from electra_tf.config.scoring import SuiteOptions
from electra_tf.errors import require_packages

if TYPE_CHECKING:
    from electra_tf.experiments.acceptability import Scored, Scores
    from electra_tf.pretrained import PretrainedElectra

_NAME = "acceptability"


@dataclasses.dataclass(frozen=True)
class AcceptabilityOptions(Options):
    """The model, and where to write.

    Attributes:
      model_dir: what from_pretrained takes: a name, a run's folder, weights.
      output_dir: folder for acceptability.json, .md and .png, and scores.tsv, a
        line a pair.
      data_dir: training records for the rows unigram and 5-gram (default: the
        run's own).
      published: a table of others' accuracies: paradigm, and a column of
        fractions a system.
    """

    model_dir: str = field("", GIVEN)
    output_dir: str = field("", GIVEN)
    data_dir: str = field("")
    published: str = field("")


@command(AcceptabilityOptions, SuiteOptions)
def evaluate_acceptability(
    options: AcceptabilityOptions, suite: SuiteOptions
) -> None:
    """Scores all pairs, writes the results, and prints the first table."""
    require_packages("the plot needs", ("matplotlib",), "report")
    from electra_tf.experiments import acceptability
    from electra_tf.experiments.acceptability.page import markdown
    from electra_tf.experiments.acceptability.pairs import read_pairs
    from electra_tf.files import check_path
    from electra_tf.locks import locked
    from electra_tf.pretrained import from_pretrained

    with locked(check_path("output_dir", options.output_dir)):
        pairs = read_pairs(suite)
        names = dict.fromkeys(pair.paradigm for pair in pairs)
        published = _published(options.published, suite, list(names))
        model = from_pretrained(options.model_dir)
        scorer = model.scorer(suite.method)
        baselines, known = _baselines(options, model)
        from tqdm import tqdm

        with tqdm(total=2 * len(pairs), unit="text", disable=None) as bar:
            found, scored = acceptability.evaluate(
                pairs,
                lambda texts: scorer(texts, suite.batch_size, bar.update),
                scorer.num_tokens,
                baselines,
            )
        found = {
            "method": scorer.method,
            "mean": found["mean"],
            "model_dir": options.model_dir,
            "suite": suite.suite,
            **found,
            **known,
            "published": published,
        }
        page = markdown(found)
        _write(options.output_dir, found, page, scored)
    print(page.partition("\n## ")[0])


def _published(
    path: str, suite: SuiteOptions, paradigms: list[str]
) -> dict[str, Any]:
    """Means of the published systems; of those paradigms, where a file says."""
    from electra_tf.experiments.acceptability import published

    systems: dict[str, dict[str, Any]] = {}
    if path:
        found = published.read_published(path, paradigms)
        for name, mean in published.means(found).items():
            systems[name] = {"mean": mean, "paradigms": found[name]}
    elif suite.suite == "blimp":
        for name, each in published.SYSTEMS.items():
            systems[name] = {"mean": each.mean}
    sources = []
    if systems.keys() & published.SYSTEMS.keys():
        sources.append(published.SOURCE)
    if path:
        sources.append(f"by paradigm in {os.path.basename(path)}")
    return {"source": "; ".join(sources), "systems": systems}


def _baselines(
    options: AcceptabilityOptions, model: "PretrainedElectra"
) -> "tuple[dict[str, Scores], dict[str, Any]]":
    """By name, and what is known of the records that they count."""
    from electra_tf.experiments.acceptability.baselines import (
        frequency_baselines,
        training_records,
    )

    records = training_records(
        options.data_dir,
        model.config.data.data_dir,
        options.model_dir,
        model.tokenizer,
    )
    if isinstance(records, str):
        return {}, {"left_out": records, "num_tokens": 0}
    baselines, num_tokens = frequency_baselines(records, model.tokenizer)
    return baselines, {"left_out": "", "num_tokens": num_tokens}


def _write(
    folder: str, found: dict[str, Any], page: str, scored: "Scored"
) -> None:
    from electra_tf.files import filling, write_bytes, write_text
    from electra_tf.report.acceptability_plot import draw

    lines = ["paradigm\tterm\tgood_score\tbad_score\n"]
    rows = zip(scored.pairs, scored.good, scored.bad, strict=True)
    for pair, good, bad in rows:
        lines.append(f"{pair.paradigm}\t{pair.term}\t{good:.6f}\t{bad:.6f}\n")
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    last = f"{_NAME}.json"
    with filling(folder, last=last) as whole:
        write_text(os.path.join(whole, "scores.tsv"), "".join(lines))
        write_text(os.path.join(whole, f"{_NAME}.md"), page)
        write_bytes(os.path.join(whole, f"{_NAME}.png"), draw(found))
        write_text(os.path.join(whole, last), text)
