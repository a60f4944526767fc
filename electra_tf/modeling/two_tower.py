"""The two-tower cloze model: each token predicted from all the others."""

import keras
import tensorflow as tf

from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.networks import make_token_head
from electra_tf.modeling.noise import noise_of


@keras.saving.register_keras_serializable("electra_tf")
class TwoTowerCloze(keras.Model):
    """q(x_t | x without t), for every t in one pass over unmasked text.

    One tower reads to the left of a token, one to its right. Token t is
    predicted from the left tower's state at t - 1 and the right one's at
    t + 1, so that it is never seen.

    The states are shifted circularly, as in the authors' code: position 0
    gets the left tower's last state, the last position the right tower's
    first. At the two ends, where [CLS] and padding or [SEP] stand, a token
    may thus see itself.

    Args:
      left: an `Encoder` of direction left_to_right.
      right: an `Encoder` of direction right_to_left, on the same embeddings.

    Call arguments:
      input_ids, input_mask, segment_ids: int [B, L].
      positions: int [B, M], where to predict; None: everywhere.
      training: whether to drop.

    Returns float [B, M, V], or [B, L, V].
    Reference: Electric (Clark et al., EMNLP 2020), section 2, noise
    distribution.
    """

    def __init__(self, left: Encoder, right: Encoder, **kwargs):
        super().__init__(**kwargs)
        if left.embeddings is not right.embeddings:
            raise ValueError("the two towers must share their embeddings")
        for tower in (left, right):
            if not tower.built:
                tower.build()
        self.left, self.right = left, right
        self.head = make_token_head(left, "cloze_predictions")
        width = left.hidden_size + right.hidden_size
        self.head.build((None, None, width))
        self.built = True

    def call(
        self,
        input_ids,
        input_mask,
        segment_ids,
        positions=None,
        training=False,
    ):
        text = (input_ids, input_mask, segment_ids)
        with noise_of("left"):
            left = self.left(*text, training=training)  # [B, L, H]
        with noise_of("right"):
            right = self.right(*text, training=training)  # [B, L, H]
        before, after = tf.roll(left, 1, axis=1), tf.roll(right, -1, axis=1)
        states = tf.concat([before, after], -1)  # [B, L, 2H]
        if positions is not None:
            states = tf.gather(states, positions, batch_dims=1)  # [B, M, 2H]
        table = self.left.embeddings.word_embeddings  # [V, E]
        return self.head(states, table)

    def get_config(self):
        right = self.right.get_config()
        del right["embeddings"]  # the left tower's
        left = keras.saving.serialize_keras_object(self.left)
        return {**super().get_config(), "left": left, "right": right}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        left = keras.saving.deserialize_keras_object(config.pop("left"))
        right = Encoder(embeddings=left.embeddings, **config.pop("right"))
        return cls(left, right, **config)
