"""Bodies of the type multipart/form-data, as an HTML form with one file sends them (RFC 7578)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message

_FORM_TYPE = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, by lower-case name, and its file."""

    fields: Mapping[str, str]
    file_name: str
    file: bytes

    @property
    def key(self) -> str:
        """The object key of POST Object; `${filename}` stands for the name of the file (436/14690)."""
        return self.fields.get("key", "").replace("${filename}", self.file_name)


def _parse_header(value: str) -> Message:
    message = Message()
    message["content-type"] = value
    return message


def is_form(content_type: str) -> bool:
    """Whether a Content-Type is that of a form."""
    return content_type.partition(";")[0].strip().lower() == _FORM_TYPE


def parse_form(content_type: str, body: bytes) -> Form:
    """Parse a form with a field `file`. Raises ValueError."""
    boundary = _parse_header(content_type).get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise ValueError("the form has no boundary")
    fields: dict[str, str] = {}
    file_name, file = "", None
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:-1]:
        head, separator, content = part.partition(b"\r\n\r\n")
        disposition = next(
            (line for line in head.decode().split("\r\n") if line.lower().startswith("content-disposition:")),
            "",
        )
        params = _parse_header(disposition.partition(":")[2])
        name = params.get_param("name")
        if not separator or not isinstance(name, str):
            raise ValueError("a part of the form has no name")
        if name == "file":
            file, file_name = content, str(params.get_param("filename") or "")
        else:
            fields[name.lower()] = content.decode()
    if file is None:
        raise ValueError("the form has no field named file")
    return Form(fields, file_name, file)
