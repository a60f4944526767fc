"""Each task learns fifty examples by heart, through the whole command."""

import json

import grammar
import pytest
import tiny

GLUE = "cola sst2 mrpc stsb qqp mnli qnli rte wnli ax".split()
OTHERS = "squad1 squad2 mrqa chunk conll2003 wnut17".split()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tasks", "epochs"), [(GLUE, 12), (OTHERS, 40)], ids=["glue", "others"]
)
def test_fifty_examples_are_learned(tasks, epochs, tmp_path):
    checkpoint = grammar.write_checkpoint(str(tmp_path / "checkpoint"))
    files = tmp_path / "files"
    grammar.write_glue(files)
    grammar.write_squad(files)
    grammar.write_tags(files)
    finished = tiny.command(
        "finetune",
        f"--task={','.join(tasks)}",
        f"--init_checkpoint={checkpoint}",
        f"--data_dir={files}",
        f"--output_dir={tmp_path / 'out'}",
        f"--num_train_epochs={epochs}",
        "--train_batch_size=10",
        "--learning_rate=2e-3",
        "--layerwise_lr_decay=1",
        "--hidden_dropout_prob=0",
        "--max_query_length=8",
        "--doc_stride=24",
        "--save_model=false",
    )
    assert finished.code == 0, finished.err
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    reached = {
        task: result["summary"][result["metric"]]["median"]
        for task, result in results.items()
    }
    print(reached)
    assert sorted(reached) == sorted(tasks)
    assert min(reached.values()) > 95, reached
