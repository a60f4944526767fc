"""ELECTRA for TensorFlow and Keras 3.

The names below are imported when first asked for, so that a command's
`--help` or a mistyped flag does not wait for TensorFlow.
"""

import importlib

_PUBLIC = {
    "ElectraConfig": "electra_tf.config.pretraining",
    "PretrainingConfig": "electra_tf.config.pretraining",
    "make_config": "electra_tf.config.pretraining",
    "InputError": "electra_tf.errors",
    "Tokenizer": "electra_tf.data.tokenizers.tokenizer",
    "Embeddings": "electra_tf.modeling.embeddings",
    "EncoderBlock": "electra_tf.modeling.attention",
    "Encoder": "electra_tf.modeling.encoder",
    "MaskedLMHead": "electra_tf.modeling.heads",
    "DiscriminatorHead": "electra_tf.modeling.heads",
    "Discriminator": "electra_tf.modeling.networks",
    "MaskedLM": "electra_tf.modeling.networks",
    "TokenMasker": "electra_tf.pretraining.masking",
    "Pretrainer": "electra_tf.pretraining.pretrainer",
    "build_pretrainer": "electra_tf.pretraining.factory",
    "AdamW": "electra_tf.training.optimizers",
    "PretrainedElectra": "electra_tf.pretrained",
    "from_pretrained": "electra_tf.pretrained",
    "pseudo_log_likelihood": "electra_tf.pretrained",
    "SavedModelEncoder": "electra_tf.serving.export",
    "TextPreprocessor": "electra_tf.finetune.preprocessor",
    "Classifier": "electra_tf.finetune.models.classifiers",
    "Regressor": "electra_tf.finetune.models.classifiers",
    "Tagger": "electra_tf.finetune.models.classifiers",
    "SpanQA": "electra_tf.finetune.models.span_qa",
    "export_finetuned": "electra_tf.serving.export",
    "create_optimizer": "electra_tf.finetune.models.optimizer",
}
__all__ = sorted(_PUBLIC)
__version__ = "0.1.0"


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'electra_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__
