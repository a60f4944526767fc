"""KerasHub's habits: presets, names, summaries."""

import json
import re

import numpy as np
import pytest
import tiny_finetune
from tiny_finetune import LABELS, LENGTH, id_batch

from electra_tf import from_pretrained
from electra_tf.errors import InputError
from electra_tf.finetune.models.classifiers import Classifier, Regressor
from electra_tf.finetune.models.ranker import Ranker
from electra_tf.finetune.models.sentence_encoder import SentenceEncoder
from electra_tf.finetune.models.span_qa import SpanQA
from electra_tf.finetune.models.tagger import Tagger

TOLD = {
    Classifier: {
        "labels": LABELS,
        "multi_label": True,
        "thresholds": {"yes": 0.25},
        "head": "huggingface",
    },
    Regressor: {},
    Ranker: {},
    SentenceEncoder: {"pooling": "cls", "temperature": 0.1},
    Tagger: {"labels": LABELS},
    SpanQA: {"head": "plain", "doc_stride": 5, "max_query_length": 4},
}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("pretrained") / "model")
    return tiny_finetune.write_pretrained(folder)


def make(cls, pretrained):
    given = {"max_seq_length": LENGTH, "dropout": 0.2, **TOLD[cls]}
    return cls.from_pretrained(pretrained, **given)


def config_of(model):
    """Without names that count objects up."""
    text = json.dumps({**model.get_config(), "name": ""}, sort_keys=True)
    return re.sub(r"(text_preprocessor)_\d+", r"\1", text)


@pytest.mark.parametrize("cls", TOLD)
def test_a_preset_gives_the_whole_model_back(cls, pretrained, tmp_path):
    model, ids = make(cls, pretrained), id_batch()
    expected = model(ids)
    assert model.backbone is model.encoder
    if cls is not SentenceEncoder:
        model.enable_lora(2)
    model.save_to_preset(tmp_path / "preset")
    copy = cls.from_preset(tmp_path / "preset")
    plain = model.merged()
    assert config_of(copy) == config_of(plain)
    for found, right in zip(
        *(map(np.asarray, as_list(x)) for x in (copy(ids), expected)),
        strict=True,
    ):
        np.testing.assert_allclose(found, right, atol=1e-5)


def as_list(outputs):
    return list(outputs.values()) if isinstance(outputs, dict) else [outputs]


def test_what_opens_presets_and_what_they_open(pretrained, tmp_path):
    """Each of the two doors takes the other's folders."""
    model, ids = make(Classifier, pretrained), id_batch()
    folder = tmp_path / "preset"
    model.save_to_preset(folder)
    states = from_pretrained(folder).encoder(*ids.values())
    np.testing.assert_allclose(states, model.encoder(*ids.values()), atol=1e-5)
    opened = Classifier.from_pretrained(folder, max_seq_length=LENGTH)
    assert opened.labels == LABELS
    assert Regressor.from_preset(folder).preprocessor.max_seq_length == LENGTH
    other = Classifier.from_preset(folder, labels=("a", "b"))
    assert other.labels == ("a", "b")
    again = Classifier.from_preset(folder, max_seq_length=7, dropout=0.0)
    assert again.preprocessor.max_seq_length == 7
    assert again.thresholds == (0.5, 0.25, 0.5)
    assert again.dropout.rate == 0.0
    fresh = Classifier.from_preset(folder, load_weights=False)
    assert fresh.labels == LABELS
    assert np.abs(fresh(ids) - model(ids)).max() > 0.1
    Regressor.from_preset(pretrained, max_seq_length=LENGTH)


def test_presets_that_cannot_be_are_one_line(pretrained, tmp_path):
    model = make(Regressor, pretrained)
    (tmp_path / "task.json").write_text('{"config": 7}')
    with pytest.raises(InputError, match="must have a class_name and a config"):
        Regressor.from_preset(tmp_path)
    with pytest.raises(InputError, match="weights must be one of"):
        Regressor.from_preset(tmp_path / "nothing")
    model.remove_preprocessor()
    with pytest.raises(InputError, match="needs a model with its preproc"):
        model.save_to_preset(tmp_path / "preset")
    assert not (tmp_path / "preset").exists()


def test_a_summary_counts_what_learns(pretrained):
    model = make(Regressor, pretrained)
    model.enable_lora(2)
    lines = []
    model.summary(print_fn=lines.append)
    said = "\n".join(lines)
    learns = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert f"Trainable params: {learns:,}" in said
    assert f"Total params: {model.count_params():,}" in said
