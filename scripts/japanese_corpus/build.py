"""Makes electra_tf/assets/ja/ja.txt: simple Japanese of our own.

  python scripts/japanese_corpus/build.py

Frames and words below, joined by a fixed seed: who does what where with what,
what animals, tools, places and seasons are like. What goes with what is fixed
(birds fly, a cook works in a kitchen, snow falls in winter), so there is
something to learn beyond which words are frequent. A sentence a line, a blank
line between documents; half of the documents are plain, half polite.
"""

import random
from pathlib import Path

from words import (
    ANIMALS,
    DAYS,
    FEELINGS,
    FOODS,
    GODAN,
    ICHIDAN,
    PAST,
    PEOPLE,
    PLACES,
    RIDES,
    SEASONS,
    TIMES,
    WORKERS,
)

from electra_tf.data.text import embedded_corpus_path

SEED, DOCUMENTS, KEPT = 0, 1500, 0.7


class Speaker:
    """Says verbs and adjectives in the style of a document."""

    def __init__(self, polite: bool):
        self.polite = polite
        self.copula = "です" if polite else "だ"
        self.was = "でした" if polite else "だった"

    def does(self, phrase: str) -> str:
        """The present: 走る or 走ります."""
        return _stem(phrase) + "ます" if self.polite else phrase

    def did(self, phrase: str) -> str:
        """The past: 走った or 走りました."""
        return _stem(phrase) + "ました" if self.polite else _past(phrase)

    def going(self, phrase: str) -> str:
        """The progressive: 走っている or 走っています."""
        end = "います" if self.polite else "いる"
        return te(phrase) + end

    def wants(self, phrase: str) -> str:
        return _stem(phrase) + ("たいです" if self.polite else "たい")

    def describes(self, adjective: str) -> str:
        """What a word like 赤い, 静かな or 緑の says of something."""
        if adjective.endswith("い"):
            return adjective + ("です" if self.polite else "")
        if adjective.endswith("た"):
            return adjective + ("のです" if self.polite else "")
        return adjective[:-1] + self.copula


def _is_ichidan(phrase: str) -> bool:
    return any(phrase.endswith(verb) for verb in ICHIDAN)


def _stem(phrase: str) -> str:
    if phrase.endswith("来る"):
        return phrase[:-1]
    if phrase.endswith("する"):
        return phrase[:-2] + "し"
    if _is_ichidan(phrase):
        return phrase[:-1]
    return phrase[:-1] + GODAN[phrase[-1]]


def _past(phrase: str) -> str:
    if phrase.endswith(("来る", "する")) or _is_ichidan(phrase):
        return _stem(phrase) + "た"
    if phrase.endswith("行く"):
        return phrase[:-1] + "った"
    return phrase[:-1] + PAST[phrase[-1]]


def te(phrase: str) -> str:
    """The form that joins: 走って, 読んで."""
    past = _past(phrase)
    return past[:-1] + {"た": "て", "だ": "で"}[past[-1]]


def animal(say: Speaker, rng: random.Random) -> list[str]:
    name, home, food, motion, voice, kind = rng.choice(ANIMALS)
    other = rng.choice([r for r in ANIMALS if r[0] != name])
    who = rng.choice(PEOPLE)
    lines = [
        f"{name}は{home}に住む{kind}{say.copula}。",
        f"{name}は{food}を{say.does('食べる')}。",
        f"{name}は{say.does(motion)}。",
        f"{rng.choice(DAYS)}、{who}は{home}で{name}を{say.did('見る')}。",
        f"その{name}は{say.going(motion)}。",
        f"{who}は{name}に{food}を{say.did('やる')}。",
        f"{name}は{food}を食べて、また{say.did(motion)}。",
        f"{other[0]}は{other[1]}に住み、{name}は{home}に{say.does('住む')}。",
        f"{other[0]}は{other[2]}を食べる{other[5]}{say.copula}。",
        f"{home}には{rng.choice(('大きな', '小さな', '若い', '年を取った'))}"
        f"{name}が{say.does('いる')}。",
    ]
    if voice:
        lines += [
            f"{name}は{voice}と{say.does('鳴く')}。",
            f"{rng.choice(TIMES)}、{home}から{voice}という{name}の声が"
            f"{say.did('聞こえる')}。",
        ]
    return lines


def worker(say: Speaker, rng: random.Random) -> list[str]:
    name, place, work, tool, joy = rng.choice(WORKERS)
    other = rng.choice([r for r in WORKERS if r[0] != name])
    who, time = rng.choice(PEOPLE), rng.choice(TIMES)
    return [
        f"{who}は{name}{say.copula}。",
        f"{name}の仕事は{work}こと{say.copula}。",
        f"{name}は{place}で{say.does(work)}。",
        f"{name}は{tool}を使って{say.does(work)}。",
        f"{rng.choice(DAYS)}も{who}は{time}から{place}で{say.did(work)}。",
        f"{who}の{tool}は古いけれど、よく手入れを{say.going('する')}。",
        f"{joy}と、{who}は{say.describes(rng.choice(FEELINGS[:2]))}。",
        f"{other[0]}は{other[1]}で{other[2]}人{say.copula}。",
        f"{name}には{tool}が、{other[0]}には{other[3]}が{say.does('要る')}。",
        f"子どものころ、{who}は{other[0]}ではなく、{name}になりたいと"
        f"{say.did('思う')}。",
        f"私も大人になったら、{name}になって{say.wants(work)}。",
    ]


