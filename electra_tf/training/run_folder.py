"""A run's folder: configuration, tokenizer, logs; and who may use it."""

import json
import os

import tensorflow as tf

from electra_tf import config as configuration
from electra_tf.config import PretrainingConfig
from electra_tf.data.tokenizer import Tokenizer
from electra_tf.errors import InputError

CONFIG, RECORDS = "config.json", "records.json"


class RunFolder:
    """Opens `model_dir` for a run, or refuses it.

    Args:
      path: the folder; made where it is missing.
      config: the effective configuration.
      tokenizer: of the records.
      fingerprint: of the training records.

    Raises:
      InputError: the folder belongs to another run, or cannot be written.
    """

    def __init__(
        self,
        path: str,
        config: PretrainingConfig,
        tokenizer: Tokenizer,
        fingerprint: str,
    ):
        self.path = path
        self.notes: list[str] = []
        if tf.io.gfile.exists(self.file(CONFIG)):
            self._check(config, tokenizer, fingerprint)
        try:
            tf.io.gfile.makedirs(path)
            tokenizer.save(path)
            records = {"fingerprint": fingerprint}
            self.write(RECORDS, json.dumps(records) + "\n")
            self.write(CONFIG, configuration.to_json(config))
        except (tf.errors.OpError, OSError) as error:
            raise InputError(
                f"model_dir must be writable; {path!r} is not: "
                f"{str(error).splitlines()[0]}"
            ) from error

    def file(self, *names: str) -> str:
        """The path of something in the folder."""
        return os.path.join(self.path, *names)

    def write(self, name: str, text: str) -> None:
        """Writes a text file whole or not at all."""
        write_text(self.file(name), text)

    def _check(
        self, config: PretrainingConfig, tokenizer: Tokenizer, fingerprint: str
    ) -> None:
        old = read_config(self.path)
        changed = configuration.differences(old, config)
        steps = changed.pop("num_train_steps", None)
        if steps and steps[1] < steps[0]:
            changed["num_train_steps"] = steps
        elif steps:
            self.notes.append(
                f"num_train_steps is raised from {steps[0]:,} to "
                f"{steps[1]:,}: the learning-rate schedule is the new one"
            )
        saved = Tokenizer.from_folder(self.path).settings()
        for name, value in tokenizer.settings().items():
            if saved.get(name) != value:
                changed[f"tokenizer {name}"] = (saved.get(name), value)
        if tf.io.gfile.exists(self.file(RECORDS)):
            with tf.io.gfile.GFile(self.file(RECORDS)) as file:
                records = json.load(file)["fingerprint"]
            if records != fingerprint:
                changed["records' fingerprint"] = (records, fingerprint)
        if changed:
            listed = "; ".join(
                f"{name} was {a!r}, now {b!r}"
                for name, (a, b) in changed.items()
            )
            raise InputError(
                f"model_dir {self.path!r} holds a run that differs in what "
                f"defines it: {listed}. Use another model_dir, or the old "
                "values"
            )


def read_config(model_dir: str) -> PretrainingConfig:
    """The configuration of a run's folder.

    Raises:
      InputError: there is none, or it cannot be read.
    """
    path = os.path.join(model_dir, CONFIG)
    if not tf.io.gfile.exists(path):
        raise InputError(
            f"{model_dir!r} is not a run's folder: it holds no {CONFIG}"
        )
    try:
        with tf.io.gfile.GFile(path) as file:
            return configuration.from_json(file.read())
    except json.JSONDecodeError as error:
        raise InputError(f"{path!r} is not valid JSON: {error}") from error


def write_text(path: str, text: str) -> None:
    """Writes a text file whole or not at all."""
    temporary = f"{path}.tmp"
    with tf.io.gfile.GFile(temporary, "w") as file:
        file.write(text)
    tf.io.gfile.rename(temporary, path, overwrite=True)
