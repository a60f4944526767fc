"""docs/extending.md: one of each from outside, through the commands."""

import importlib
import pathlib
import re
import sys

import pytest
import tiny

from electra_tf import weights
from electra_tf.config.objectives import OBJECTIVES
from electra_tf.data.tokenizers import KINDS
from electra_tf.finetune.tasks import TASKS
from electra_tf.pretrained import from_pretrained
from electra_tf.pretraining import objectives
from electra_tf.weights.record import FORMATS

DOCS = pathlib.Path(__file__).parents[1] / "docs" / "extending.md"
WORDS = "we the people of our union state is strong and good to be here".split()
SENTENCES = ["the state of our union is strong", "we the people", "to be here"]


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """The documented modules on the path; what they register goes again."""
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S)
    names = [re.match(r'"""(\w+)\.py:', block)[1] for block in blocks]
    assert names == ["doubled", "words", "folder_of_arrays", "moods"]
    for name, block in zip(names, blocks, strict=True):
        (tmp_path / f"{name}.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    registries = (OBJECTIVES, objectives._classes, KINDS, FORMATS, TASKS)
    before = [dict(registry) for registry in registries]
    yield [f"--plugin={name}" for name in names]
    for registry, kept in zip(registries, before, strict=True):
        registry.clear()
        registry.update(kept)
    for name in names:
        sys.modules.pop(name, None)


def run(name, *arguments):
    finished = tiny.command(name, *arguments)
    assert finished.code == 0, finished.err
    return finished


def test_what_stands_in_the_docs_works(plugins, tmp_path):
    (tmp_path / "text.txt").write_text("\n\n".join(SENTENCES * 12))
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (tmp_path / "words.txt").write_text("\n".join([*specials, *WORDS]))
    run(
        "build_pretraining_data",
        *plugins,
        f"--input={tmp_path}/text.txt",
        f"--vocab_file={tmp_path}/words.txt",
        f"--output_dir={tmp_path}/records",
        "--max_seq_length=16",
        "--num_shards=1",
    )
    finished = tiny.pretrain(
        *plugins,
        model_dir=f"{tmp_path}/run",
        data_dir=f"{tmp_path}/records",
        objective="doubled",
        num_train_steps=2,
        save_checkpoints_steps=2,
        log_every_steps=2,
    )
    assert finished.code == 0, finished.err
    assert "plugin: words" in finished.err
    source = str(tmp_path / "run")
    run(
        "convert_weights",
        *plugins,
        f"--input={source}",
        f"--output={tmp_path}/arrays_of_run",
        "--to=arrays",
    )
    opened = weights.open_weights(tmp_path / "arrays_of_run")
    assert opened.config.objective.objective == "doubled"
    assert opened.tokenizer.kind == "words"
    ours, theirs = (
        from_pretrained(path).detect(["the people, strong"])
        for path in (tmp_path / "arrays_of_run", source)
    )
    assert ours == theirs
    assert [token.token for token in ours[0]] == ["the", "[UNK]", "strong"]
    (tmp_path / "moods.tsv").write_text(
        "text\tmood\n" + "our union is strong\tgood\nto be\tbad\n" * 4
    )
    finished = run(
        "finetune",
        *plugins,
        "--task=moods",
        f"--data_dir={tmp_path}",
        f"--init_checkpoint={tmp_path}/arrays_of_run",
        f"--output_dir={tmp_path}/finetuned",
        "--num_train_epochs=1",
        "--nosave_model",
    )
    assert "| moods | mcc |" in finished.out
