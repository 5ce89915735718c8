"""What recognises speech in the local cloud, as the options of `scribe demo` and `scribe local` choose it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from cli.errors import OperatorError
from cli.language import N_, _, translate_like

# What the local cloud says about the model; it shares no code with this command.
MODEL_TEXTS = (
    N_("Joining the Whisper model ({size} MB) in {folder}"),
    N_("Downloading the Whisper model {name} from {address}"),
    N_("Whisper cannot be loaded ({reason}); install it with its model: {command}"),
    N_("there is no folder {folder} with a Whisper model"),
    N_("there is no Whisper model {name}: give a folder, or one of {names}"),
)

WHISPER_ENGINE = "16k_multi_lang"  # the language is detected


class Speech(str, Enum):
    """The recognisers of the local cloud."""

    POCKETSPHINX = "pocketsphinx"
    WHISPER = "whisper"


class SpeechOptions(NamedTuple):
    """The options --speech, --speech-model and --engine; empty means the default."""

    speech: Speech = Speech.POCKETSPHINX
    model: str = ""
    engine: str = ""

    @property
    def is_whisper(self) -> bool:
        """Whether it reads every language, with punctuation."""
        return self.speech is Speech.WHISPER

    @property
    def engine_name(self) -> str:
        """The setting ENGINE of the local deployment."""
        # Imported by the commands that start a local cloud only: it takes a fifth of a second.
        from cli.local.emulator import ENGINE  # noqa: PLC0415

        return self.engine or (WHISPER_ENGINE if self.is_whisper else ENGINE)

    def check(self) -> None:
        """Raise OperatorError for options that exclude each other, SettingsError for an invalid name of an engine."""
        if self.model and not self.is_whisper:
            raise OperatorError(_("--speech-model is for --speech whisper only"))
        from cli.local.emulator import SETTINGS  # noqa: PLC0415
        from shared.settings import load_settings  # noqa: PLC0415

        load_settings({**SETTINGS, "ENGINE": self.engine_name})

    def prepare(self, report: Callable[[str], None]) -> list[str]:
        """Check the options and get the model, which may be a download. Return the local cloud's own options.

        `report` gets a line for each step that takes long. Raises OperatorError, SettingsError.
        """
        self.check()
        arguments = ["--speech", self.speech.value]
        if not self.is_whisper:
            return arguments
        # The parts of the local cloud take time to import; the other commands do not need them.
        from localcloud.speech.models import SpeechSetupError  # noqa: PLC0415
        from localcloud.speech.whisper_model import prepare_model  # noqa: PLC0415

        try:
            model = prepare_model(self.model, lambda line: report(translate_like(line, MODEL_TEXTS)))
        except SpeechSetupError as error:
            raise OperatorError(translate_like(str(error), MODEL_TEXTS)) from None
        return [*arguments, "--speech-model", str(model)]
