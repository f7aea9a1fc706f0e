"""The one tree of errors: each class knows its code, HTTP status, exit number and whether a retry can help.

Web (RFC 9457), API, CLI and worker each have one handler that reads these attributes; no message is parsed.
"""

from __future__ import annotations

from collections.abc import Mapping

from unibos.kernel.words import T, Text


class UnibosError(Exception):
    """Root of all errors that reach a person. `text` says what happened, what it means and what to do."""

    code = "internal"
    status = 500
    exit = 1
    retry = False
    title = T("Something went wrong")

    def __init__(self, text: Text | str | None = None, *, fields: Mapping[str, Text | str] | None = None,
                 retry_after: float | None = None, **extra: object):
        self.text = text if text is not None else self.title
        self.fields = dict(fields or {})
        self.retry_after = retry_after
        self.extra = extra
        super().__init__(str(self.text))


class Invalid(UnibosError):
    """The input breaks a stated rule; nothing was changed."""

    code, status, exit = "invalid", 400, 2
    title = T("That input cannot be used")


class Unauthenticated(UnibosError):
    """Nobody proved who is asking."""

    code, status, exit = "unauthenticated", 401, 77
    title = T("Log in first")


class FactorNeeded(Unauthenticated):
    """The password was right and is not enough: `challenge`, `expires_in` seconds and `factors` (totp, recovery) say how to go on."""

    code = "factor-needed"
    title = T("A second step is needed")


class Forbidden(UnibosError):
    """The one asking may not do this."""

    code, status, exit = "forbidden", 403, 77
    title = T("You may not do this")


class Blocked(Forbidden):
    """Export control refused to let data leave this device."""

    code = "export-blocked"
    title = T("Export control stopped this")


class NotTrusted(Forbidden):
    """The hub does not trust the node that asks (any more); `since` says since when (ISO 8601), or is empty."""

    code = "node-not-trusted"
    title = T("This node is not trusted")


class NotFound(UnibosError):
    """There is no such thing, or none that the one asking may see."""

    code, status, exit = "not-found", 404, 66
    title = T("There is nothing here")


class MethodNotAllowed(UnibosError):
    """The address exists, but not for this method."""

    code, status, exit = "method-not-allowed", 405, 2
    title = T("This address does not take that method")


class Conflict(UnibosError):
    """The state of things does not allow it (any more)."""

    code, status, exit = "conflict", 409, 73
    title = T("That is no longer possible")


class TooLarge(UnibosError):
    """The input is over a stated size."""

    code, status, exit = "too-large", 413, 2
    title = T("That is too large")


class Unsupported(UnibosError):
    """The media type is none that is taken here."""

    code, status, exit = "unsupported-media-type", 415, 2
    title = T("That kind of file is not taken here")


class LimitReached(UnibosError):
    """A limit of the organisation or the device is reached; the text names it."""

    code, status, exit = "limit-reached", 422, 73
    title = T("A limit is reached")


class Throttled(UnibosError):
    """Too many tries; `retry_after` seconds say when the next one counts."""

    code, status, exit, retry = "throttled", 429, 75, True
    title = T("Too many tries")


class Unavailable(UnibosError):
    """Something that is needed does not answer now; nothing was changed."""

    code, status, exit, retry = "unavailable", 503, 69, True
    title = T("A needed part does not answer")


class StorageFull(Unavailable):
    """The disk or the quota is full."""

    code, status = "storage-full", 507
    title = T("There is no room left")


class SettingError(UnibosError):
    """A setting is unknown or malformed; the text names it. Raised before anything listens."""

    code, status, exit = "setting", 500, 78
    title = T("A setting cannot be used")


class StartError(UnibosError):
    """The process cannot start here: a port in use, a directory that cannot be written, a program missing."""

    code, status, exit = "start", 500, 71
    title = T("UNIBOS cannot start")


def every() -> list[type[UnibosError]]:
    """All error classes, root first, for the contract and the docs."""
    found: list[type[UnibosError]] = [UnibosError]
    for cls in found:
        found.extend(cls.__subclasses__())
    return found
