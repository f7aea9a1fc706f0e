"""What a device's message can say: text, numbers and JSON with bounds, and the operators and filters of value templates.

Everything here is total and bounded: a value that cannot be had is MISSING or raises TypeError, ValueError or ArithmeticError,
which `Template.apply` turns into MISSING.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable

from unibos.kernel.errors import Invalid
from unibos.kernel.words import T

MOST_DEPTH = 20  # levels of nesting
MOST_PAYLOAD = 64 * 1024  # bytes of a message, and of any text on the way to a result


class Missing:
    """The type of MISSING: no reading. Falsy, as an undefined value is in Jinja."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]+")


def clean(words: str, most: int) -> str:
    """`words` as a person may be shown them: no control, direction or invisible characters, single spaces, at most `most` characters."""
    return " ".join(_UNSEEN.sub(" ", words[:most * 4]).split())[:most].rstrip()


# --- JSON -------------------------------------------------------------------------------------------------------------

def _float(digits: str) -> float:
    value = float(digits) if len(digits) <= 64 else math.inf
    if not math.isfinite(value):
        raise ValueError("out of range")
    return value


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= 18 else _float(digits)


def _constant(name: str) -> object:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_float=_float, parse_int=_integer, parse_constant=_constant)


def read_json(payload: bytes | str, *, size: int = MOST_PAYLOAD, depth: int = MOST_DEPTH) -> object:
    """Parse JSON of at most `size` bytes and `depth` levels; NaN, Infinity and numbers out of range are refused. Raises Invalid."""
    if len(payload) > size:
        raise Invalid(T("The message is longer than %(most)s bytes.", most=size))
    try:
        text = payload if isinstance(payload, str) else payload.decode()
        found = _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise Invalid(T("The message is not JSON.")) from None
    if text.count("{") + text.count("[") > depth:
        level = [found]
        for _ in range(depth):
            level = [child for node in level if isinstance(node, (dict, list))
                     for child in (node.values() if isinstance(node, dict) else node)]
        if any(isinstance(node, (dict, list)) for node in level):
            raise Invalid(T("The message is nested deeper than %(most)s levels.", most=depth))
    return found


def parse_json(payload: bytes | str) -> object:
    """The value of a JSON message, MISSING when it is none (see `read_json`)."""
    try:
        return read_json(payload)
    except Invalid:
        return MISSING


class Payload:
    """One message: decoded at once, parsed as JSON when first asked for and only then, whoever asks."""

    __slots__ = ("_json", "text")

    def __init__(self, raw: bytes | str, parsed: object = ...):
        """`parsed` is the JSON value or MISSING, if the caller already knows it. Text that is no UTF-8 is MISSING."""
        try:
            self.text: str | Missing = raw if isinstance(raw, str) else raw.decode()
        except UnicodeDecodeError:
            self.text = MISSING
        if len(raw) > MOST_PAYLOAD:
            self.text = MISSING
        self._json = parsed

    @property
    def json(self) -> object:
        """The JSON value, MISSING if there is none."""
        if self._json is ...:
            self._json = parse_json(self.text) if isinstance(self.text, str) else MISSING
        return self._json


# --- values -----------------------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"[+-]?(?:\d+(\.\d*)?|(\.\d+))([eE][+-]?\d{1,3})?", re.ASCII)


def number(value: object) -> int | float | None:
    """`value` as a finite number if it is one or says one in ASCII digits (at most 64 characters), else None."""
    if isinstance(value, str):
        found = _NUMBER.fullmatch(words) if len(words := value.strip()) <= 64 else None
        if found is None:
            return None
        value = int(words) if found.lastindex is None and len(words) <= 18 else float(words)
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)) else None


def text(value: object) -> str:
    """`value` as Home Assistant writes it (True, None, 21.5); lists and objects as JSON. Raises TypeError for MISSING."""
    if isinstance(value, str):
        return value
    if value is MISSING:
        raise TypeError("no value")
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


def bounded(words: str) -> str:
    if len(words) > MOST_PAYLOAD:
        raise ValueError("too long")
    return words


