"""Small run folders, and the page of a report read as a browser reads it."""

import json
from html.parser import HTMLParser

from electra_tf.report.page import write_report

PNG = b"\x89PNG\r\n\x1a\n"
DISC_CHARTS = {"disc_loss", "disc_auc", "disc_accuracy"} | {
    "disc_precision",
    "disc_recall",
}
OTHER_CHARTS = {"loss", "mlm_loss", "mlm_loss_masked", "learning_rate"} | {
    "sequences_per_second"
}
DISC_VALUES = {
    "disc_loss": 0.2211,
    "disc_accuracy": 0.94861,
    "disc_auc": 0.898912345,
    "disc_precision": 0.77,
    "disc_recall": 0.3717,
    "disc_base_rate": 0.9242,
    "sampled_accuracy": 0.27,
}


class Page(HTMLParser):
    """Tags, attributes and texts as a browser's parser sees them."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.rows: list[list[str]] = []
        self.values: list[list[str]] = []
        self.text = ""
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
            self.values.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self._in_cell = True
        elif tag == "data":
            self.values[-1].append(dict(attrs)["value"])

    def handle_data(self, data):
        self.text += data
        if self._in_cell:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._in_cell = False

    def row(self, label: str) -> tuple[list[str], list[float]]:
        """(texts of the cells, exact values) of the row with that label."""
        for cells, values in zip(self.rows, self.values, strict=True):
            if cells and cells[0] == label:
                return cells[1:], [float(value) for value in values]
        raise AssertionError(f"no row {label!r} in {self.rows}")

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def train_line(step: int, objective: str = "electra") -> dict:
    line = {"step": step, "loss": 45.0 - step / 10, "mlm_loss": 9 - step / 100}
    line |= {"mlm_accuracy": 0.37, "learning_rate": 5e-4, "epoch": 0.5}
    line["tokens_seen"] = step * 1000
    return line | (DISC_VALUES if objective == "electra" else {})


def eval_line(step: int, objective: str = "electra") -> dict:
    values = train_line(step, objective)
    line = {
        f"eval_{key}": value + 0.001
        for key, value in values.items()
        if key not in ("step", "learning_rate", "epoch", "tokens_seen")
    }
    line["eval_mlm_loss_masked"] = 8.5 - step / 100
    return {"step": step, **line, "eval_unigram_loss": 7.0625}


def lines(objective: str = "electra") -> list[dict]:
    train = [train_line(step, objective) for step in (10, 20, 30, 40)]
    return [*train, *(eval_line(step, objective) for step in (20, 40))]


def write_run(
    folder,
    metrics=None,
    examples=None,
    config=None,
    tail: str = "",
    objective: str = "electra",
) -> str:
    folder.mkdir(parents=True)
    metrics = lines(objective) if metrics is None else metrics
    text = "".join(json.dumps(line) + "\n" for line in metrics) + tail
    (folder / "metrics.jsonl").write_text(text)
    timing = [
        {"step": s, "time": 1e9 + 60 * s, "sequences_per_second": 200.0 + s}
        for s in (10, 20, 30, 40)
    ]
    (folder / "timing.jsonl").write_text("\n".join(map(json.dumps, timing)))
    config = config or {
        "model": {"hidden_size": 256, "vocab_size": 30522},
        "objective": {"objective": objective, "disc_weight": 50.0},
        "optimizer": {"num_warmup_steps": 10_000},
    }
    (folder / "config.json").write_text(json.dumps(config))
    if examples is not None:
        content = {"step": 40, "examples": examples}
        (folder / "examples.json").write_text(json.dumps(content))
    return str(folder)


def example(tokens, original, probabilities) -> dict:
    return {
        "tokens": tokens,
        "original": original,
        "probabilities": probabilities,
        "is_replaced": [
            int(a != b) for a, b in zip(tokens, original, strict=True)
        ],
    }


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def report(tmp_path, *folders) -> Page:
    return Page(read(write_report(folders, str(tmp_path / "out"))))
