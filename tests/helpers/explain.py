"""Runs `scribe explain` in a folder of its own, with settings, rules and sidecars of the test."""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.config import CliContext
from cli.explain.command import ExplainOptions, explain
from cli.local.emulator import Emulator
from cli.output import SafeConsole

ROOT = Path(__file__).resolve().parents[2]
INPUT_BUCKET, OUTPUT_BUCKET = "recordings-1250000000", "transcripts-1250000000"
CONFIG = {
    "REGION": "ap-guangzhou",
    "INPUT_BUCKETS": INPUT_BUCKET,
    "OUTPUT_BUCKET": OUTPUT_BUCKET,
    "INPUT_PREFIX": "in/",
}


@dataclass(frozen=True)
class Explained:
    """What the command printed, and whether it succeeded."""

    passed: bool
    output: str

    @property
    def document(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.output)
        return parsed


class ExplainFolder:
    """A checkout with its own rules.yml, as far as the command reads it."""

    def __init__(self, folder: Path, rules: str = "", **config: str) -> None:
        self.folder = folder
        self.config = {**CONFIG, **config}
        (folder / "serverless.yml").write_bytes((ROOT / "serverless.yml").read_bytes())
        (folder / "handlers").symlink_to(ROOT / "handlers")
        if rules:
            (folder / "rules.yml").write_text(rules, "utf-8")

    def write_sidecar(self, options: object) -> Path:
        path = self.folder / "sidecar.json"
        path.write_bytes(
            options if isinstance(options, bytes) else json.dumps(options, ensure_ascii=False).encode()
        )
        return path

    def run(
        self,
        key: str,
        metadata: Mapping[str, str] | None = None,
        *,
        width: int = 80,
        sidecar: object = None,
        **options: Any,
    ) -> Explained:
        """Run the command; text unless `as_json` is set."""
        output = io.StringIO()
        context = CliContext(self.folder, self.folder / "none.env", self.config, self.folder)
        path = None if sidecar is None else self.write_sidecar(sidecar)
        console = SafeConsole(file=output, width=width, highlight=False)
        passed = explain(console, context, ExplainOptions(key, metadata=metadata, sidecar=path, **options))
        return Explained(passed, output.getvalue())


def find_controls(text: str) -> list[str]:
    """List the characters that could do something to a terminal."""
    return [
        character
        for character in text
        if character != "\n" and unicodedata.category(character) in {"Cc", "Cf"}
    ]


def open_folder(folder: Path, emulator: Emulator, rules: str, **config: str) -> ExplainFolder:
    """Create a checkout whose settings have the stand-in cloud and its key."""
    key = {"TENCENTCLOUD_SECRET_ID": emulator.secret_id, "TENCENTCLOUD_SECRET_KEY": emulator.secret_key}
    return ExplainFolder(folder, rules, CLOUD_ENDPOINT=emulator.endpoint, **{**key, **config})
