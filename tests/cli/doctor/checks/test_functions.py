"""The doctor's checks of the functions and of the callback's address."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from cli.doctor.models import Status
from tests.helpers.doctor import (
    OTHER_TOKEN,
    TOKEN,
    Deployment,
    describe,
    list_wrong,
)

pytestmark = pytest.mark.process


def test_outdated_package_is_found(deployment: Deployment) -> None:
    findings = deployment.findings(label="Scribe 0.1.0, package 0123456789abcdef")
    assert list_wrong(findings) == {"package"}
    assert deployment.label in describe(findings, "package")
    assert "0123456789abcdef" in describe(findings, "package")


def test_package_check_is_skipped_without_a_package(deployment: Deployment) -> None:
    findings = deployment.findings(label="")
    assert list_wrong(findings) == set()
    assert "make package" in describe(findings, "package", Status.SKIPPED)


def test_changed_configuration_is_found(deployment: Deployment) -> None:
    deployment.configure(deployment.name("sweep"), MemorySize=512)
    findings = deployment.findings()
    deployment.configure(deployment.name("sweep"), MemorySize=256)
    assert list_wrong(findings) == {"configuration"}
    assert "the memory is 512 MB, not 256 MB" in describe(findings, "configuration")


def test_fewer_retries_are_found(deployment: Deployment) -> None:
    name = deployment.name("upload")
    original = deployment.scf.get_retry_config(name, "default")
    deployment.scf.set_retry_config(name, "default", replace(original, attempts=0))
    findings = deployment.findings()
    deployment.scf.set_retry_config(name, "default", original)
    assert list_wrong(findings) == {"retries"}


def test_token_that_is_not_deployed_is_found_by_three_checks(
    deployment: Deployment,
) -> None:
    findings = deployment.findings(CALLBACK_TOKEN=OTHER_TOKEN)
    assert list_wrong(findings) == {"variables", "notification", "address"}
    assert "CALLBACK_TOKEN" in describe(findings, "variables")
    assert TOKEN not in str(findings)
    assert OTHER_TOKEN not in str(findings)


def test_prefix_that_is_not_deployed_is_found(deployment: Deployment) -> None:
    findings = deployment.findings(INPUT_PREFIX="other/")
    assert list_wrong(findings) == {"variables", "trigger", "role"}
    assert "calls/" in describe(findings, "trigger")
    assert "other/" in describe(findings, "trigger")


def test_callback_that_fails_at_its_address_is_found(deployment: Deployment) -> None:
    variables = dict(deployment.manifest().functions["callback"].variables)
    deployment.set_variables(deployment.name("callback"), {**variables, "INPUT_BUCKETS": "nonsense"})
    findings = deployment.findings()
    deployment.set_variables(deployment.name("callback"), variables)
    assert list_wrong(findings) == {"variables", "address"}
    assert "INPUT_BUCKETS" in describe(findings, "variables")
    assert "the function fails" in describe(findings, "address")


class NoFunctionUrls(httpx.HTTPTransport):
    """A network in which the names of function URLs are not known yet."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.headers["host"].endswith(".tencentscf.com"):
            raise httpx.ConnectError(f"no such name: {request.url}")
        return super().handle_request(request)


def test_address_without_response_is_found_and_shows_no_token(
    deployment: Deployment,
) -> None:
    with httpx.Client(transport=NoFunctionUrls()) as client:
        findings = deployment.findings(clients=replace(deployment.clients(), http=lambda: client))
    assert list_wrong(findings) == {"address"}
    assert "does not respond" in describe(findings, "address")
    assert TOKEN not in str(findings)


class AcceptsEverything(httpx.HTTPTransport):
    """A network in which something else responds at the address of the function, and accepts every POST."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        is_accepted = request.method == "POST" and request.headers["host"].endswith(".tencentscf.com")
        return httpx.Response(200) if is_accepted else super().handle_request(request)


def test_address_that_accepts_a_post_without_token_is_found(deployment: Deployment) -> None:
    with httpx.Client(transport=AcceptsEverything()) as client:
        findings = deployment.findings(clients=replace(deployment.clients(), http=lambda: client))
    assert list_wrong(findings) == {"address"}
    assert "without the token is answered with 200, not 403" in describe(findings, "address")
