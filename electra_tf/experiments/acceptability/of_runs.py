"""What a run's evaluations measure on minimal pairs (`--eval_pairs`)."""

from collections.abc import Callable, Mapping

import keras

from electra_tf.config.pretraining import PretrainingConfig
from electra_tf.config.scoring import (
    SuiteOptions,
    network_of,
    networks_of,
    resolved,
)
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import require
from electra_tf.experiments.acceptability import score_pairs, summary
from electra_tf.experiments.acceptability.pairs import read_pairs
from electra_tf.scoring import Scorer
from electra_tf.training.evaluation import MakeMeasure

FIGURE = "acceptability"


def measure_of(config: PretrainingConfig) -> MakeMeasure | None:
    """Makes the run's measure of its pairs; None where it has none.

    Raises:
      InputError: the pairs cannot be read, or the run has no network for the
        method. What is made raises it for a text that is too long.
    """
    run, objective = config.run, config.objective.objective
    if not run.eval_pairs:
        return None
    pairs = read_pairs(SuiteOptions(suite="pairs", input=run.eval_pairs))
    names = networks_of(objective, config.model.generator)
    method = resolved(run.eval_pairs_method, names)
    name = network_of(method, objective)
    rule = f"eval_pairs_method={method} needs a run with the network {name}"
    require(name in names, rule, f"objective={objective}")
    rows, batch_size = config.model.max_position_embeddings, run.eval_batch_size

    def make(
        networks: Mapping[str, keras.Model], tokenizer: Tokenizer
    ) -> Callable[[], Mapping[str, float]]:
        scorer = Scorer(method, networks[name], tokenizer, rows)
        # Texts that are too long are told of before the first step.
        score_pairs(pairs, scorer.num_tokens)

        def measure() -> Mapping[str, float]:
            scored = score_pairs(pairs, lambda x: scorer(x, batch_size))
            return {FIGURE: summary(scored)["mean"]}

        return measure

    return make
