"""The language of an EngineModelType."""

import pytest

from localcloud.speech.language import parse_language


@pytest.mark.parametrize(
    ("engine", "language"),
    [
        ("16k_zh", "zh"),
        ("8k_zh_s", "zh"),
        ("16k_zh_video", "zh"),
        ("16k_zh_dialect", "zh"),
        ("16k_zh_large", "zh"),
        ("16k_ca", "zh"),
        ("16k_yue", "zh"),
        ("8k_en", "en"),
        ("16k_en_edu", "en"),
        ("16k_ja", "ja"),
        ("16k_fil", "tl"),
        ("16k_zh-PY", None),
        ("16k_zh_en", None),
        ("16k_multi_lang", None),
        ("16k_klingon", None),
        ("klingon", None),
        ("", None),
    ],
)
def test_language_of_engine(engine: str, language: str | None) -> None:
    assert parse_language(engine) == language
