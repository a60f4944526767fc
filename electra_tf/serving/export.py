"""Exports: pre-trained and fine-tuned models as SavedModels.

They answer without electra_tf. An encoder can be exported to be trained
further, too; `SavedModelEncoder` is the Keras layer for it.
"""

import contextlib
from collections.abc import Callable

import keras
import tensorflow as tf

from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError
from electra_tf.files import check_path
from electra_tf.finetune.encoder import finetuning_encoder
from electra_tf.finetune.models import TaskModel
from electra_tf.finetune.models.classifiers import (
    Classifier,
    Regressor,
)
from electra_tf.finetune.models.ranker import Ranker
from electra_tf.finetune.models.sentence_encoder import SentenceEncoder
from electra_tf.finetune.models.span_qa import SpanQA
from electra_tf.finetune.models.tagger import Tagger
from electra_tf.finetune.preprocessor import TextPreprocessor
from electra_tf.modeling.encoder import Encoder
from electra_tf.pretrained import PretrainedElectra
from electra_tf.serving import IDS, NAMES, Function
from electra_tf.serving.answer import AnswerModule
from electra_tf.serving.finetuned import (
    ClassifyModule,
    EncodeModule,
    RankModule,
    RegressModule,
    TagModule,
    TaskModule,
)
from electra_tf.serving.forward import StoredWeights
from electra_tf.serving.pretrained import Embed, PretrainedModule, of_states
from electra_tf.serving.saved_model import write_saved_model

INFERENCE, TRAINING = "embed_ids", "embed_ids_training"
_MODULES: dict[type[TaskModel], type[TaskModule]] = {
    Classifier: ClassifyModule,
    Regressor: RegressModule,
    Ranker: RankModule,
    SentenceEncoder: EncodeModule,
    Tagger: TagModule,
    SpanQA: AnswerModule,
}


def export_saved_model(
    model: PretrainedElectra,
    path: str,
    dtype: str = "float32",
    warmup: bool | None = None,
) -> list[str]:
    """Writes a SavedModel that serves; returns the names of its signatures.

    Args:
      model: what `from_pretrained` gave.
      path: a folder that does not exist yet, for TensorFlow Serving a version
        (see `next_version`).
      dtype: how matrices are stored, "float32" or "float16".
      warmup: see `write_saved_model`.

    Raises:
      InputError: the folder is there already, or cannot be written.
    """

    def make(vocab_file: str) -> PretrainedModule:
        return PretrainedModule(model, vocab_file, dtype)

    return write_saved_model(make, model.tokenizer, path, warmup)


def finetuned_class(head_kind: str) -> type[TaskModel]:
    """The class of a `weights.Head`; one number is a Regressor's."""
    return next(kind for kind in _MODULES if head_kind in kind.head_kinds)


def module_of(model: keras.Model) -> type[TaskModule]:
    """What a fine-tuned model is exported as.

    Raises:
      InputError: it is of another kind.
    """
    for kind, module in _MODULES.items():
        if isinstance(model, kind):
            return module
    raise InputError(
        f"export_finetuned takes {', '.join(k.__name__ for k in _MODULES)}; "
        f"received {type(model).__name__}"
    )


def export_for_finetuning(
    model: PretrainedElectra, path: str, dropout: float = 0.1
) -> list[str]:
    """Writes the encoder as a SavedModel that can be trained further.

    Args:
      model: what `from_pretrained` gave.
      path: a folder that does not exist yet.
      dropout: rate of `embed_ids_training`, in hidden states and attention.

    Returns the names of the signatures.

    Raises:
      InputError: the folder is there already, or cannot be written.
    """
    encoder = finetuning_encoder(model, dropout)

    def make(vocab_file: str) -> FinetuningModule:
        return FinetuningModule(encoder, model.tokenizer, vocab_file)

    return write_saved_model(make, model.tokenizer, path, warmup=False)


def export_finetuned(
    model: TaskModel,
    path: str,
    preprocessor: TextPreprocessor | None = None,
    dtype: str = "float32",
    warmup: bool | None = None,
) -> list[str]:
    """Writes a SavedModel; returns the names of its signatures.

    Args:
      model: Classifier, Regressor, Ranker, SentenceEncoder, Tagger or SpanQA.
      path: a folder that does not exist yet.
      preprocessor: where the model has none any more.
      dtype: how matrices are stored, "float32" or "float16".
      warmup: see `write_saved_model`.

    Raises:
      InputError: no preprocessor, another kind of model, or a folder that is
        there already or cannot be written.
    """
    preprocessor = preprocessor or model.preprocessor
    if preprocessor is None:
        raise InputError(
            "a model whose preprocessor was taken out must be given a "
            "preprocessor; received none"
        )
    make: Callable = module_of(model)
    model = model.merged()
    return write_saved_model(
        lambda vocab_file: make(model, preprocessor, vocab_file, dtype),
        preprocessor.tokenizer,
        path,
        warmup,
    )


class FinetuningModule(Embed):
    """An encoder to be trained on: `embed_ids`, and the same with dropout.

    `trainable_variables` are those of both, for a gradient tape.
    """

    trainable_variables = None  # plain attribute, as tf.Module's is not saved

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer, vocab_file: str):
        # Not in buckets: a loop's gradient costs more than it saves.
        super().__init__(encoder, tokenizer, StoredWeights(), buckets=())
        self._encode = encoder.__call__
        self.vocab = tf.saved_model.Asset(vocab_file)
        self.trainable_variables = self.weights

    @tf.function(autograph=False, input_signature=IDS)
    def embed_ids_training(self, input_ids, input_mask, segment_ids):
        """As `embed_ids`, with dropout drawn anew at each call."""
        # Of this graph alone. A seed set by whoever exports would be a part
        # of it: every process would drop the same values.
        tf.random.set_seed(None)
        ids = self.rules.checked(input_ids, input_mask, segment_ids)
        return of_states(self._encode(*ids, training=True), input_mask)

    def signatures(self) -> dict[str, Function]:
        return {
            "serving_default": self.embed_ids,
            **super().signatures(),
            "embed_ids_training": self.embed_ids_training,
        }


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
        check_path("filepath", filepath)
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
        ids = {name: tf.cast(inputs[name], tf.int64) for name in NAMES}
        return endpoint(**ids)["sequence_output"]

    def get_config(self):
        config = super().get_config()
        for name in ("call_endpoint", "call_training_endpoint"):
            del config[name]
        return config
