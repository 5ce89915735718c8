"""`scribe explain` as a user types it: arguments, settings, errors, and the stand-in cloud."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.config import CliContext
from cli.deploy.clients import Clients
from cli.errors import OperatorError
from cli.explain.command import ExplainOptions, explain, parse_metadata_argument
from cli.local.emulator import Emulator, OperatorClients, start_emulator
from cli.main import app
from cli.output import SafeConsole
from cli.policy.command import PolicyOptions, policy
from shared.errors import ScribeError
from shared.tencent.auth import Credentials
from tests.helpers.explain import CONFIG, INPUT_BUCKET, OUTPUT_BUCKET, ROOT, ExplainFolder, find_controls
from tests.helpers.receipts import build_receipt

HOSTILE = "\x1b]0;owned\x07\u202e"
