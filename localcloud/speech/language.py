"""The language that an EngineModelType means, for engines that know more than one."""

import re

# Source: CI's EngineModelType and the list of the ASR product behind it; the part after the sample rate.
_LANGUAGES = {
    "zh": "zh",
    "en": "en",
    "ca": "zh",  # Cantonese: the small Whisper models do not know it as a language of its own
    "yue": "zh",
    "ja": "ja",
    "ko": "ko",
    "th": "th",
    "ms": "ms",
    "id": "id",
    "vi": "vi",
    "fil": "tl",
    "pt": "pt",
    "tr": "tr",
    "ar": "ar",
    "es": "es",
    "hi": "hi",
    "fr": "fr",
    "de": "de",
}
# Engines for several languages: the language is detected.
_MIXED = re.compile(r"zh[-_](en|PY)|multi")
_ENGINE = re.compile(r"\d+k_(?P<name>.+)")


def parse_language(engine: str) -> str | None:
    """Return the language code of an EngineModelType (`16k_zh_video`: zh); None if it is to be detected."""
    match = _ENGINE.fullmatch(engine)
    name = match["name"] if match else ""
    return None if _MIXED.match(name) else _LANGUAGES.get(re.split("[-_]", name)[0])
