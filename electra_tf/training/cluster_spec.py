"""Which processes train together, and which of them this one is.

TF_CONFIG or Slurm tells. What they say is checked here, as TensorFlow's own
resolvers take what is missing for a cluster of one, where each process would
believe to be the chief.
"""

import dataclasses
import os
import re
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from electra_tf.config import json_object
from electra_tf.errors import InputError, require

# The chief, where there is one, is a worker as well: the first.
JOBS = ("chief", "worker")
TASKS, RANK = "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"
_HIGHEST_PORT = 65535
_MOST_DIGITS = 10


@dataclasses.dataclass(frozen=True)
class Place:
    """A process's place among those that train together.

    Attributes:
      addresses: host:port of every worker, the chief's first.
      worker: the number of this process among them; 0 writes.
    """

    addresses: tuple[str, ...]
    worker: int


def is_told() -> bool:
    """Whether the environment tells of several processes.

    Raises:
      InputError: Slurm's number of tasks is none.
    """
    # Slurm sets this in what srun starts, not in the batch script itself.
    tasks = _count(TASKS) if os.environ.get(TASKS) else 1
    return bool(os.environ.get("TF_CONFIG")) or tasks > 1


def find_cluster() -> tuple[Any, Place]:
    """TensorFlow's resolver, and this process's place.

    Raises:
      InputError: nothing tells of a cluster, or what does breaks a rule.
    """
    resolvers = tf.distribute.cluster_resolver
    if text := os.environ.get("TF_CONFIG"):
        return resolvers.TFConfigClusterResolver(), place_of_tf_config(text)
    rule = (
        "strategy=multi_worker needs TF_CONFIG (a cluster of workers and this "
        "task) or a Slurm step: srun sets it"
    )
    require(bool(os.environ.get(TASKS)), rule, os.environ.get(TASKS))
    tasks, rank = _count(TASKS), _count(RANK)
    require(rank < tasks, f"{RANK} must be below {TASKS} ({tasks})", rank)
    try:
        resolver = resolvers.SlurmClusterResolver()
        addresses = tuple(resolver.cluster_spec().as_dict()["worker"])
    except (LookupError, ValueError, RuntimeError, OSError) as error:
        raise InputError(
            "the variables of a Slurm step must say which tasks run on which "
            f"nodes; received {type(error).__name__}: {error}"
        ) from None
    return resolver, Place(addresses, rank)


def place_of_tf_config(text: str) -> Place:
    """What a TF_CONFIG says.

    Args:
      text: {"cluster": {"worker": ["host:port", ...]}, "task": {"type":
        "worker", "index": 0}}; there may be one "chief", too.

    Raises:
      InputError: it breaks a rule, which the message names.
    """
    try:
        told = json_object(text)
    except InputError as error:
        raise InputError(f"TF_CONFIG: {error}") from None
    cluster, task = (_part(told, name) for name in ("cluster", "task"))
    for job in [*cluster, task.get("type")]:
        rule = "every job of TF_CONFIG must be chief or worker: all train"
        require(job in JOBS, rule, job)
    addresses = {job: _addresses(job, cluster.get(job, [])) for job in JOBS}
    chiefs, workers = addresses["chief"], addresses["worker"]
    require(len(chiefs) < 2, "TF_CONFIG must have one chief at most", chiefs)
    everyone = (*chiefs, *workers)
    rule = "no two tasks of TF_CONFIG may have one address"
    require(len(set(everyone)) == len(everyone), rule, everyone)
    job, index = task["type"], _index(task.get("index"))
    count = len(addresses[job])
    rule = f"TF_CONFIG's task index must be below its {count} {job} tasks"
    require(index < count, rule, index)
    return Place(everyone, index if job == "chief" else len(chiefs) + index)


def _part(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = told.get(name)
    if isinstance(part, dict) and part:
        return part
    raise InputError(
        f"TF_CONFIG must hold an object {name!r}, that is not empty; received "
        f"{part!r}"
    )


def _addresses(job: str, given: Any) -> tuple[str, ...]:
    is_list = isinstance(given, list) and all(_is_address(a) for a in given)
    rule = f"TF_CONFIG's {job} must be a list of host:port"
    require(is_list, rule, given)
    return tuple(given)


def _is_address(given: Any) -> bool:
    if not isinstance(given, str):
        return False
    host, _, port = given.rpartition(":")
    is_number = port.isascii() and port.isdigit() and len(port) < _MOST_DIGITS
    is_port = is_number and 0 < int(port) <= _HIGHEST_PORT
    return is_port and re.fullmatch(r"[^\s/,]+", host) is not None


def _index(given: Any) -> int:
    # Launchers that put a TF_CONFIG together may quote it.
    text = str(given) if type(given) in (int, str) else ""
    return _whole("TF_CONFIG's task index", text, given)


def _count(name: str) -> int:
    text = os.environ.get(name, "")
    return _whole(name, text, text)


def _whole(name: str, text: str, given: Any) -> int:
    is_whole = text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS
    require(is_whole, f"{name} must be a whole number from 0 on", given)
    return int(text)
