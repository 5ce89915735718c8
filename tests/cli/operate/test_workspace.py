"""What a command says to do after an error of the cloud."""

from __future__ import annotations

import pytest

from shared.errors import CloudError, RequestRejected, Throttled
from tests.helpers.operate import OperatedPipeline


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (Throttled(resource="a-1/", code="NoConnection"), "Check the network of this machine"),
        (
            RequestRejected(resource="a-1/", status=403, code="SignatureDoesNotMatch"),
            "TENCENT_SECRET_KEY in .env",
        ),
        (RequestRejected(resource="a-1/", status=403, code="RequestTimeTooSkewed"), "clock of this machine"),
        (RequestRejected(resource="a-1/", status=403, code="AccessDenied"), "`scribe policy operator`"),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_error_says_what_to_do(error: CloudError, advice: str) -> None:
    text = str(OperatedPipeline().open_workspace().advise(error))
    assert advice in text
    assert "a-1/" in text


def test_local_cloud_that_is_not_running_is_named() -> None:
    workspace = OperatedPipeline().open_workspace(cloud_endpoint="http://127.0.0.1:9000")
    text = str(workspace.advise(Throttled(resource="a-1/", code="NoConnection")))
    assert (
        "nothing answers at http://127.0.0.1:9000 (CLOUD_ENDPOINT): start `scribe local --port 9000`" in text
    )
