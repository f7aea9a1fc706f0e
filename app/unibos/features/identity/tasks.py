"""The jobs of identity, done by the agent: send a sealed mail, and look up whom a forgotten password belongs to."""

from __future__ import annotations

from typing import Any

from unibos.kernel.errors import Invalid
from unibos.kernel.jobs import Task
from unibos.kernel.ports import Letter
from unibos.kernel.words import T


def mail(task: Task, payload: dict[str, Any]) -> dict[str, Any]:
    """Send one mail. Raises Blocked, Invalid, or Unavailable, which is tried again."""
    if task.kit.mail is None:
        raise Invalid(T("This device sends no mail: UNIBOS_SMTP_URL is not set."))
    content = task.services["identity"].mailer.unseal(payload["sealed"])
    task.kit.mail.send(Letter(content["to"], content["subject"], content["text"]), module="identity")
    return {}


def forgot(task: Task, payload: dict[str, Any]) -> dict[str, Any]:
    """Make and mail a reset link, if there is such a person: done here, so that nobody learns it by the time that the answer takes."""
    identity = task.services["identity"]
    content = identity.mailer.unseal(payload["sealed"])
    identity.resets.mail(content["email"], content["base"])
    return {}
