"""Serverless Cloud Function on this machine: functions run for real, from a serverless.yml or deployed by the API.

Every instance is a process of its own with a clean environment. COS and timer events are asynchronous and
tried three times unless told otherwise; function URLs are synchronous and tried once.
"""

from localcloud.scf.deployment import DeploymentError
from localcloud.scf.environment import TemporaryKey
from localcloud.scf.events import ObjectCreated
from localcloud.scf.functions import Functions
from localcloud.scf.invocations import Invocation
from localcloud.scf.urls import UrlAnswer, UrlRequest

__all__ = [
    "DeploymentError",
    "Functions",
    "Invocation",
    "ObjectCreated",
    "TemporaryKey",
    "UrlAnswer",
    "UrlRequest",
]
