"""OPTIONS that names a target of notices which is not set."""

from __future__ import annotations

import pytest

from cli.deploy.target import load_manifest_settings
from cli.manifest.loader import load_manifest
from shared.errors import SettingsError
from shared.options.parse import Choice
from tests.helpers.deployment import CONFIG, ROOT


def load_options(options: str) -> Choice:
    config = {**CONFIG, "OPTIONS": options}
    return load_manifest_settings(load_manifest(ROOT, config), config).options["notify"]


def test_name_in_options_that_is_no_target_is_a_mistake() -> None:
    with pytest.raises(SettingsError) as caught:
        load_options("notify=wecom-support")
    assert "OPTIONS: notify names 'wecom-support', which is not a target; no target is set" in str(
        caught.value
    )


@pytest.mark.parametrize(("options", "value"), [("notify=no", False), ("fillers=none; notify=yes", True)])
def test_options_without_names_of_targets_are_valid(options: str, value: bool) -> None:
    assert load_options(options).value is value
