"""One text, whatever form it comes in: one fingerprint, from every form."""

import corpus_forms
import tiny
from tqdm import tqdm

from electra_tf.data.records import build
from electra_tf.data.text import embedded_vocab_path
from electra_tf.data.tokenizers import Tokenizer


def test_every_form_gives_one_fingerprint(tmp_path, monkeypatch):
    bars = []

    def spy(size, wanted):
        bars.append(tqdm(total=size, disable=False, mininterval=1e9))
        return bars[-1]

    monkeypatch.setattr(build, "_progress_bar", spy)
    tokenizer = Tokenizer.from_file(embedded_vocab_path())
    found = {}
    for ending, content in corpus_forms.all_forms(tiny.text()).items():
        path = tmp_path / f"corpus.{ending}"
        path.write_bytes(content)
        manifest = build.build_records(
            [str(path)],
            str(tmp_path / ending),
            tokenizer,
            128,
            num_processes=1,
            progress=False,
        )
        found[ending] = manifest["fingerprint"], manifest["stats"]
        assert bars[-1].n == bars[-1].total == len(content)
    assert len(found) == 9
    assert all(each == found["txt"] for each in found.values())


def test_the_command_takes_the_field(tmp_path, vocab_file):
    texts = tiny.text().split("\n\n")
    (tmp_path / "a").write_bytes(corpus_forms.json_lines(texts[:9], "body"))
    (tmp_path / "b").write_bytes(corpus_forms.parquet(texts[9:], "body"))
    arguments = f"--input={tmp_path}", f"--vocab_file={vocab_file}"
    output = f"--output_dir={tmp_path}/out"
    before = tiny.tree(tmp_path)
    for field, wrong in (("", ""), ("--text_field=n", " with 1 there")):
        finished = tiny.command(
            "build_pretraining_data", *arguments, output, *filter(None, [field])
        )
        assert wrong in finished.error()
        assert "received line 1 of" in finished.error()
        assert tiny.tree(tmp_path) == before
    finished = tiny.command(
        "build_pretraining_data", *arguments, output, "--text_field=body"
    )
    assert finished.code == 0, finished.err
    assert f"{len(texts)} documents" in finished.out
    learnt = tiny.command(
        "train_vocab",
        f"--input={tmp_path}/a,{tmp_path}/b",
        f"--output={tmp_path}/vocab.txt",
        "--text_field=body",
        "--vocab_size=200",
    )
    assert learnt.code == 0, learnt.err
