"""What all messages share: the root of the models, kinds of text, and the one shape of an error."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = ["API", "BLOB", "DELTA_SIGNATURE_HEADER", "ErrorBody", "ErrorDetail", "Label", "Message"]


API = "/api/v1"


BLOB = "application/vnd.zunft"


DELTA_SIGNATURE_HEADER = "Zunft-Delta-Signature"


Label = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
]


Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]


Finite = Annotated[float, Field(allow_inf_nan=False)]


class Message(BaseModel):
    """Immutable and strict about its fields, so that a misspelt one is an error and not silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ErrorDetail(Message):
    """The one error shape: a word for programs, a sentence for people, where, and what to do."""

    code: str
    message: str
    where: str = ""
    remedy: str = ""
    request_id: str = ""


class ErrorBody(Message):
    """Body of every answer with status 4xx or 5xx."""

    error: ErrorDetail
