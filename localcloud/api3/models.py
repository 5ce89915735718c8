"""Requests and errors of API 3.0, and the validation of their JSON bodies.

Codes: "Common error codes", 598/33169.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_pascal

from localcloud.auth.credentials import Credential


class ApiError(Exception):
    """A request is rejected with a code of the real service such as `ResourceNotFound.Function`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A verified request. `service` is scf, cam or sts; `params` the JSON body; `caller` who signed it."""

    service: str
    action: str
    region: str
    params: Mapping[str, Any]
    caller: Credential


class ApiService(Protocol):
    """One service of API 3.0."""

    async def handle(self, request: ApiRequest) -> Mapping[str, Any]:
        """Return the members of `Response`, without RequestId. Raises ApiError."""


class ApiParams(BaseModel):
    """Base of the parameters of an action.

    A field `function_name` is the parameter `FunctionName`. Types are strict; null counts as absent.
    """

    # defer_build: a cloud starts faster when the models are built at their first use.
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, alias_generator=to_pascal, defer_build=True
    )

    # The code for a value of the wrong type or outside of its limits; by parameter, where an action has its own code.
    invalid_code: ClassVar[str] = "InvalidParameterValue"
    invalid_codes: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, params: Any) -> Any:
        if not isinstance(params, dict):
            return params
        return {name: value for name, value in params.items() if value is not None}


class NoParams(ApiParams):
    """The parameters of an action that has none."""


_Params = TypeVar("_Params", bound=ApiParams)


def parse_params(model: type[_Params], params: Mapping[str, Any], prefix: str = "") -> _Params:
    """Validate the parameters of an action; `prefix` is put before their names in messages.

    Raises ApiError: UnknownParameter, MissingParameter, or the model's code for invalid values.
    """
    try:
        return model.model_validate(dict(params))
    except ValidationError as error:
        raise _to_api_error(model, error, prefix) from None


def _to_api_error(model: type[ApiParams], validation: ValidationError, prefix: str) -> ApiError:
    errors = {error["type"]: error for error in reversed(validation.errors(include_url=False))}
    for kind, code, message in (
        ("extra_forbidden", "UnknownParameter", "The parameter `{}` is not recognized."),
        ("missing", "MissingParameter", "The request is missing a required parameter `{}`."),
    ):
        if kind in errors:
            return ApiError(code, message.format(prefix + _format_path(errors[kind]["loc"])))
    error = validation.errors(include_url=False)[0]
    code = model.invalid_codes.get(str(error["loc"][0]), model.invalid_code)
    return ApiError(code, f"`{prefix}{_format_path(error['loc'])}` is not valid: {error['msg']}.")


def _format_path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location))
