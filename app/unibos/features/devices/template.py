"""Value templates of devices: the safe subset of Home Assistant's, compiled to closures (appliances.md section 4.1).

Text around `{{ … }}` expressions and `{% if %}…{% elif %}…{% else %}…{% endif %}`. Expressions know `value`, `value_json` with
`.key`, `['key']` and `[0]`, literals, `+ - * / // % ~`, one comparison, `in`, `and or not`, `is defined`, inline if and the filters
in `values.FILTERS`. Nothing can be called and no attribute of a Python object is ever reached; sizes and depth are bounded, so that a
template from the network costs no more than a few microseconds.
"""

from __future__ import annotations

from functools import lru_cache

from unibos.features.devices.expressions import Parser, Run
from unibos.features.devices.values import MISSING, Missing, Payload, parse_json, text
from unibos.kernel.errors import Invalid
from unibos.kernel.words import T

__all__ = ["MISSING", "Missing", "Payload", "Template", "compile_template", "parse_json"]

MOST_SOURCE = 2048  # bytes of a template
MOST_OUTPUT = 1024  # bytes of text that a template may give


class Template:
    """A compiled value template; make it with `compile_template`. Safe to share between threads."""

    __slots__ = ("_run", "needs_json", "source")

    def __init__(self, source: str, run: Run, needs_json: bool):
        self.source = source
        self.needs_json = needs_json  # whether it looks at value_json at all
        self._run = run

    def __call__(self, payload: bytes | str) -> object:
        """The value for a message: float, int, str, bool, None, or MISSING when there is no reading in it."""
        message = Payload(payload)
        return self.evaluate(message)

    def evaluate(self, message: Payload) -> object:
        """As calling it, for a message that several templates share."""
        if message.text is MISSING:
            return MISSING
        return self.apply(message.text, message.json if self.needs_json else MISSING)

    def apply(self, value: object, value_json: object = MISSING) -> object:
        """The value for `value` (text; a number in command templates) and its parsed JSON.

        A single expression keeps its type, lists and objects become JSON text, text is stripped and cut at MOST_OUTPUT
        bytes. A missing path, an operator that does not fit its operands or an overflow gives MISSING; never raises.
        """
        try:
            found = self._run(value, value_json)
            if isinstance(found, (str, dict, list)):
                found = text(found).strip()
                if len(found) * 4 > MOST_OUTPUT:
                    found = found.encode("utf-8", "replace")[:MOST_OUTPUT].decode("utf-8", "ignore")
        except (TypeError, ValueError, ArithmeticError):
            return MISSING
        return found


@lru_cache(maxsize=2048)
def compile_template(source: str) -> Template:
    """Compile a value template. Raises Invalid that names what is not supported, cannot be read or is over a bound."""
    if len(source) > MOST_SOURCE or len(source.encode("utf-8", "replace")) > MOST_SOURCE:
        raise Invalid(T("The value template is longer than %(most)s bytes.", most=MOST_SOURCE))
    parser = Parser(source.strip())
    return Template(source, parser.body(), parser.needs_json)
