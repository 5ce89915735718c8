"""Errors of the local cloud itself, which Tencent Cloud does not have. Their codes begin with `LocalCloud.`.

- LocalCloud.EnglishOnly: the recogniser of this machine does not know the job's language
- LocalCloud.MissingPackage: a package that reads this format is not installed
- LocalCloud.InvalidSidecar: the transcript beside the recording is not UTF-8
- LocalCloud.RecogniserEnded: the recognition process died or did not respond, more than once, or could not be started
  again
- LocalCloud.RecogniserFailed: the recogniser raised an exception
- LocalCloud.UnreadableRecording: the recording could not be read from this machine's disk

Errors that Cloud Infinite has too keep its codes: not audio, no second channel, no sound.
"""

import importlib.util

from localcloud.speech.install_hint import describe_install
from localcloud.speech.models import RecognitionError, SpeechSetupError

_SIDECAR_HINT = "put its text into a file <recording>.transcript.txt beside the recording"


def build_english_only_error(engine: str) -> RecognitionError:
    """Build the error of a recogniser without other languages, for an EngineModelType such as 16k_zh."""
    whisper = "start the local cloud with `--speech whisper`"
    if importlib.util.find_spec("faster_whisper") is None:
        whisper += f" (install it first: {describe_install('whisper', 'whisper-model')})"
    return RecognitionError(
        f"{engine} is not English, and PocketSphinx knows English only: for other languages {whisper}; "
        f"or {_SIDECAR_HINT}; or use the engine 16k_en if this recording is English",
        "LocalCloud.EnglishOnly",
    )


def build_missing_whisper_error(reason: str = "faster-whisper is not installed") -> SpeechSetupError:
    """Build the error of a start with `--speech whisper` where its packages are missing or cannot be imported."""
    return SpeechSetupError(
        f"Whisper cannot be loaded ({reason}); install it with its model: "
        f"{describe_install('whisper', 'whisper-model')}"
    )


def build_missing_decoder_error(format_name: str) -> RecognitionError:
    """Build the error of a format that only PyAV reads, where PyAV is not installed."""
    return RecognitionError(
        f"the recording looks like {format_name}, which needs one more package to be decoded: "
        f"{describe_install('av')}, then start the local cloud again; or convert the recording to wav, mp3 or flac",
        "LocalCloud.MissingPackage",
    )


def build_sidecar_error() -> RecognitionError:
    """Build the error of a transcript beside the recording in another encoding, such as GBK."""
    return RecognitionError(
        "the .transcript.txt beside the recording is not UTF-8 text: save it as UTF-8 (an editor calls it encoding)",
        "LocalCloud.InvalidSidecar",
    )


def build_recogniser_ended_error(attempts: int) -> RecognitionError:
    """Build the error of a recording whose recognition process ended again and again."""
    return RecognitionError(
        f"the recogniser ended {attempts} times on this recording: it was killed, perhaps for lack of memory, or did "
        "not respond; the log of the local cloud may say more. Close other programs, or cut the recording into parts",
        "LocalCloud.RecogniserEnded",
    )


def build_recogniser_restart_error(error: SpeechSetupError) -> RecognitionError:
    """Build the error of a recording whose recognition process ended, where no other could be started."""
    return RecognitionError(
        f"the recogniser ended and could not be started again: {error}", "LocalCloud.RecogniserEnded"
    )


def build_recogniser_failed_error(error: Exception) -> RecognitionError:
    """Build the error of an exception in the recogniser."""
    return RecognitionError(
        f"the recogniser failed: {type(error).__name__}: {error}; the log of the local cloud says more",
        "LocalCloud.RecogniserFailed",
    )


def build_unreadable_recording_error(error: OSError) -> RecognitionError:
    """Build the error of a file that this machine could not read."""
    return RecognitionError(
        f"the recording could not be read from the disk of this machine: {error.strerror}",
        "LocalCloud.UnreadableRecording",
    )
