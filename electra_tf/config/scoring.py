"""The methods by which a text is scored, and the one that suits a model."""

from collections.abc import Collection

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
