"""Does a model suspect the word that was swapped? 190 sentences, judged a word.

    python benchmarks/swapped_words.py tiny runs/small

tests/data/swapped_words.tsv has sentences of three addresses that records of
the embedded corpus hold out, each with one word of four letters or more put in
place of such a word, drawn from all of these sentences: as a run's own
demonstration swaps them, but once for all. A word is as suspect as the most
suspect of its pieces. Printed is how often the swapped word is the most
suspect of its sentence, and among the three most suspect, in per cent.
"""

import csv
import pathlib
import sys
from collections.abc import Sequence

import electra_tf

FILE = pathlib.Path(__file__).parents[1] / "tests/data/swapped_words.tsv"


def read_sentences() -> tuple[list[str], list[int]]:
    """The sentences, and the place of each one's swapped word."""
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(
            csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        )
    return [r["sentence"] for r in rows], [int(r["place"]) for r in rows]


def suspicions(sentence: str, tokens: Sequence) -> list[float]:
    """P(replaced) of each word, the highest of its pieces'."""
    found, begin = [], 0
    for word in sentence.split(" "):
        end = begin + len(word.encode("utf-8"))
        pieces = [t.probability for t in tokens if begin <= t.start < end]
        found.append(max(pieces, default=0.0))
        begin = end + 1
    return found


def rank(found: Sequence[float], place: int) -> int:
    """How many words are more suspect than the swapped one, or as suspect."""
    others = [p for i, p in enumerate(found) if i != place]
    return sum(p >= found[place] for p in others)


def judge(name: str) -> tuple[float, float, float]:
    """Most suspect and among three, in per cent; and what a guess would be."""
    model = electra_tf.from_pretrained(name)
    sentences, places = read_sentences()
    first = three = chance = 0.0
    judged = zip(sentences, places, model.detect(sentences), strict=True)
    for sentence, place, tokens in judged:
        found = suspicions(sentence, tokens)
        behind = rank(found, place)
        first += behind == 0
        three += behind < 3
        chance += 1 / len(found)
    count = len(sentences) / 100
    return first / count, three / count, chance / count


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("usage: swapped_words.py MODEL...")
    for name in sys.argv[1:]:
        first, three, chance = judge(name)
        print(
            f"{name}: most suspect in {first:.1f} %, among three in "
            f"{three:.1f} % (a guess: {chance:.1f} %)"
        )


if __name__ == "__main__":
    main()
