"""docs/settings.md, in both languages, says what the code does: each default, example and refused value is tried."""

from __future__ import annotations

import marshal
from pathlib import Path

import pytest

import shared.settings
from cli import settings_docs_zh
from cli.errors import OperatorError
from cli.language import ENGLISH
from cli.notice_settings import NOTICE_SETTINGS
from cli.settings_docs import (
    PAGES,
    SettingDoc,
    build_minimal_environment,
    load_chinese_docs,
    load_setting_docs,
    render_page,
)
from shared.errors import SettingsError
from shared.settings import Settings, load_settings

SETTINGS = load_setting_docs()
MINIMAL = build_minimal_environment(SETTINGS)

each_setting = pytest.mark.parametrize("setting", SETTINGS, ids=lambda doc: doc.name)


@pytest.mark.parametrize("language", PAGES)
def test_page_is_up_to_date(language: str) -> None:
    assert PAGES[language].read_text("utf-8") == render_page(language), "run: make docs"


@pytest.mark.parametrize("texts", [{"REGION": None}, {"REGION": "地域"}, {"REGOIN": "地域"}])
def test_setting_without_its_chinese_text_is_named(
    texts: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = dict(settings_docs_zh.SETTINGS)
    for name, text in texts.items():
        changed.pop(name, None)
        if text is not None:
            changed[name] = settings_docs_zh.ChineseText(text)
    monkeypatch.setattr(settings_docs_zh, "SETTINGS", changed)
    with pytest.raises(OperatorError, match=f"The text of {next(iter(texts))} "):
        load_chinese_docs()


def test_page_has_every_variable_that_is_read() -> None:
    class RecordingEnvironment(dict[str, str]):
        def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
            names.add(name)
            return super().get(name, default)

    names: set[str] = set()
    load_settings(RecordingEnvironment(MINIMAL))
    assert names - {"TENCENTCLOUD_REGION"} == {doc.name for doc in SETTINGS} - set(NOTICE_SETTINGS)
    assert "`TENCENTCLOUD_REGION`" in render_page()


def load_or_none(environ: dict[str, str]) -> Settings | None:
    try:
        return load_settings(environ)
    except SettingsError:  # the secret of a webhook needs its address, and the other way round
        return None


@each_setting
def test_documented_default_is_the_default(setting: SettingDoc) -> None:
    if setting.required:
        with pytest.raises(SettingsError, match=f"{setting.name} is missing"):
            load_settings({name: value for name, value in MINIMAL.items() if name != setting.name})
    else:
        assert load_settings(MINIMAL | {setting.name: setting.default}) == load_settings(MINIMAL)


@each_setting
def test_documented_example_is_accepted_and_has_an_effect(setting: SettingDoc) -> None:
    for example in setting.examples:
        assert setting.name in example
        usual = MINIMAL | {name: value for name, value in example.items() if name != setting.name}
        if setting.required:
            assert load_settings(usual | example)
        else:
            assert load_settings(usual | example) != load_or_none(usual)


@each_setting
def test_documented_refusal_has_the_words_of_the_page(setting: SettingDoc) -> None:
    for wrong in setting.wrong:
        with pytest.raises(SettingsError) as caught:
            load_settings(MINIMAL | wrong)
        assert len(caught.value.mistakes) == 1
        assert setting.name in caught.value.mistakes[0]
        assert caught.value.mistakes[0] in PAGES[ENGLISH].read_text("utf-8")


def test_texts_are_not_in_the_bytecode() -> None:
    source = Path(shared.settings.__file__).read_text("utf-8")
    compiled = marshal.dumps(compile(source, "settings.py", "exec"))
    for setting in SETTINGS:
        if setting.name in NOTICE_SETTINGS:
            continue
        assert setting.meaning in source
        assert setting.meaning.encode() not in compiled
