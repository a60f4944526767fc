"""A pre-trained model of no training at all, and NumPy's view of it."""

import numpy as np
import reference_encoder as reference
import tiny

from electra_tf.config.pretraining import make_config
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.pretraining.factory import build_pretrainer
from electra_tf.weights import OpenedWeights, save_weights

LENGTH = 12
ROWS = tiny.FLAGS["max_position_embeddings"]
WIDTH = tiny.FLAGS["hidden_size"]
HEADS = tiny.FLAGS["num_attention_heads"]
LAYERS = tiny.FLAGS["num_hidden_layers"]
TEXTS = [
    "The state of the union is strong.",
    "Congress",
    "",
    "We the people of the United States and of the world want peace.",
]

# Four rows for `fit`, their classes, and words with a tag each.
FOUR_TEXTS = ["the state of the union", "we", "", "the people want peace"]
LABELS = ("no", "yes", "maybe")
NUMBERS = [0, 2, 1, 2]
NAMES = [LABELS[n] for n in NUMBERS]
# "\u200b" is a word of which nothing is left; the last sentence is too long.
WORDS = [["The", "people's", "\u200b", "state"], ["we"], [], ["peace"] * 13]
TAGS = [["no", "yes", "no", "maybe"], ["yes"], [], ["maybe"] * 13]


def write_pretrained(folder: str) -> str:
    """A folder of weights with larger kernels than a fresh start has.

    At 0.02 all outputs would be nearly the same.
    """
    names = (
        "embedding_size hidden_size num_hidden_layers num_attention_heads "
        "intermediate_size generator_hidden_size max_position_embeddings "
        "max_seq_length seed"
    ).split()
    values = {name: tiny.FLAGS[name] for name in names}
    values |= {"vocab_size": len(tiny.vocab()), "initializer_range": 0.2}
    config = make_config(values)
    tokenizer = Tokenizer(tiny.vocab())
    pretrainer = build_pretrainer(config, tokenizer)
    rng = np.random.default_rng(3)
    weights = {}
    for variable in pretrainer.trainable_variables:
        noise = 0.1 * rng.normal(size=variable.shape)
        weights[variable.path] = (variable.numpy() + noise).astype(np.float32)
    save_weights(OpenedWeights(config, tokenizer, weights), folder)
    return folder


def compiled_models(folder: str) -> dict:
    """Class -> a model with `LABELS`, compiled, whose rate is 0."""
    import keras

    from electra_tf.finetune.models.classifiers import Classifier, Regressor
    from electra_tf.finetune.models.span_qa import SpanQA
    from electra_tf.finetune.models.tagger import Tagger

    write_pretrained(folder)
    labelled = (Classifier, Tagger)
    found = {}
    for cls in (*labelled, Regressor, SpanQA):
        model = cls.from_pretrained(
            folder,
            max_seq_length=LENGTH,
            dropout=0.0,
            **({"labels": LABELS} if cls in labelled else {}),
        )
        # Nothing here is worth tracing.
        model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
        found[cls] = model
    return found


def id_batch(rows: int = 4, seed: int = 5) -> dict[str, np.ndarray]:
    """Pairs of ids: [CLS] 4 tokens [SEP] tokens [SEP], of several lengths."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(5, len(tiny.vocab()), (rows, LENGTH))
    lengths = LENGTH - np.arange(rows) % 4
    mask = (np.arange(LENGTH) < lengths[:, None]).astype(np.int32)
    segments = (np.arange(LENGTH) > 5).astype(np.int32) * mask
    return {
        "input_ids": (ids * mask).astype(np.int32),
        "input_mask": mask,
        "segment_ids": segments,
    }


def numpy_states(model, ids: dict[str, np.ndarray]) -> np.ndarray:
    """The encoder's last layer in float64 NumPy: [B, L, H]."""
    return reference.encoder(
        ids["input_ids"],
        ids["input_mask"],
        ids["segment_ids"],
        HEADS,
        LAYERS,
        reference.weights_of(model),
        scope="electra",
        tables="electra/embeddings",
    )


def log_softmax(x: np.ndarray) -> np.ndarray:
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))
