"""Reads serverless.yml (`component: multi-scf`) into a checked deployment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from localcloud.scf.deployment import Deployment, DeploymentError
from localcloud.scf.functions_section import read_functions
from localcloud.scf.mistakes import Mistakes
from localcloud.scf.triggers_section import read_triggers
from localcloud.scf.variables import resolve_own, substitute

_TOP = ("app", "stage", "component", "name", "inputs")


def load_deployment(folder: Path, *, environ: Mapping[str, str], region: str, appid: str) -> Deployment:
    """Read and check FOLDER/serverless.yml as if it were deployed to `region` of account `appid`.

    Raises DeploymentError with every mistake that Tencent's engine would refuse, or would take in
    silence and not do what was meant.
    """
    file = folder / "serverless.yml"
    try:
        raw = yaml.safe_load(file.read_text("utf-8"))
    except FileNotFoundError:
        raise DeploymentError(file, [f"there is no such file in {folder}"]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DeploymentError(file, [f"not YAML: {' '.join(str(error).split())}"]) from None
    mistakes = Mistakes()
    document = _resolved(mistakes.mapping(raw, "the file"), environ, mistakes)
    inputs = mistakes.mapping(document.get("inputs"), "inputs")
    _check_region(inputs.get("region"), region, mistakes)
    stem = "-".join(str(document.get(part)) for part in ("name", "stage", "app"))
    functions = read_functions(inputs, folder, stem, mistakes)
    triggers = read_triggers(
        inputs.get("triggers"), tuple(functions), region=region, appid=appid, mistakes=mistakes
    )
    if mistakes.found:
        raise DeploymentError(file, mistakes.found)
    return Deployment(functions, triggers)


def _resolved(raw: Mapping[str, Any], environ: Mapping[str, str], mistakes: Mistakes) -> dict[str, Any]:
    document: dict[str, Any] = substitute(dict(raw), environ)
    mistakes.known(document, _TOP, "the file")
    if str(document.get("component")).partition("@")[0] != "multi-scf":
        mistakes.add("component", "must be multi-scf, the form that holds several functions")
    own = {
        "app": mistakes.text(document.get("app"), "app"),
        "name": mistakes.text(document.get("name"), "name"),
    }
    own["stage"] = document["stage"] = document.get("stage") or "dev"
    resolved: dict[str, Any] = resolve_own(document, own)
    return resolved


def _check_region(written: Any, region: str, mistakes: Mistakes) -> None:
    # Absent, or from a variable that is not set: the region is where the account's services run.
    if written is not None and written != region:
        mistakes.add("inputs.region", f"is {written!r}, but the services run in {region}")