def food(say: Speaker, rng: random.Random) -> list[str]:
    name, kind, taste, colour, made, town = rng.choice(FOODS)
    same = [r for r in FOODS if r[1] == kind and r[0] != name]
    who = rng.choice(PEOPLE)
    lines = [
        f"{name}は{taste}{kind}{say.copula}。",
        f"{town}は{name}で有名{say.copula}。",
        f"{name}の色は{say.describes(colour)}。",
        f"{name}は、{made}と、すぐに食べることが{say.does('できる')}。",
        f"{who}は{name}を用意して、よく{say.did(made)}。",
        f"{name}を食べると、口の中が{say.did(taste[:-1] + 'くなる')}。",
        f"{who}は{rng.choice(TIMES)}に{name}を{say.did('食べる')}。",
        f"市場には{town}から来た{name}が{say.going('並ぶ')}。",
        f"{name}が一番{taste[:-1]}くなる季節を、{who}は楽しみに"
        f"{say.going('待つ')}。",
    ]
    if same:
        like = rng.choice(same)
        lines.append(f"{name}も{like[0]}も{kind}{say.copula}。")
        lines.append(
            f"{who}は市場で{colour}{name}と{like[3]}{like[0]}を"
            f"{say.did('買う')}。"
        )
        lines.append(
            f"{name}は{town}から、{like[0]}は{like[5]}から{say.did('来る')}。"
        )
    return lines


def season(say: Speaker, rng: random.Random) -> list[str]:
    name, weather, sight, leisure, clothes, dish = rng.choice(SEASONS)
    other = rng.choice([r for r in SEASONS if r[0] != name])
    who = rng.choice(PEOPLE)
    return [
        f"{name}は{weather}季節{say.copula}。",
        f"{name}になると、{say.does(sight)}。",
        f"{name}には、みんなが{say.does(leisure)}。",
        f"{name}には{clothes}が{say.does('要る')}。",
        f"{name}の食べ物では、{dish}が一番おいしい"
        + (say.copula if say.polite else "")
        + "。",
        f"{who}は{clothes}を出して、{name}の支度を{say.did('する')}。",
        f"{rng.choice(DAYS)}は{weather}一日{say.was}。",
        f"{who}は友だちと{say.did(leisure)}。",
        f"帰り道で、{who}は{dish}を{say.did('食べる')}。",
        f"{other[1]}{other[0]}とは違い、{name}は{say.describes(weather)}。",
        f"{other[0]}には{other[2]}が、{name}には{say.does(sight)}。",
        f"{name}が終わると、町の色が{say.does('変わる')}。",
    ]


def journey(say: Speaker, rng: random.Random) -> list[str]:
    ride, stop, motion, driver = rng.choice(RIDES)
    place, things, use = rng.choice(PLACES[4:])  # out of the house
    town, who = rng.choice(FOODS)[5], rng.choice(PEOPLE)
    friend = rng.choice([p for p in PEOPLE if p != who])
    return [
        f"{rng.choice(TIMES)}、{who}は{stop}へ{say.did('行く')}。",
        f"{stop}で{ride}に{say.did('乗る')}。",
        f"{ride}は{say.does(motion)}。",
        f"{ride}を動かすのは{driver}{say.copula}。",
        f"窓から{town}の町が{say.did('見える')}。"
        if ride not in ("自転車", "馬車")
        else f"道の先に{town}の町が{say.did('見える')}。",
        f"{who}は{ride}を降りて、{place}へ{say.did('行く')}。",
        f"{place}には{things}が{say.did('ある')}。",
        f"{place}は{use}所{say.copula}。",
        f"{place}では{friend}が{say.going('待つ')}。",
        f"{who}は{friend}に{town}の話を{say.did('する')}。",
        f"二人は{place}で{rng.choice(TIMES)}まで{say.did('話す')}。",
    ]


def a_day(say: Speaker, rng: random.Random) -> list[str]:
    who = rng.choice(PEOPLE)
    place, things, _ = rng.choice(PLACES)
    meal = rng.choice([r for r in FOODS if r[1] != "飲み物"])
    work = rng.choice(WORKERS)
    return [
        f"{rng.choice(DAYS)}、{who}は朝早く{say.did('起きる')}。",
        f"顔を洗って、服を{say.did('着る')}。",
        f"朝ご飯には{meal[0]}を{say.did('食べる')}。",
        f"それから{place}へ{say.did('行く')}。",
        f"{place}には{things}が{say.does('ある')}。",
        f"{place}で{work[0]}に{say.did('会う')}。",
        f"{work[0]}は{work[1]}で{work[2]}人{say.copula}。",
        f"昼には雨が降って、{who}は傘を{say.did('借りる')}。",
        f"夕方には空が晴れて、{rng.choice(('月', '星', '虹'))}が"
        f"{say.did('見える')}。",
        f"夜、{who}は本を読んで、布団の中で{say.did('寝る')}。",
        f"{rng.choice(FEELINGS)}一日{say.was}。",
    ]


SCENES = (animal, worker, food, season, journey, a_day)


def document(number: int) -> str:
    """Two or three scenes, of each most lines, in one style."""
    rng = random.Random(f"{SEED} {number}")
    say = Speaker(polite=number % 2 == 1)
    scenes = rng.sample(SCENES, rng.choice((2, 3)))
    lines = (line for scene in scenes for line in scene(say, rng))
    return "".join(line + "\n" for line in lines if rng.random() < KEPT)


def main() -> None:
    output = Path(embedded_corpus_path("ja"))
    text = "\n".join(map(document, range(DOCUMENTS)))
    output.write_text(text, encoding="utf-8", newline="\n")
    print(f"{output}: {DOCUMENTS} documents, {len(text):,} characters")


if __name__ == "__main__":
    main()
