"""docs/settings.md says what the code does: each default, example and refusal on it is tried."""

from __future__ import annotations

import marshal
from pathlib import Path

import pytest

import shared.settings
from cli.settings_docs import PAGE, SettingDoc, build_minimal_environment, load_setting_docs, render_page
from shared.errors import SettingsError
from shared.settings import load_settings

SETTINGS = load_setting_docs()
LEAST = build_minimal_environment(SETTINGS)

each_setting = pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: one.name)


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text("utf-8") == render_page(), "renew it: .venv/bin/python -m cli.settings_docs"


def test_every_variable_that_is_read_is_on_the_page() -> None:
    class Asked(dict[str, str]):
        def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
            asked.add(name)
            return super().get(name, default)

    asked: set[str] = set()
    load_settings(Asked(LEAST))
    assert asked - {"TENCENTCLOUD_REGION"} == {one.name for one in SETTINGS}
    assert "`TENCENTCLOUD_REGION`" in render_page()


@each_setting
def test_a_documented_default_is_what_an_absent_setting_means(setting: SettingDoc) -> None:
    if setting.required:
        with pytest.raises(SettingsError, match=f"{setting.name} is missing"):
            load_settings({name: value for name, value in LEAST.items() if name != setting.name})
    else:
        assert load_settings(LEAST | {setting.name: setting.default}) == load_settings(LEAST)


@each_setting
def test_a_documented_example_is_accepted_and_changes_something(setting: SettingDoc) -> None:
    for example in setting.examples:
        assert setting.name in example
        usual = LEAST | {name: value for name, value in example.items() if name != setting.name}
        if setting.required:
            assert load_settings(usual | example)
        else:
            assert load_settings(usual | example) != load_settings(usual)


@each_setting
def test_what_is_documented_as_refused_is_refused_in_the_words_of_the_page(setting: SettingDoc) -> None:
    for wrong in setting.wrong:
        with pytest.raises(SettingsError) as caught:
            load_settings(LEAST | wrong)
        assert len(caught.value.mistakes) == 1
        assert setting.name in caught.value.mistakes[0]
        assert caught.value.mistakes[0] in PAGE.read_text("utf-8")


def test_the_functions_do_not_carry_the_texts() -> None:
    source = Path(shared.settings.__file__).read_text("utf-8")
    compiled = marshal.dumps(compile(source, "settings.py", "exec"))
    for setting in SETTINGS:
        assert setting.meaning in source
        assert setting.meaning.encode() not in compiled