def _calculate(act: Callable[[object, object], object]) -> Callable[[object, object], object]:
    def run(a: object, b: object) -> object:
        # Only numbers: a str would be repeated by * and formatted by %, both without a bound.
        if type(a) not in (int, float) or type(b) not in (int, float):
            raise TypeError("not numbers")
        found = act(a, b)
        if isinstance(found, int):
            return found if found.bit_length() <= 64 else float(found)
        if not math.isfinite(found):
            raise ValueError("out of range")
        return found
    return run


_add = _calculate(operator.add)


def _plus(a: object, b: object) -> object:
    return bounded(a + b) if isinstance(a, str) and isinstance(b, str) else _add(a, b)


def _contains(a: object, b: object) -> bool:
    return b is not MISSING and a is not MISSING and a in b


def item(base: object, key: object) -> object:
    if isinstance(base, dict):
        return base.get(key, MISSING)
    if isinstance(base, (list, str)) and type(key) is int and -len(base) <= key < len(base):
        return base[key]
    return MISSING


def _convert(kind: type) -> Callable[..., object]:
    def run(value: object, default: object = MISSING) -> object:
        found = number(value)
        if found is None and default is MISSING:
            raise ValueError("not a number")
        return default if found is None else kind(found)
    return run


def _round(value: object, precision: object = 0, method: object = "common") -> object:
    found = number(value)
    if found is None or type(precision) is not int or abs(precision) > 15 or method not in ("common", "floor", "ceil"):
        raise ValueError("cannot round")
    factor = 10.0 ** precision
    done = round(float(found), precision) if method == "common" else getattr(math, method)(found * factor) / factor
    return int(done) if precision == 0 else done


def _default(value: object, default_value: object = "", boolean: object = False) -> object:
    return default_value if value is MISSING or (boolean and not value) else value


def _replace(value: object, old: object, new: object) -> str:
    words, a, b = text(value), text(old), text(new)
    if len(words) + words.count(a) * (len(b) - len(a)) > MOST_PAYLOAD:
        raise ValueError("too long")
    return words.replace(a, b)


def _is_defined(value: object) -> object:
    if value is MISSING:
        raise ValueError("not defined")
    return value


def _abs(value: object) -> object:
    return abs(_is_defined(number(value)))


def _iif(value: object, if_true: object = True, if_false: object = False) -> object:
    return if_true if value else if_false


# name -> (function, names of its parameters, how many of them are needed)
FILTERS: dict[str, tuple[Callable[..., object], tuple[str, ...], int]] = {
    "int": (_convert(int), ("default",), 0), "float": (_convert(float), ("default",), 0),
    "round": (_round, ("precision", "method"), 0), "abs": (_abs, (), 0),
    "default": (_default, ("default_value", "boolean"), 0), "d": (_default, ("default_value", "boolean"), 0),
    "is_defined": (_is_defined, (), 0), "iif": (_iif, ("if_true", "if_false"), 0),
    "lower": (lambda value: text(value).lower(), (), 0), "upper": (lambda value: text(value).upper(), (), 0),
    "trim": (lambda value: text(value).strip(), (), 0), "string": (text, (), 0), "replace": (_replace, ("old", "new"), 2),
}
CHECKS: dict[str, Callable[[object], bool]] = {
    "defined": lambda value: value is not MISSING, "undefined": lambda value: value is MISSING, "none": lambda value: value is None,
    "number": lambda value: type(value) in (int, float), "string": lambda value: isinstance(value, str),
}
LEVELS: tuple[dict[str, Callable[[object, object], object]], ...] = (  # weakest first, as in Jinja
    {"+": _plus, "-": _calculate(operator.sub)},
    {"~": lambda a, b: bounded(text(a) + text(b))},
    {"*": _calculate(operator.mul), "/": _calculate(operator.truediv), "//": _calculate(operator.floordiv), "%": _calculate(operator.mod)},
)
COMPARE: dict[str, Callable[[object, object], object]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "in": _contains, "not in": lambda a, b: not _contains(a, b),
}
CONSTANTS = {"true": True, "True": True, "false": False, "False": False, "none": None, "None": None}
