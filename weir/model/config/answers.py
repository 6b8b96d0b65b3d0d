"""What a proxy answers by itself: redirects and direct responses."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, model_validator

from weir.model.config.base import Part, at_most_one, exactly_one, key, required
from weir.model.values.numbers import Port, RedirectCode, Status
from weir.model.values.problems import shown
from weir.model.values.schema import described
from weir.model.values.text import SomeText, Text

MAX_BODY_BYTES = 2**20
"""Istio refuses more, for the sake of its own control plane."""


class Redirect(Part):
    """An answer that sends the caller elsewhere."""

    message = "HTTPRedirect"

    uri: SomeText | None = key("the new path", example="/moved")
    prefix_rewrite: SomeText | None = key(
        "the new beginning of the path; every uri match must be by prefix", example="/v2/"
    )
    authority: SomeText | None = key("the new host", example="shop.example.com")
    port: Port | None = key("the new port", example=8080)
    derive_port: Literal["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"] | None = key(
        "the new port, by rule", example="FROM_REQUEST_PORT"
    )
    scheme: Literal["http", "https"] | None = key("the new scheme", example="https")
    redirect_code: RedirectCode | None = key("the status: 301, 302, 303, 307 or 308; 301 when left out", example=308)

    @model_validator(mode="after")
    def _says_where(self) -> Redirect:
        at_most_one(self, "uri", "prefix_rewrite")
        at_most_one(self, "port", "derive_port")
        if not self.model_fields_set - {"redirect_code"}:
            raise ValueError("must say where to: uri, prefixRewrite, authority, port or scheme")
        return self


def _base64(value: Any) -> str:
    try:
        base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise ValueError(f"must be bytes in base64, was {shown(value)}") from None
    if not value:
        raise ValueError('must be bytes in base64, was ""; for an answer without a body leave body out')
    return str(value)


class Body(Part):
    """The body of an answer."""

    message = "HTTPBody"

    string: Text | None = key("the body as text", example="closed for maintenance")
    bytes: Annotated[str, PlainValidator(_base64), described("bytes in base64")] | None = key(
        "the body in base64", example="AAE="
    )

    @model_validator(mode="after")
    def _one_form(self) -> Body:
        exactly_one(self, "string", "bytes")
        if self.size > MAX_BODY_BYTES:
            raise ValueError(f"must be at most {MAX_BODY_BYTES} bytes, was {self.size}; serve it from a pod")
        return self

    @property
    def size(self) -> int:
        """Bytes that the caller gets."""
        return len(self.string.encode()) if self.string is not None else len(base64.b64decode(self.bytes or ""))


class DirectResponse(Part):
    """An answer given by the proxy; the request reaches no version."""

    message = "HTTPDirectResponse"

    status: Status = required("the HTTP status to answer with, 200 to 599", example=503)
    body: Body | None = key("the body of the answer", example={"string": "closed"})
