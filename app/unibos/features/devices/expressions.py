"""The reader of value templates: from source to one closure `(value, value_json) -> result`. What is supported: see `template`."""

from __future__ import annotations

import re
from collections.abc import Callable

from unibos.features.devices.values import CHECKS, COMPARE, CONSTANTS, FILTERS, LEVELS, MISSING, MOST_DEPTH, bounded, clean, item, text
from unibos.kernel.errors import Invalid
from unibos.kernel.words import T, Text

MOST_FILTERS = 40  # of a template; each may go over a whole message
Run = Callable[[object, object], object]  # (value, value_json)
Step = Callable[[object, object, object], object]  # (what was found so far, value, value_json)

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
_OPEN = re.compile(r"\{[{%#]-?")
_TOKEN = re.compile(r"""(?P<space>\s+)|(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)
    |(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<close>-?\}\}|-?%\})|(?P<op>==|!=|<=|>=|//|\*\*|[-+*/%~<>|.,:()\[\]={}])""",
                    re.ASCII | re.DOTALL | re.VERBOSE)


def _refuse(what: Text) -> Invalid:
    return Invalid(T("The value template uses %(what)s, which is not supported.", what=what))


def _unreadable(near: str) -> Invalid:
    return Invalid(T("The value template cannot be read near “%(near)s”.", near=clean(near, 30)))


