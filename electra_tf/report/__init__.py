"""Pictures and pages made from a run's own files.

Here is what the other modules draw and write down: a run as its folder tells
it, the lines, the configuration and the examples.
"""

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

import tensorflow as tf

from electra_tf.errors import InputError

Line = Mapping[str, Any]
Series = tuple[tuple[int, ...], tuple[float, ...]]


@dataclasses.dataclass(frozen=True)
class Run:
    """What one `--model_dir` holds; lines are sorted by step, one a step.

    `problems` are sentences about what could not be read, for the page.
    """

    name: str
    model_dir: str
    config: Mapping[str, Any]
    train: tuple[Line, ...]
    evals: tuple[Line, ...]
    timing: tuple[Line, ...]
    examples: Mapping[str, Any] | None
    problems: tuple[str, ...] = ()

    def series(self, kind: str, key: str) -> Series:
        """(steps, values) of `key` over the lines that hold it.

        Args:
          kind: "train", "evals" or "timing".
          key: as in the file; a value that is no number is left out.
        """
        points = [
            (line["step"], float(line[key]))
            for line in getattr(self, kind)
            if is_number(line.get(key))
        ]
        steps, values = zip(*points, strict=True) if points else ((), ())
        return steps, values

    def last(self, kind: str) -> Line:
        """The last line of `kind`, {} where there is none."""
        lines = getattr(self, kind)
        return lines[-1] if lines else {}

    def setting(self, name: str) -> Any:
        """A configuration value by its flat name, None where absent."""
        return next(
            (v for key, v in flatten(self.config) if key.endswith(f".{name}")),
            self.config.get(name),
        )


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def flatten(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """("group.name", value) of nested mappings, in the file's order."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            for inner, leaf in flatten(value):
                yield f"{key}.{inner}", leaf
        else:
            yield key, value


def load_runs(model_dirs: Sequence[str]) -> list[Run]:
    """Reads every folder; names are the folders' own, made distinct.

    Raises:
      InputError: no folder given, one given twice, one that does not exist
        or is no run folder, or a metrics.jsonl without one readable line.
    """
    if isinstance(model_dirs, str) or not model_dirs:
        raise InputError(
            "model_dir must name at least one run folder; received "
            f"{model_dirs!r}"
        )
    folders = [_normal(folder) for folder in model_dirs]
    for folder in folders:
        if folders.count(folder) > 1:
            raise InputError(
                f"model_dir must name each run once; received {folder!r} twice"
            )
    return list(map(_load, folders, short_names(folders)))


def _normal(folder: str) -> str:
    folder = folder.strip()
    if not folder:
        raise InputError(
            "model_dir must be a comma-separated list of run folders; "
            "received an empty name in it"
        )
    return folder if "://" in folder else os.path.normpath(folder)


def short_names(folders: Sequence[str]) -> list[str]:
    """The shortest endings of the paths that tell all folders apart."""
    parts = [
        (folder if "://" in folder else os.path.abspath(folder))
        .replace(os.sep, "/")
        .rstrip("/")
        .split("/")
        for folder in folders
    ]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-depth:]) or "/" for part in parts]
        if len(set(names)) == len(names):
            break
    return names


def _load(folder: str, name: str) -> Run:
    if not tf.io.gfile.isdir(folder):
        raise InputError(
            f"model_dir must be an existing run folder; received {folder!r}"
        )
    metrics = _read(folder, "metrics.jsonl")
    config = _read_object(folder, "config.json") or {}
    if metrics is None and not config:
        raise InputError(
            "model_dir must hold a run's metrics.jsonl or config.json; "
            f"received {folder!r}, which has neither"
        )
    lines, problems = parse_lines(metrics or b"", "metrics.jsonl")
    if problems and not lines:
        raise InputError(
            "metrics.jsonl must hold one JSON object with a step a line; "
            f"received {os.path.join(folder, 'metrics.jsonl')!r}, which has "
            "no such line"
        )
    content = _read(folder, "timing.jsonl") or b""
    timing, timing_problems = parse_lines(content, "timing.jsonl")
    return Run(
        name=name,
        model_dir=folder,
        config=config,
        train=_one_a_step(line for line in lines if not _is_eval(line)),
        evals=_one_a_step(line for line in lines if _is_eval(line)),
        timing=_one_a_step(timing),
        examples=_read_object(folder, "examples.json"),
        problems=(*problems, *timing_problems),
    )


def _read(folder: str, name: str) -> bytes | None:
    """The file's content; None where there is no such file."""
    path = os.path.join(folder, name)
    if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
        return None
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read()


def _read_object(folder: str, name: str) -> Mapping[str, Any] | None:
    """The JSON object; None where it is absent, half written or no object."""
    try:
        found = json.loads(_read(folder, name) or b"")
    except (ValueError, RecursionError):  # of bytes that are no UTF-8, too
        return None
    return found if isinstance(found, dict) else None


def _is_eval(line: Line) -> bool:
    return any(key.startswith("eval_") for key in line)


def _one_a_step(lines: Iterable[Line]) -> tuple[Line, ...]:
    """By step; of lines with the same step the one written last."""
    by_step = {line["step"]: line for line in lines}
    return tuple(by_step[step] for step in sorted(by_step))


def parse_lines(content: bytes, file_name: str) -> tuple[list[Line], list[str]]:
    """The JSON objects that have a step, and what was left out.

    A last line without its line end that does not parse is a line still
    being written, and is no problem worth a sentence.
    """
    lines: list[Line] = []
    broken: list[str] = []
    rows = content.split(b"\n")
    for number, row in enumerate(rows, start=1):
        if not row.strip():
            continue
        try:
            line = json.loads(row)
        except (ValueError, RecursionError):
            line = None
        if isinstance(line, dict) and is_number(line.get("step")):
            lines.append(line)
        elif number < len(rows) or line is not None:
            broken.append(str(number))
    if not broken:
        return lines, []
    numbers = ", ".join(broken[:5]) + (", …" if len(broken) > 5 else "")
    return lines, [
        f"{file_name}: left out what could not be read (line {numbers})."
    ]
