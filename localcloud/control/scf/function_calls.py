"""The actions about functions. Codes: sdk, errorcodes.py."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from localcloud.control.calls import Refusal
from localcloud.control.scf import answers, settings
from localcloud.control.scf.catalogue import NAMESPACE, Catalogue, check_namespace, qualifier
from localcloud.control.scf.code import CodeFolders
from localcloud.control.scf.deployments import Deployments, check_active
from localcloud.control.scf.given import Given
from localcloud.control.scf.records import Deployed, Settings
from localcloud.control.scf.trigger_settings import Region

_MOST_FUNCTIONS = 50  # of a namespace. 583/11637
_NAMED = ("FunctionName", "Namespace", "Qualifier")
_PAGE = 20


class FunctionCalls:
    """Creates, changes, shows and deletes functions."""

    def __init__(
        self,
        catalogue: Catalogue,
        deployments: Deployments,
        codes: CodeFolders,
        where: Region,
        *,
        is_taken: Callable[[str], bool],
        has_role: Callable[[str], bool],
        code_url: str,
        settle_s: float,
    ) -> None:
        """`is_taken` knows functions that were not deployed by the API, `has_role` the roles that SCF may take on."""
        self._catalogue = catalogue
        self._deployments = deployments
        self._codes = codes
        self._where = where
        self._is_taken = is_taken
        self._has_role = has_role
        self._code_url = code_url
        self._settle_s = settle_s
        self._leaving: dict[str, float] = {}

    async def create(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """CreateFunction."""
        given = Given(fields, settings.FIELDS | {"Handler", "Code", "CodeSource", "Type", "Tags"})
        name = settings.function_name(given)
        check_namespace(given)
        if given.text("Type", "Event") != "Event":
            raise Refusal("InvalidParameterValue.FunctionType", "Only functions of type Event can run here.")
        if self._catalogue.find(name) or self._is_taken(name):
            raise Refusal("ResourceInUse.Function", f"The function {name} exists already.")
        if len(self._catalogue.all()) >= _MOST_FUNCTIONS:
            raise Refusal("LimitExceeded.Function", f"A namespace has at most {_MOST_FUNCTIONS} functions.")
        wanted = settings.changed(Settings(settings.handler(given), runtime=""), given)
        self._check_role(wanted.role)
        tags = settings.tags(given)
        text = _zip_text(given)
        now_s = time.time()
        self._deployments.create(
            Deployed(
                name=name,
                namespace=NAMESPACE,
                function_id=f"lam-{secrets.token_hex(4)}",
                settings=wanted,
                code=await asyncio.to_thread(self._codes.unpack, text),
                tags=tags,
                added_s=now_s,
                modified_s=now_s,
            )
        )
        return {}

    async def update_code(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """UpdateFunctionCode: the zip stands in Code, or beside it as in older clients."""
        given = Given(fields, ("FunctionName", "Namespace", "Handler", "Code", "CodeSource", "ZipFile"))
        before = check_active(self._catalogue.named(given), "FailedOperation.UpdateFunctionCode")
        handler = settings.handler(given, before.settings.handler)
        text = given.text("ZipFile") if given.has("ZipFile") else _zip_text(given)
        after = replace(
            before,
            settings=replace(before.settings, handler=handler),
            code=await asyncio.to_thread(self._codes.unpack, text),
            modified_s=time.time(),
        )
        self._deployments.update(before, after)
        return {}

    async def update_configuration(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """UpdateFunctionConfiguration: what is absent stays; a given Environment replaces the whole one."""
        given = Given(fields, settings.FIELDS)
        before = check_active(self._catalogue.named(given), "FailedOperation.UpdateFunctionConfiguration")
        wanted = settings.changed(before.settings, given)
        self._check_role(wanted.role)
        self._deployments.update(before, replace(before, settings=wanted, modified_s=time.time()))
        return {}

    async def get(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """GetFunction. Of one that was deleted a moment ago, SCF says first that the version is gone."""
        given = Given(fields, (*_NAMED, "ShowCode"))
        name = given.text("FunctionName")
        if not self._catalogue.find(name) and time.monotonic() < self._leaving.get(name, 0.0):
            # The public Terraform provider waits through exactly this code.
            raise Refusal(
                "ResourceNotFound.Version", f"The function {name} has no version {qualifier(given)}."
            )
        return answers.function(self._catalogue.named(given), qualifier(given), self._where)

    async def address(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """GetFunctionAddress: where the uploaded zip can be fetched, and its hash."""
        given = Given(fields, _NAMED)
        found = self._catalogue.named(given)
        qualifier(given)
        return {"Url": f"{self._code_url}/{found.name}.zip", "CodeSha256": found.code.sha256}

    async def list(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """ListFunctions, by name."""
        given = Given(fields, ("Namespace", "Offset", "Limit", "SearchKey"))
        check_namespace(given)
        wanted = given.text("SearchKey", "")
        found = [answers.summary(each) for each in self._catalogue.all() if wanted in each.name]
        start, length = given.whole("Offset", 0), given.whole("Limit", _PAGE)
        return {"TotalCount": len(found), "Functions": found[start : start + length]}

    async def delete(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """DeleteFunction, with everything that belongs to it."""
        found = self._catalogue.named(Given(fields, _NAMED))
        if found.is_deploying:
            check_active(found)
        self._deployments.delete(found)
        self._leaving[found.name] = time.monotonic() + self._settle_s
        return {}

    async def namespaces(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """ListNamespaces: the one that there always is."""
        Given(fields, ("Limit", "Offset", "Orderby", "Order", "SearchKey"))
        told = {"Name": NAMESPACE, "Type": NAMESPACE, "Description": "", "AddTime": "", "ModTime": ""}
        return {"TotalCount": 1, "Namespaces": [told]}

    def _check_role(self, role: str) -> None:
        if role and not self._has_role(role):
            raise Refusal("ResourceNotFound.Role", f"There is no role {role} that SCF may take on.")


def _zip_text(given: Given) -> str:
    if given.text("CodeSource", "ZipFile") != "ZipFile":
        raise Refusal("InvalidParameterValue.CodeSource", "This stand-in takes code as a ZipFile only.")
    code = given.inner("Code", ("ZipFile",), code="InvalidParameterValue.Code")
    if not code.has("ZipFile"):
        raise Refusal("MissingParameter.Code", "The code is missing: Code.ZipFile.")
    return code.text("ZipFile", code="InvalidParameterValue.Code")
