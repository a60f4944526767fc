"""How texts are scored, which method suits a model, and what it is tried on."""

import dataclasses
from collections.abc import Collection

from electra_tf.config import POSITIVE, Options, field
from electra_tf.config.objectives import describe
from electra_tf.errors import require

AUTO = "auto"
METHODS = ("electric", "rtd", "pll", "pll_word")
SCORINGS = (AUTO, *METHODS)


def resolved(method: str, networks: Collection[str], named: str = "") -> str:
    """The method itself, or what `auto` means for a model.

    Args:
      method: one of `SCORINGS`.
      networks: names of those that are there.
      named: what the model's weights say of themselves; "" for nothing.

    Raises:
      InputError: there is no such method.
    """
    rule = f"method must be one of {', '.join(SCORINGS)}"
    require(method in SCORINGS, rule, method)
    if method != AUTO:
        return method
    if "energy" in networks:
        return "electric"
    if networks and "discriminator" not in networks:
        return "pll"
    return named or "rtd"


def network_of(method: str, objective: str) -> str:
    """The name of the network that a method asks.

    A masked LM is the main network where that is one, else the generator.
    """
    if method in ("electric", "rtd"):
        return {"electric": "energy", "rtd": "discriminator"}[method]
    main = describe(objective).main
    return main.name if main.head == "tokens" else "generator"


def networks_of(objective: str, generator: str) -> tuple[str, ...]:
    """Names of the networks of a run that can score."""
    description = describe(objective)
    if description.trains_generator(generator):
        return (description.main.name, "generator")
    return (description.main.name,)


@dataclasses.dataclass(frozen=True)
class SuiteOptions(Options):
    """Pairs of an acceptable and an unacceptable text, and how they are scored.

    Attributes:
      suite: what the pairs are: BLiMP, whose published means then stand beside,
        or pairs of one's own.
      input: a folder of BLiMP's own .jsonl files; a table (.tsv, .csv, .jsonl)
        with the columns good, bad and, where there are several, paradigm and
        term; or lines, wrong ones and right ones in turn. Without it
        suite=blimp is that of TensorFlow Datasets.
      tfds_data_dir: where prepared TensorFlow Datasets lie.
      method: as of score_text.
      batch_size: rows a pass: texts, or their masked copies.
    """

    suite: str = field("blimp", choices=("blimp", "pairs"))
    input: str = field("")
    tfds_data_dir: str = field("")
    method: str = field(AUTO, choices=SCORINGS)
    batch_size: int = field(128, POSITIVE)

    def __post_init__(self) -> None:
        super().__post_init__()
        given = bool(self.input) or self.suite == "blimp"
        require(given, "suite=pairs needs input, a file of them", self.input)
