"""The Keras layer for an encoder exported for fine-tuning."""

import contextlib

import keras
import tensorflow as tf

from electra_tf.errors import InputError

INFERENCE, TRAINING = "embed_ids", "embed_ids_training"


@keras.saving.register_keras_serializable("electra_tf")
class SavedModelEncoder(keras.layers.TFSMLayer):
    """An exported encoder as a layer that `fit` can train.

    Its variables keep the paths they had before the export, so
    `create_optimizer` gives each its layer's rate.

    Args:
      filepath: what `export_saved_model.py --for_finetuning` wrote. A model
        that holds this layer is saved with its weights, but needs the folder
        when it is loaded, and `safe_mode=False`, as of any SavedModel.

    Call arguments:
      inputs: a dict of `input_ids`, `input_mask`, `segment_ids`, int [B, L].
      training: whether to drop.

    Returns float [B, L, H].

    Raises:
      InputError: there is no such SavedModel at `filepath`.

    Example:
      ids = {n: keras.Input((128,), dtype="int32", name=n) for n in names}
      states = SavedModelEncoder("exported")(ids)
      model = keras.Model(ids, keras.layers.Dense(2)(states[:, 0]))
    """

    def __init__(self, filepath: str, **kwargs):
        try:
            super().__init__(filepath, INFERENCE, TRAINING, **kwargs)
        except (OSError, ValueError) as error:
            raise InputError(
                "SavedModelEncoder takes a folder written by "
                "export_saved_model.py --for_finetuning; received "
                f"{filepath!r}: {str(error).splitlines()[0]}"
            ) from error

    def _add_existing_weight(self, weight: tf.Variable) -> None:
        """Tracks a loaded variable under its own path.

        Keras' layer keeps ":0" in the name, which no optimizer can use for
        the name of a slot.
        """
        *scopes, name = weight.name.removesuffix(":0").split("/")
        with contextlib.ExitStack() as stack:
            for scope in scopes:
                stack.enter_context(keras.name_scope(scope))
            variable = keras.Variable(
                weight,
                trainable=weight.trainable,
                dtype=weight.dtype,
                name=name,
            )
        self._track_variable(variable)

    def call(self, inputs, training=False):
        endpoint = (
            self.call_training_endpoint_fn
            if training
            else self.call_endpoint_fn
        )
        names = ("input_ids", "input_mask", "segment_ids")
        ids = {name: tf.cast(inputs[name], tf.int64) for name in names}
        return endpoint(**ids)["sequence_output"]

    def get_config(self):
        config = super().get_config()
        for name in ("call_endpoint", "call_training_endpoint"):
            del config[name]
        return config
