"""Pages of text in eight languages, written for these tests.

Each language has five sentences with two gaps, seven words for the one and
five for the other. A page has each sentence fourteen times; whichever lines
are taken, the odd ones or the even ones, every word is in them.
"""

import itertools
import random

_PLACES, _TIMES = 7, 5
_PATTERNS = {
    "ja": (
        "{time}、{place}まで電車で行きました。",
        "{place}の近くに喫茶店ができて、{time}は友達とｺｰﾋｰを飲みました。",
        "㈱ミドリ商会は{time}から{place}で本を売っています（１冊８００円）。",
        "がんばれば{time}には{place}へ着ける、と先生が言った。ﾊﾞｽもある。",
        "{place}では雨が降っていたが、{time}の空はとても青かった。",
    ),
    "ko": (
        "{time} 우리는 {place} 쪽으로 걸어서 갔습니다.",
        "{place} 근처에 찻집이 생겨서 {time} 친구와 커피를 마셨다.",
        "할머니는 {time} {place} 앞에서 사과를 파셨다 (１개 ５００원).",
        "비가 오면 {time} {place}까지 \u1112\u1161\u11ab 버스를 타자고 말했다.",
        "{place}의 하늘은 {time} 아주 맑고 파랬다.",
    ),
    "zh": (
        "{time}，我们坐火车去了{place}。",
        "{place}附近开了一家新的茶馆，{time}我和朋友在那里喝茶。",
        "奶奶从{time}开始在{place}卖苹果（每斤５元）。",
        "老师说，如果下雨，{time}也要坐车去{place}。",
        "{time}{place}的天空又高又蓝。",
    ),
    "ar": (
        "ذهبنا {time} إلى {place} بالقطار.",
        "فُتِحَ مقهى جديد قرب {place}، وشربنا فيه القهوة {time}.",
        "بدأت جدتي {time} تبيع التفاح في {place} (ثمن الكيلو ٥ جنيهات).",
        "قال المعلّم إننا سنركب الحافلة إلى {place} {time} إذا نزل المطر.",
        "كانت السماء فوق {place} صافية جدًّا {time}، ﻻ غيم فيها.",
    ),
    "hi": (
        "{time} हम रेलगाड़ी से {place} की ओर गए।",
        "{place} के पास चाय की दुकान खुली है, जहाँ {time} हमने चाय पी।",
        "दादी ने {time} {place} के सामने सेब बेचे (५ रुपये में एक)।",
        "अध्यापक ने कहा कि बारिश हुई तो {time} बस से {place} तक जाएँगे।",
        "{time} {place} के ऊपर आसमान बहुत साफ़ और नीला था।",
    ),
    "tr": (
        "{time} trenle {place} yönüne gittik.",
        "{place} yakınında bir çay bahçesi açıldı; {time} orada çay içtik.",
        "Büyükannem {time} {place} önünde elma sattı (kilosu ５ lira).",
        "Öğretmen, yağmur yağarsa {time} {place} için otobüs var, dedi.",
        "{time} {place} üzerinde gökyüzü çok açık ve masmaviydi.",
    ),
    "de": (
        "Wir fuhren {time} mit dem Zug nach {place}.",
        "In {place} gibt es ein neues Café, in dem wir {time} Tee tranken.",
        "Großmutter verkauft {time} in {place} süße Äpfel (½ Kilo für 2 €).",
        "Der Lehrer ﬁndet, dass wir {time} mit dem Bus nach {place} müssen.",
        "Über {place} war der Himmel {time} hoch, weit und blau.",
    ),
    "th": (
        "{time}เรานั่งรถไฟไป{place}ด้วยกัน",
        "ใกล้{place}มีร้านน้ำชาเปิดใหม่ {time}ฉันกับเพื่อนไปนั่งดื่มชาที่นั่น",
        "คุณยายเริ่มขายแอปเปิลที่{place}ตั้งแต่{time} (ลูกละ ๕ บาท)",
        "ครูบอกว่าถ้าฝนตก{time}เราต้องนั่งรถเมล์ไป{place}",
        "{time}ท้องฟ้าเหนือ{place}เป็นสีฟ้าสวยมาก น้ำก็ใส",
    ),
}
_WORDS = {
    "ja": "東京 京都 大阪 図書館 美術館 市場 港;昨日 今朝 先週 夏休み 週末",
    "ko": "서울 부산 도서관 시장 학교 박물관 바닷가;어제 오늘 지난주 주말 여름",
    "zh": "北京 上海 图书馆 市场 学校 博物馆 海边;昨天 今天 上周 周末 夏天",
    "ar": "القاهرة بغداد المكتبة السوق المدرسة المتحف البحر;"
    "أمس اليوم صباحًا صيفًا مساءً",
    "hi": "दिल्ली मुंबई पुस्तकालय बाज़ार विद्यालय संग्रहालय समुद्र;कल आज परसों सवेरे रविवार",
    "tr": "İstanbul İzmir Iğdır çarşı okul müze kütüphane;"
    "dün bugün yazın sabah öğlen",
    "de": "Köln München Görlitz Weißenfels Zürich Jülich Großenhain;"
    "gestern heute montags morgens abends",
    "th": "กรุงเทพฯ เชียงใหม่ ห้องสมุด ตลาด โรงเรียน พิพิธภัณฑ์ ทะเล;"
    "เมื่อวาน วันนี้ สัปดาห์ก่อน ฤดูร้อน วันอาทิตย์",
}
LANGUAGES = tuple(_PATTERNS)
# White space and characters that normalisation changes, or that are marks.
_ODD = [
    *(" ", "  ", "\u3000", "\u00a0", "\t", "①", "㍿", "ﷺ", "½", "ﬃ", "Å"),
    *("e\u0301", "ｶﾞ", "\u200d", "\u200b", "İ", "ẞ", "🙂", "[MASK]", "[CLS]"),
    *("▁", "…", "क\u093c"),
]


def page(language: str) -> list[str]:
    """The lines of a page, of 4 to 10 kB."""
    patterns = _PATTERNS[language]
    places, times = (part.split() for part in _WORDS[language].split(";"))
    return [
        pattern.format(place=places[i % _PLACES], time=times[i % _TIMES])
        for i in range(2 * _PLACES)
        for pattern in patterns
    ]


def halves(language: str) -> tuple[list[str], list[str]]:
    lines = page(language)
    return lines[::2], lines[1::2]


def all_pages() -> list[str]:
    return list(itertools.chain.from_iterable(map(page, LANGUAGES)))


def mixed_lines(count: int) -> list[str]:
    """Lines put together of parts of pages, with odd characters between."""
    rng, lines = random.Random(5), all_pages()
    found = []
    for _ in range(count):
        parts = []
        for line in rng.sample(lines, rng.randrange(1, 4)):
            begin = rng.randrange(len(line))
            parts += [line[begin : begin + rng.randrange(1, 40)]]
            parts += rng.choices(_ODD, k=rng.randrange(3))
        found.append("".join(parts))
    return found
