"""Sentences that can be said in any language, built where the fact is known and rendered where it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Text:
    """A sentence (gettext message id) with its parameters; `str()` says it in English."""

    message: str
    params: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.render(lambda message: message)

    def render(self, translate: Callable[[str], str]) -> str:
        """Say the sentence with `translate(message id) -> message`; parameters may be Texts themselves."""
        said = {k: v.render(translate) if isinstance(v, Text) else v for k, v in self.params.items()}
        template = translate(self.message)
        return template % said if said else template.replace("%%", "%")


def T(message: str, /, **params: object) -> Text:
    """Mark `message` (with %(name)s parameters) as a sentence that people read."""
    return Text(message, params)
