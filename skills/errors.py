"""The errors of Zunft, shared by all packages because they also travel over HTTP.

    ZunftError
    ├── ArtefactError      a file or blob is not what it claims to be
    ├── ContractError      a robot, environment, task and skill do not fit together
    ├── CodecError         a tensor cannot be encoded or decoded within the codec's bound
    ├── SignatureError     a signature, key or proof does not hold
    ├── RequestError       a request is understood but refused (carries the HTTP status)
    │   ├── NotFoundError, ConflictError, ForbiddenError, UnauthorizedError, TooLargeError,
    │   │   TooManyRequestsError
    └── HubUnreachableError   the hub did not answer; nothing is known about what it did

Each says what was wrong (message), where, and what to do about it (remedy). The hub turns them
into its one error shape (`skills.messages.base.ErrorBody`), the client turns that back into them.
"""

from __future__ import annotations

__all__ = [
    "ArtefactError",
    "CodecError",
    "ConflictError",
    "ContractError",
    "ForbiddenError",
    "HubUnreachableError",
    "NotFoundError",
    "RequestError",
    "SignatureError",
    "TooLargeError",
    "TooManyRequestsError",
    "UnauthorizedError",
    "ZunftError",
]


class ZunftError(Exception):
    """Root of all errors that Zunft raises on purpose.

    Args:
        message: What was wrong, with the offending value.
        where: The field, file or tensor at fault.
        remedy: What the reader can do about it.
        code: A stable word for programs; each class has its own, a call may be more precise.
        retry_after: Seconds after which the same request may be taken; 0 where nobody said.
    """

    code = "error"
    status = 400

    def __init__(
        self, message: str, *, where: str = "", remedy: str = "", code: str = "", retry_after: float = 0.0
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.remedy = remedy
        self.code = code or type(self).code
        self.retry_after = retry_after

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" {self.remedy}" if self.remedy else ""
        return f"{place}{self.message}{advice}"


class ArtefactError(ZunftError):
    """A file or blob is not what it claims to be: format, digest, truncation, non-finite numbers."""

    code = "bad_artefact"
    status = 422


class ContractError(ZunftError):
    """A robot, environment, task and skill do not fit together: shapes, names, rates."""

    code = "contract_mismatch"
    status = 422


class CodecError(ZunftError):
    """A tensor cannot be encoded or decoded within the codec's stated bound."""

    code = "bad_encoding"
    status = 422


class SignatureError(ZunftError):
    """A signature, key or proof does not hold."""

    code = "bad_signature"
    status = 401


class RequestError(ZunftError):
    """A well-formed request that is refused for its content."""

    code = "bad_request"
    status = 400


class UnauthorizedError(RequestError):
    """Who asks is unknown."""

    code = "unauthorized"
    status = 401


class ForbiddenError(RequestError):
    """Who asks is known and may not do this."""

    code = "forbidden"
    status = 403


class NotFoundError(RequestError):
    """What was asked for does not exist, or the caller may not know that it does."""

    code = "not_found"
    status = 404


class ConflictError(RequestError):
    """The request came too late or contradicts what is already there."""

    code = "conflict"
    status = 409


class TooLargeError(RequestError):
    """The body is over the limit; it was not read."""

    code = "too_large"
    status = 413


class TooManyRequestsError(RequestError):
    """The caller asks more often than it may; nothing was done."""

    code = "too_many_requests"
    status = 429


class HubUnreachableError(ZunftError):
    """The hub did not answer; the caller may repeat the request, every call is idempotent."""

    code = "hub_unreachable"
    status = 503
