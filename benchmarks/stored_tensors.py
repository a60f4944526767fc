"""What a run's checkpoints hold, and whether two hold the same bits."""

import pathlib

import numpy as np


def stored(folder: pathlib.Path, step: int) -> dict[str, np.ndarray]:
    """Name -> tensor of a run's checkpoint at `step`.

    Without how often the process saved and the graph's description.
    """
    import tensorflow as tf

    prefix = str(folder / "checkpoints" / f"step-{step}")
    reader = tf.train.load_checkpoint(prefix)
    return {
        name: np.asarray(reader.get_tensor(name))
        for name in reader.get_variable_to_shape_map()
        if "save_counter" not in name and "OBJECT_GRAPH" not in name
    }


def differing(ours: dict, theirs: dict) -> list[str]:
    """Names that only one side has, or whose bits differ; sorted."""
    shared = ours.keys() & theirs.keys()
    others = {n for n in shared if ours[n].tobytes() != theirs[n].tobytes()}
    return sorted((ours.keys() ^ theirs.keys()) | others)


def weights(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The model's variables among a checkpoint's tensors, by path."""
    end = "/.ATTRIBUTES/VARIABLE_VALUE"
    return {
        name.removeprefix("model/").removesuffix(end).replace(".S", "/"): value
        for name, value in tensors.items()
        if name.startswith("model/")
    }