def _lex(source: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at, strip = 0, False
    while True:
        start = _OPEN.search(source, at)
        words = source[at:start.start() if start else len(source)]
        words = words.lstrip() if strip else words
        words = words.rstrip() if start and start.group().endswith("-") else words
        if words:
            found.append(("text", words))
        if start is None:
            return found
        at = start.end()
        if start.group().startswith("{#"):
            end = source.find("#}", at)
            if end < 0:
                raise _unreadable(source[start.start():])
            at, strip = end + 2, source[end - 1] == "-"
            continue
        found.append(("open", start.group()[:2]))
        while found[-1][0] != "close":
            token = _TOKEN.match(source, at)
            if token is None:
                raise _unreadable(source[at:] or source[start.start():])
            at = token.end()
            if token.lastgroup != "space":
                found.append((token.lastgroup, token.group()))
        strip = found[-1][1].startswith("-")


class Parser:
    """Recursive descent; every chain (operators, filters, elif) is a loop, so that depth comes from nesting alone."""

    def __init__(self, source: str):
        self.tokens = _lex(source)
        self.at = 0
        self.depth = 0
        self.filters = 0
        self.needs_json = False

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead][1] if self.at + ahead < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        word = self.tokens[self.at][1]
        if wanted and word == "**":
            raise _refuse(T("the operator “%(name)s”", name=word))
        if wanted and word not in wanted:
            raise _unreadable(" ".join(token for _, token in self.tokens[max(0, self.at - 2):self.at + 3]))
        self.at += 1
        return word

    def deeper(self, parse: Callable[[], Run]) -> Run:
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise Invalid(T("The value template is nested deeper than %(most)s levels.", most=MOST_DEPTH))
        run = parse()
        self.depth -= 1
        return run

    def body(self, *stop: str) -> Run:
        parts: list[Run] = []
        while self.at < len(self.tokens):
            kind, words = self.tokens[self.at]
            self.at += 1
            if kind == "text":
                parts.append(_always(words))
            elif words == "{{":
                parts.append(self.deeper(self.expression))
                self.take("}}", "-}}")
            elif self.peek() in stop:
                return _joined(parts)
            elif self.peek() == "if":
                parts.append(self.deeper(self.statement))
            else:
                raise _refuse(T("the statement “%(name)s”", name=clean(self.peek(), 30)))
        if stop:
            raise _unreadable("{% if")
        return _joined(parts)

    def statement(self) -> Run:
        branches: list[tuple[Run, Run]] = []
        otherwise = _always("")
        while (word := self.take("if", "elif", "else", "endif")) != "endif":
            condition = self.expression() if word != "else" else _always(True)
            self.take("%}", "-%}")
            body = self.body(*(("elif", "else", "endif") if word != "else" else ("endif",)))
            if word == "else":
                otherwise = body
            else:
                branches.append((condition, body))
        self.take("%}", "-%}")

        def run(value: object, data: object) -> object:
            for condition, body in branches:
                if condition(value, data):
                    return body(value, data)
            return otherwise(value, data)
        return run

    def expression(self) -> Run:
        first = self.either()
        if self.peek() != "if":
            return first
        self.take()
        condition = self.either()
        other = _always(MISSING)
        if self.peek() == "else":
            self.take()
            other = self.deeper(self.expression)
        return lambda value, data: first(value, data) if condition(value, data) else other(value, data)

    def either(self) -> Run:
        return self.any_of("or", lambda: self.any_of("and", self.negation))

    def any_of(self, word: str, part: Callable[[], Run]) -> Run:
        parts = [part()]
        while self.peek() == word:
            self.take()
            parts.append(part())
        if len(parts) == 1:
            return parts[0]

        def run(value: object, data: object) -> object:
            found: object = MISSING
            for each in parts:
                found = each(value, data)
                if bool(found) is (word == "or"):
                    break
            return found
        return run

    def negation(self) -> Run:
        if self.peek() != "not":
            return self.comparison()
        self.take()
        inner = self.deeper(self.negation)
        return lambda value, data: not inner(value, data)

    def comparison(self) -> Run:
        left = self.calculation(0)
        if (word := self.operator()) is None:
            return left
        act, right = COMPARE[word], self.calculation(0)
        if self.operator() is not None:
            raise _refuse(T("a chain of comparisons"))
        return lambda value, data: act(left(value, data), right(value, data))

    def operator(self) -> str | None:
        word = self.peek()
        if word == "not":
            self.take()
            return f"not {self.take('in')}"
        return self.take() if word in COMPARE else None

    def calculation(self, level: int) -> Run:
        if level == len(LEVELS):
            return self.filtered()
        first, rest = self.calculation(level + 1), []
        while self.peek() in LEVELS[level]:
            rest.append((LEVELS[level][self.take()], self.calculation(level + 1)))
        if not rest:
            return first

        def run(value: object, data: object) -> object:
            found = first(value, data)
            for act, right in rest:
                found = act(found, right(value, data))
            return found
        return run

    def filtered(self) -> Run:
        first, steps = self.signed(), []
        while (word := self.peek()) in ("|", "is"):
            self.take()
            steps.append(self.filter() if word == "|" else self.check())
        if not steps:
            return first

        def run(value: object, data: object) -> object:
            found = first(value, data)
            for step in steps:
                found = step(found, value, data)
            return found
        return run

    def signed(self) -> Run:
        if (sign := self.peek()) not in ("+", "-"):
            return self.primary()
        self.take()
        inner, act = self.deeper(self.signed), LEVELS[0][sign]
        return lambda value, data: act(0, inner(value, data))

    def filter(self) -> Step:
        name = self.word()
        if name not in FILTERS:
            raise _refuse(T("the filter “%(name)s”", name=name))
        self.filters += 1
        if self.filters > MOST_FILTERS:
            raise Invalid(T("The value template uses more than %(most)s filters.", most=MOST_FILTERS))
        act, names, needed = FILTERS[name]
        given: dict[str, Run] = {}
        if self.peek() == "(":
            self.take()
            while self.peek() != ")":
                key = names[len(given)] if len(given) < len(names) else ""
                if self.peek(1) == "=":
                    key = self.word()
                    self.take("=")
                if key not in names or key in given:
                    raise _refuse(T("more than the known arguments of the filter “%(name)s”", name=name))
                given[key] = self.deeper(self.expression)
                if self.peek() != ")":
                    self.take(",")
            self.take(")")
        if len(given) < needed:
            raise _refuse(T("the filter “%(name)s” without its arguments", name=name))
        if not given:
            return lambda found, value, data: act(found)
        arguments = tuple(given.items())
        return lambda found, value, data: act(found, **{key: run(value, data) for key, run in arguments})

    def check(self) -> Step:
        negated = self.peek() == "not"
        if negated:
            self.take()
        name = self.word()
        if name not in CHECKS:
            raise _refuse(T("the test “is %(name)s”", name=name))
        holds = CHECKS[name]
        return lambda found, value, data: holds(found) is not negated

    def word(self) -> str:
        kind, name = self.tokens[self.at]
        if kind != "name":
            self.take("a name")
        self.at += 1
        return clean(name, 40)

    def primary(self) -> Run:
        kind, word = self.tokens[self.at]
        if kind == "number":
            run = _always(self.number())
        elif kind == "string":
            self.take()
            run = _always(_unquoted(word))
        elif word in ("(", "["):
            run = self.bracket()
        elif word == "{":
            raise _refuse(T("a dictionary"))
        elif kind != "name":
            self.take("a value")
        else:
            self.take()
            if word == "value_json":
                self.needs_json = True
                return self.path(_data)
            if word == "value":
                run = _value
            elif word in CONSTANTS:
                run = _always(CONSTANTS[word])
            else:
                raise _refuse(T("the name “%(name)s”", name=clean(word, 40)))
        return self.path(run)

    def number(self) -> int | float:
        word = self.take()
        return float(word) if "." in word or len(word) > 18 else int(word)

    def bracket(self) -> Run:
        opened = self.take()
        closing = ")" if opened == "(" else "]"
        parts: list[Run] = []
        listed = opened == "["
        while self.peek() != closing:
            parts.append(self.deeper(self.expression))
            if self.peek() != closing:
                self.take(",")
                listed = True
        self.take(closing)
        if listed:
            return lambda value, data: [part(value, data) for part in parts]
        if not parts:
            raise _unreadable("()")
        return parts[0]

    def path(self, run: Run) -> Run:
        """`.key`, `['key']`, `[0]` and `[expression]` after `run`; the common constant keys cost one look-up each."""
        keys: list[str | int | Run] = []
        while (word := self.peek()) in (".", "[", "("):
            if word == "(":
                raise _refuse(T("the call of a function"))
            self.take()
            kind, key = self.tokens[self.at]
            if word == ".":
                if kind != "name" and not (kind == "number" and key.isdigit()):
                    raise _unreadable(f".{key}")
                keys.append(self.number() if kind == "number" else self.take())
            elif self.peek(1) == "]" and kind in ("string", "number"):
                keys.append(_unquoted(self.take()) if kind == "string" else self.number())
                self.take("]")
            else:
                keys.append(self.deeper(self.expression))
                if self.peek() == ":":
                    raise _refuse(T("a slice"))
                self.take("]")
        return _path(run, keys)


def _always(constant: object) -> Run:
    return lambda value, data: constant


def _value(value: object, data: object) -> object:
    return value


def _data(value: object, data: object) -> object:
    return data


def _unquoted(literal: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found.group(1), found.group()), literal[1:-1], flags=re.DOTALL)


def _path(run: Run, keys: list[str | int | Run]) -> Run:
    if not keys:
        return run
    if run is _data and len(keys) == 1 and isinstance(keys[0], str):
        key = keys[0]
        return lambda value, data: data.get(key, MISSING) if type(data) is dict else MISSING
    steps = tuple(keys)

    def walk(value: object, data: object) -> object:
        found = run(value, data)
        for step in steps:
            found = item(found, step(value, data) if callable(step) else step)
        return found
    return walk


def _joined(parts: list[Run]) -> Run:
    if len(parts) == 1:
        return parts[0]

    def run(value: object, data: object) -> object:
        words = ""
        for part in parts:
            found = part(value, data)
            if found is MISSING:
                return MISSING
            words = bounded(words + text(found))
        return words
    return run
