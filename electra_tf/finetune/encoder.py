"""The encoder that fine-tuning starts from."""

import dataclasses

from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.tying import make_main_encoder
from electra_tf.pretrained import PretrainedElectra
from electra_tf.weights.assigning import assign_weights


def finetuning_encoder(
    pretrained: PretrainedElectra, dropout: float, load_weights: bool = True
) -> Encoder:
    """A copy of the encoder, or a fresh one, that drops at a rate of its own.

    The rate is that of hidden states and attention alike, whatever it was in
    pre-training (ELECTRA, Table 7).
    """
    model = dataclasses.replace(
        pretrained.config.model,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    encoder = make_main_encoder(model)
    encoder.build()
    if load_weights:
        arrays = {v.path: v.numpy() for v in pretrained.encoder.variables}
        assign_weights(encoder.variables, arrays, "the pre-trained encoder")
    return encoder
