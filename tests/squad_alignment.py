"""Whether windows keep answers where they belong, from the texts alone."""

import collections
import unicodedata

import numpy as np

from electra_tf.finetune.models.windows import WindowSettings, most_context
from electra_tf.finetune.tasks.answers import cut_questions, window_targets

MAX_ANSWER_LENGTH = 30


def check(tokenizer, questions, max_seq_length, doc_stride) -> dict[str, int]:
    """Counts over the questions that have an answer.

    `misaligned`: tokens whose characters do not spell them, or whose fewest
    that cover the answer do not contain it, or cover more than they must.
    `unreachable`: fits into a window and the answer length, yet no window in
    which it counts holds it. `exact`: cut out, it is the answer to the letter.
    """
    cut, arrays = cut_questions(
        tokenizer, questions, max_seq_length, WindowSettings(doc_stride)
    )
    owned = most_context(cut.windows)
    owned = np.split(owned.values.numpy(), owned.row_splits.numpy()[1:-1])
    places = window_targets(cut, questions)
    offsets = cut.windows.begin.numpy()
    of_question = collections.defaultdict(list)
    for row, index in enumerate(cut.windows.row.numpy()):
        of_question[index].append(row)
    counts = collections.Counter(questions=len(questions), windows=len(owned))
    for index, question in enumerate(questions):
        rows = of_question[index]
        passage = cut.passages[index]
        first, last = passage.tokens_of(*question.span)
        counts["misaligned"] += not is_aligned(question, passage, first, last)
        counts["exact"] += (
            question.context[passage.starts[first] : passage.ends[last]]
            == question.context[slice(*question.span)]
        )
        room = max_seq_length - offsets[rows[0]] - 1
        fits = last - first < min(room, MAX_ANSWER_LENGTH)
        counts["too long"] += not fits
        reached = 0
        for row in rows:
            start, end = places["start"][row], places["end"][row]
            if start == 0:
                continue
            ids = arrays["input_ids"][row, start : end + 1]
            pieces = [tokenizer.vocab[i] for i in ids]
            text = question.context[passage.starts[first] : passage.ends[last]]
            counts["misaligned"] += not spells(pieces, text, tokenizer)
            allowed = arrays["answer_mask"][row, [start, end]].all()
            reached += allowed and owned[row][start - offsets[row]]
        counts["unreachable"] += fits and reached != 1
    return dict(counts)


def is_aligned(question, passage, first, last) -> bool:
    start, end = question.span
    text = question.context[start:end]
    start += len(text) - len(text.lstrip())
    end -= len(text) - len(text.rstrip())
    covers = passage.starts[first] <= start and end <= passage.ends[last]
    # One token less, on either side, would lose a part of the answer.
    fewest = passage.ends[first] > start and passage.starts[last] < end
    return bool(covers and fewest)


def spells(pieces, text, tokenizer) -> bool:
    """Whether pieces without their marks are the text without its spaces."""
    if "[UNK]" in pieces:
        return True
    joined = "".join(piece.removeprefix("##") for piece in pieces)
    if tokenizer.do_lower_case:
        text = unicodedata.normalize("NFD", text.lower())
        text = "".join(c for c in text if unicodedata.category(c) != "Mn")
    plain = "".join(
        c for c in text if not c.isspace() and unicodedata.category(c) != "Cf"
    )
    return joined == plain
