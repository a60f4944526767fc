"""Whether windows keep answers where they belong, from the texts alone."""

import collections
import unicodedata

from electra_tf.finetune.tasks.windows import WindowSettings, cut_windows

MAX_ANSWER_LENGTH = 30


def check(tokenizer, questions, max_seq_length, doc_stride) -> dict[str, int]:
    """Counts over the questions that have an answer.

    `misaligned`: tokens whose characters do not spell them, or whose fewest
    that cover the answer do not contain it, or cover more than they must.
    `unreachable`: fits into a window and the answer length, yet no window in
    which it counts holds it. `exact`: cut out, it is the answer to the letter.
    """
    windows, arrays, _ = cut_windows(
        tokenizer, questions, max_seq_length, WindowSettings(doc_stride)
    )
    of_question = collections.defaultdict(list)
    for row, window in enumerate(windows):
        of_question[window.question].append((row, window))
    counts = collections.Counter(questions=len(questions), windows=len(windows))
    for index, question in enumerate(questions):
        rows = of_question[index]
        passage = rows[0][1].passage
        first, last = passage.tokens_of(*question.span)
        counts["misaligned"] += not is_aligned(question, passage, first, last)
        counts["exact"] += (
            question.context[passage.starts[first] : passage.ends[last]]
            == question.context[slice(*question.span)]
        )
        room = max_seq_length - rows[0][1].offset - 1
        fits = last - first < min(room, MAX_ANSWER_LENGTH)
        counts["too long"] += not fits
        reached = 0
        for row, window in rows:
            start, end = window.place_of((first, last))
            if start == 0:
                continue
            ids = arrays["input_ids"][row, start : end + 1]
            pieces = [tokenizer.vocab[i] for i in ids]
            text = question.context[passage.starts[first] : passage.ends[last]]
            counts["misaligned"] += not spells(pieces, text, tokenizer)
            allowed = arrays["answer_mask"][row, [start, end]].all()
            reached += allowed and window.owned[start - window.offset]
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
