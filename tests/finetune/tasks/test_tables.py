"""Tables: formats, marks, quotes, line ends; and what is wrong where."""

import csv
import gzip

import pytest

from electra_tf.errors import InputError
from electra_tf.finetune.tasks.lines import read_lines
from electra_tf.finetune.tasks.tables import read_table

# One bit turned: a kind of block that there is not.
DAMAGED = bytearray(gzip.compress(b"text\nab\n"))
DAMAGED[10] |= 0b110


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def values(table):
    return [tuple(row.values.values()) for row in table.rows]


def test_tabs_have_no_quoting_and_a_mark_is_no_text(tmp_path):
    path = write(
        tmp_path, "a.tsv", '\ufeffid\ttext\n1\t"half quoted\n2\ta "b" c'
    )
    table = read_table(path)
    assert table.columns == ("id", "text")
    assert values(table) == [("1", '"half quoted'), ("2", 'a "b" c')]
    assert table.rows[1].where == f"{path}, line 3"


def test_only_line_feeds_end_a_line(tmp_path):
    text = "a\u2028b\x0bc\x85d"
    path = write(tmp_path, "a.tsv", f"text\tx\r\n{text}\t1\r\n")
    assert values(read_table(path)) == [(text, "1")]


def test_files_without_a_header(tmp_path):
    path = write(tmp_path, "a.tsv", "x\t1\ny\t2")
    table = read_table(path, columns=("text", "label"))
    assert values(table) == [("x", "1"), ("y", "2")]
    assert table.rows[0].where.endswith("line 1")


def test_csv_is_quoted(tmp_path):
    path = write(
        tmp_path, "a.csv", 'text,label\n"two\nlines, ""q""",x\nplain,y\n'
    )
    table = read_table(path)
    assert values(table) == [('two\nlines, "q"', "x"), ("plain", "y")]
    assert table.rows[1].where.endswith("line 4")


def test_json_lines(tmp_path):
    path = write(
        tmp_path,
        "a.jsonl",
        '{"text": "é", "label": 1}\n\n{"text": "b", "label": true}',
    )
    assert values(read_table(path)) == [("é", "1"), ("b", "true")]


def test_what_no_column_needs_may_be_anything_and_surrogates_are_replaced(
    tmp_path,
):
    row = r'{"text": "a\ud83d\ud83d\ude00 \ud83d", "x": null, "y": [1, NaN]}'
    (found,) = read_table(write(tmp_path, "a.jsonl", row)).rows
    assert found.text("text") == "a\ufffd\U0001f600 \ufffd"
    for column in "xy":
        with pytest.raises(InputError, match=f"line 1: the {column} must be"):
            found.text(column)


def test_csv_fields_of_any_length(tmp_path):
    text = "long " * 40_000
    path = write(tmp_path, "a.csv", f'text,label\n"{text}",x\n')
    assert values(read_table(path)) == [(text, "x")]
    assert csv.field_size_limit() == 131_072  # as it was


def test_packed_files(tmp_path):
    path = write(tmp_path, "a.tsv.gz", gzip.compress(b"text\nab\n"))
    assert values(read_table(path)) == [("ab",)]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.tsv", "a\tb\n1\t2\n3\n", "line 3: must have 2 columns; received 1"),
        ("a.tsv", "a\tb\n1\t2\t3\n", "line 2: must have 2 columns; received 3"),
        ("a.csv", 'a,b\n1,"x\ny"\n3\n', "line 4: must have 2 columns"),
        ("a.csv", 'a,b\n1,"x"y\n', "line 2"),
        ("a.tsv", "", "must hold rows; received []"),
        ("a.csv", "\n\n", "must hold rows; received []"),
        ("a.tsv", "a\tb\n", "must hold rows; received []"),
        ("a.jsonl", "\n", "must hold rows; received []"),
        ("a.jsonl", '{"a": 1}\n[2]\n', "line 2 must be an object"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', "line 2: must be JSON"),
        ("a.jsonl", '{"a": 1, "a": 2}\n', "line 1: must be JSON; received the"),
        ("a.jsonl", "[" * 100_000, "line 1: must be JSON"),
        ("a.jsonl", '{"a": 1}\n{"b": 1}\n', "line 2: must have the keys a"),
        ("a.xlsx", "x", "must end in .tsv"),
        ("a.tsv.gz", "no gzip", "must be a whole gzip file"),
        ("a.tsv.gz", DAMAGED, "must be a whole gzip file"),
        ("a.tsv", b"a\nb\xff\n", "line 2: text must be UTF-8"),
        ("a.tsv", "a\nb".encode("utf-16"), "UTF-16"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, name, content, told):
    path = write(tmp_path, name, content)
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert told in str(caught.value)
    assert path in str(caught.value)


def test_broken_rows_may_be_left_out_and_are_counted(tmp_path):
    path = write(tmp_path, "a.tsv", "a\tb\n1\t2\n3\n4\t5\n")
    table = read_table(path, skip_malformed=True)
    assert values(table) == [("1", "2"), ("4", "5")]
    assert table.num_skipped == 1


def test_missing_files_and_columns(tmp_path):
    with pytest.raises(InputError, match="a file must exist; received"):
        read_lines(str(tmp_path / "none.tsv"))
    with pytest.raises(InputError, match="a file must exist; received"):
        read_lines(str(tmp_path))
    table = read_table(write(tmp_path, "a.tsv", "a\tb\tb\n1\t2\t3\n"))
    table.require(["a"])
    for name in "bc":  # twice, and not at all
        with pytest.raises(InputError, match=rf"one column '{name}'.*'a', 'b'"):
            table.require(["a", name])
