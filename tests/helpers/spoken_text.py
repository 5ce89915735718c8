"""Long recordings of natural sentences, with the time of each word, as an engine returns them."""

from __future__ import annotations

import random

import rjieba

from shared.transcript import RecordingRef, Sentence, Transcript, Word

ENGLISH = (
    "Good morning, and welcome back to the programme.",
    "Today we want to talk about something that most of us do every day without thinking about it: listening.",
    "Yes.",
    "When I was eleven years old my grandmother gave me a radio, and I took it apart on the kitchen table at noon.",
    "She was not angry at all, but she asked me to put it together again, which took me until the end of the summer.",
    "Does that sound familiar?",
    "The second part of the answer is harder, because it was measured for a few weeks only, and people disagree.",
    "Let me give you an example from 1984.",
    "A teacher in a town near the coast recorded every lesson for a year; the tapes filled three shelves.",
    "Most of them have never been played since.",
    "I think, and this is only my own opinion, that we keep too much and look at too little of it.",
    "So what should we do?",
    "First, write down what was said. Then throw away what no one will read twice.",
    "Thank you very much for calling, and have a nice day.",
)
CHINESE = (
    "各位同学，大家早上好。",
    "今天我们继续学习第三单元，请大家把课本翻到第四十二页，先看一下上面的插图。",
    "对。",
    "上个星期我们讲到了长江和黄河的发源地，也讲了它们一共流经多少个省份，有没有同学还记得？",
    "很好，请坐。",
    "这个问题其实没有标准答案，因为不同的资料统计的方法不一样，有的按照干流计算，有的把主要的支流也算在里面，所以数字会有一些差别。",
    "我们来看一个具体的例子。",
    "2019年的夏天，学校组织大家去郊外参观了一座水电站，工作人员给我们详细介绍了发电的全部过程。",
    "您好，这里是客户服务中心，请问有什么可以帮您？",
    "我的订单已经过去五天了，到现在还没有发货，我想问一下是什么原因。",
    "请您稍等，我马上帮您查询。",
    "好的，谢谢。",
    "系统显示您的包裹昨天晚上已经从广州的仓库发出，预计后天下午就能送到，请您保持手机畅通，快递员会提前跟您联系。",
    "那就先这样，再见。",
)
_STRETCHED_SHARE = 0.05
_PAUSES_MS = (120, 300, 450, 700, 1_200, 2_500)


def speak(texts: tuple[str, ...], speed: float, minutes: int = 30, seed: int = 1) -> Transcript:
    """Return a recording of this length: words a minute in English, characters a second in Chinese."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    is_chinese = texts is CHINESE
    sentences: list[Sentence] = []
    now_ms = 400
    while now_ms < minutes * 60_000:
        text = chance.choice(texts)
        words: list[Word] = []
        for part in rjieba.cut(text) if is_chinese else text.split():
            letters = sum(char.isalnum() for char in part)
            if letters:
                length_ms = letters * 1000 / speed if is_chinese else letters / 4.3 * 60_000 / speed
                length_ms = max(60, round(length_ms * chance.uniform(0.8, 1.2)))
                words.append(Word(part.strip("，。,.;:？?！"), now_ms, now_ms + length_ms - 10))
                now_ms += length_ms
            if not part[-1].isalnum() and part.strip():
                now_ms += chance.choice((0, 150, 300))
        sentences.append(Sentence(words[0].start_ms, words[-1].end_ms, text, words=tuple(words)))
        now_ms += chance.choice(_PAUSES_MS)
    recording = RecordingRef("calls-1250000000", "ap-guangzhou", "a.mp3", "9a4b", 1)
    return Transcript(recording, "16k_zh", "s1", now_ms, 1, tuple(sentences))


def speak_at_random(chance: random.Random, voice: int) -> list[Sentence]:
    """Return sentences of one channel, at any plausible speed, with pauses and words that an engine stretched."""
    now_ms = chance.randrange(8_000)
    sentences: list[Sentence] = []
    for _ in range(chance.randrange(6)):
        text = chance.choice([*ENGLISH, *CHINESE, "嗯", "OK."])
        is_chinese = not text.isascii()
        ms_per_letter = chance.randint(140, 500) if is_chinese else chance.randint(60, 250)
        words: list[Word] = []
        for part in rjieba.cut(text) if is_chinese else text.split():
            plain = part.strip("，。,.;:？?！")
            if plain:
                stretched_ms = chance.randint(500, 9_000) if chance.random() < _STRETCHED_SHARE else 0
                length_ms = len(plain) * ms_per_letter + stretched_ms
                words.append(Word(plain, now_ms, now_ms + length_ms))
                now_ms += length_ms + chance.choice((0, 0, 0, 0, 250, 3_000))
        start_ms, end_ms = words[0].start_ms, words[-1].end_ms
        sentences.append(Sentence(start_ms, end_ms, text, channel=voice, words=tuple(words)))
        now_ms = end_ms + chance.choice((0, 100, 400, 900, 4_000))
    return sentences
