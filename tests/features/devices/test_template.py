"""Value templates: what each gives, what is refused and why, and that no source or payload can hurt."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unibos.features.devices.template import MISSING, MOST_OUTPUT, Payload, compile_template, parse_json
from unibos.features.devices.values import clean, number, read_json
from unibos.kernel.errors import Invalid

DATA = {"t": 21.456, "n": 7, "s": "on", "b": True, "z": None, "e": "", "a": {"b": [{"c": "deep"}, 2]}, "k y": 1, "num": "12.5", "l": [1, 2],
        "0": "zero"}

GIVES = [
    ("{{ value_json.t }}", 21.456),
    ("{{value_json['t']}}", 21.456),
    ('{{ value_json["k y"] }}', 1),
    ("{{ value_json.a.b[0]['c'] }}", "deep"),
    ("{{ value_json.a.b[-1] }}", 2),
    ("{{ value_json.a.b.0.c }}", "deep"),
    ("{{ value_json['a']['b'] }}", '[{"c":"deep"},2]'),
    ("{{ value_json.b }}", True),
    ("{{ value_json.z }}", None),
    ("{{ value_json.missing }}", MISSING),
    ("{{ value_json.missing.more }}", MISSING),
    ("{{ value_json.a.b[9] }}", MISSING),
    ("{{ value_json.t.x }}", MISSING),
    ("{{ value_json.keys }}", MISSING),
    ("{{ value_json.__class__ }}", MISSING),
    ("T={{ value_json.t|round(1) }}°", "T=21.5°"),
    ("{{ value_json.n }}/{{ value_json.missing }}", MISSING),
    ("plain", "plain"),
    ("", ""),
    ("{# note #}{{ value_json.n }}", 7),
    ("a {{- value_json.n -}} b", "a7b"),
    ("{{ '}}' }}", "}}"),
    ("{{ 'it\\'s' }}", "it's"),
    ("{{ value_json.t | round }}", 21),
    ("{{ value_json.t | round(2) }}", 21.46),
    ("{{ value_json.t | round(1, 'floor') }}", 21.4),
    ("{{ value_json.t | round(precision=1, method='ceil') }}", 21.5),
    ("{{ value_json.t | int }}", 21),
    ("{{ value_json.num | float }}", 12.5),
    ("{{ value_json.num | int }}", 12),
    ("{{ value_json.s | int }}", MISSING),
    ("{{ value_json.s | int(0) }}", 0),
    ("{{ value_json.missing | float(default=-1) }}", -1),
    ("{{ value_json.missing | float }}", MISSING),
    ("{{ value_json.s | upper }}", "ON"),
    ("{{ ' A ' | lower | trim }}", "a"),
    ("{{ value_json.s | replace('o', '0') }}", "0n"),
    ("{{ value_json.n | string + 'x' }}", "7x"),
    ("{{ value_json.missing | default('none yet') }}", "none yet"),
    ("{{ value_json.missing | default(value_json.n) }}", 7),
    ("{{ value_json.e | default('empty', true) }}", "empty"),
    ("{{ value_json.e | default('empty') }}", ""),
    ("{{ value_json.missing | is_defined }}", MISSING),
    ("{{ value_json.n | is_defined }}", 7),
    ("{{ value_json.b | iif('ON', 'OFF') }}", "ON"),
    ("{{ value_json.n * 2 + 1 }}", 15),
    ("{{ 1 + 2 * 3 }}", 7),
    ("{{ (1 + 2) * 3 }}", 9),
    ("{{ 7 - 2 - 1 }}", 4),
    ("{{ 7 / 2 }}", 3.5),
    ("{{ 7 // 2 }}", 3),
    ("{{ 7 % 4 }}", 3),
    ("{{ -value_json.n }}", -7),
    ("{{ -5 | abs }}", 5),
    ("{{ 2 + 1.26 | round(1) }}", 3.3),
    ("{{ 1 ~ '-' ~ 2 }}", "1-2"),
    ("{{ 'a' + 'b' }}", "ab"),
    ("{{ 1 / 0 }}", MISSING),
    ("{{ 'a' * 3 }}", MISSING),
    ("{{ '%9999d' % 3 }}", MISSING),
    ("{{ 'a' < 1 }}", MISSING),
    ("{{ value_json.n > 5 }}", True),
    ("{{ value_json.n >= 7 and value_json.s == 'on' }}", True),
    ("{{ value_json.n != 7 or not value_json.b }}", False),
    ("{{ not value_json.missing }}", True),
    ("{{ value_json.missing == 'x' }}", False),
    ("{{ value_json.missing or value_json.n }}", 7),
    ("{{ value_json.missing is defined }}", False),
    ("{{ value_json.missing is not defined }}", True),
    ("{{ value_json.z is none }}", True),
    ("{{ value_json.n is number and value_json.s is string }}", True),
    ("{{ value_json.s in ['on', 'auto'] }}", True),
    ("{{ value_json.s in ('off', 'auto') }}", False),
    ("{{ value_json.s not in ['off'] }}", True),
    ("{{ 't' in value_json }}", True),
    ("{{ 'o' in value_json.s }}", True),
    ("{{ 'o' in value_json.missing }}", False),
    ("{{ ['off', 'eco', 'on'][value_json.l[1]] }}", "on"),
    ("{{ 'ON' if value_json.s == 'on' else 'OFF' }}", "ON"),
    ("{{ 'ON' if value_json.s == 'off' }}", MISSING),
    ("{{ 'a' if false else 'b' if false else 'c' }}", "c"),
    ("{% if value_json.n > 10 %}high{% elif value_json.n > 5 %}{{ value_json.n }}{% else %}low{% endif %}", 7),
    ("{% if value_json.missing %}x{% endif %}", ""),
    ("{%- if value_json.b -%} yes {%- else -%} no {%- endif -%}", "yes"),
    ("{% if value_json.b %}{% if value_json.z %}1{% else %}2{% endif %}{% endif %}", "2"),
    ("{{ true }}", True),
    ("{{ none }}", None),
]


@pytest.mark.parametrize(("source", "expected"), GIVES)
def test_it_gives(source, expected):
    found = compile_template(source)(json.dumps(DATA))
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("source", "payload", "expected"), [
    ("{{ value }}", b"21.5", "21.5"),
    ("{{ value | float * 2 }}", b"21.5", 43.0),
    ("{{ value[0] }}", b"abc", "a"),
    ("{{ value_json }}", b"21.5", 21.5),
    ("{{ value_json.t }}", b"not json", MISSING),
    ("{{ value_json.t }}", b"[1]", MISSING),
    ("{{ value_json[0] }}", b"[1]", 1),
    ("{{ value }}", b"\xff\xfe", MISSING),
    ("{{ value_json.t }}", b'{"t": NaN}', MISSING),
    ("{{ value_json.t }}", b'{"t": 1e999}', MISSING),
    ("{{ value_json.t * value_json.t }}", b'{"t": 1e300}', MISSING),
    ("{{ value_json.t * value_json.t }}", b'{"t": 900000000000000000}', 8.1e35),
    ("{{ value }}", b"x" * 70_000, MISSING),
])
def test_it_reads_payloads(source, payload, expected):
    assert compile_template(source)(payload) == expected


@pytest.mark.parametrize(("source", "words"), [
    ("{{ states('sensor.x') }}", "the name “states”"),
    ("{{ now() }}", "the name “now”"),
    ("{{ value.upper() }}", "the call of a function"),
    ("{{ value_json.a.format(1) }}", "the call of a function"),
    ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "the call of a function"),
    ("{{ value | regex_replace('a', 'b') }}", "the filter “regex_replace”"),
    ("{{ value | timestamp_local }}", "the filter “timestamp_local”"),
    ("{{ value | round(1, 'common', 2, 3) }}", "the known arguments of the filter “round”"),
    ("{{ value | int(base=16) }}", "the known arguments of the filter “int”"),
    ("{{ value | replace('a') }}", "the filter “replace” without its arguments"),
    ("{{ value is divisibleby 3 }}", "the test “is divisibleby”"),
    ("{{ value[1:3] }}", "a slice"),
    ("{{ {'a': 1}[value] }}", "a dictionary"),
    ("{{ 2 ** 99 }}", "the operator “**”"),
    ("{{ ** 2 }}", "the operator “**”"),
    ("{{ 1 < 2 < 3 }}", "a chain of comparisons"),
    ("{% set x = 1 %}{{ x }}", "the statement “set”"),
    ("{% for x in value_json %}{{ x }}{% endfor %}", "the statement “for”"),
    ("{% include 'x' %}", "the statement “include”"),
    ("{{ value", "cannot be read"),
    ("{{ }}", "cannot be read"),
    ("{{ value %}", "cannot be read"),
    ("{{ value | }}", "cannot be read"),
    ("{{ value[ }}", "cannot be read"),
    ("{{ value | int( }}", "cannot be read"),
    ("{{ () }}", "cannot be read"),
    ("{{ 'open }}", "cannot be read"),
    ("{{ value; value }}", "cannot be read"),
    ("{% if value %}x", "cannot be read"),
    ("{% if value %}x{% else %}y{% elif 1 %}z{% endif %}", "the statement “elif”"),
    ("{% endif %}", "the statement “endif”"),
    ("{# never", "cannot be read"),
    ("{{" + "(" * 21 + "1" + ")" * 21 + "}}", "nested deeper than 20"),
    ("{{ " + "not " * 30 + "1 }}", "nested deeper than 20"),
    ("{{ " + "-" * 30 + "1 }}", "nested deeper than 20"),
    ("{{ " + "1 if 1 else " * 30 + "1 }}", "nested deeper than 20"),
    ("{% if 1 %}" * 30 + "{% endif %}" * 30, "nested deeper than 20"),
    ("{{ value" + "|trim" * 41 + " }}", "more than 40 filters"),
    ("{{ value|trim }}" * 41, "more than 40 filters"),
    ("x" * 2049, "longer than 2048"),
    ("ü" * 1025, "longer than 2048"),
])
def test_it_refuses_with_the_reason(source, words):
    with pytest.raises(Invalid) as caught:
        compile_template(source)
    assert words in str(caught.value.text)


@pytest.mark.parametrize("source", [
    "{{ " + "1+" * 1000 + "1 }}",
    "{{ value" + "|trim" * 40 + " }}",
    "{{ value" + "[1-1]" * 400 + " }}",
    "{{ value_json" + "['a']" * 400 + " }}",
    "{{ " + "value or " * 220 + "1 }}",
    "{{ value" + "~value" * 330 + " }}",
    "{{ " + "value+" * 330 + "value }}",
    "{{ 'a'" + "|replace('a','aaaaaaaaaa')" * 40 + " }}",
    "{{ 9" + "*999999999999999999" * 100 + " }}",
    "{% if 0 %}" + "{% elif 0 %}" * 150 + "{% endif %}",
    "{{value}}" * 220,
])
def test_long_chains_stay_small(source):
    found = compile_template(source)("y" * 60_000)
    assert found is MISSING or len(str(found)) <= MOST_OUTPUT


def test_output_is_cut_to_whole_characters():
    found = compile_template("{{ value }}")("€" * 2000)
    assert found == "€" * 341
    assert len(found.encode()) <= MOST_OUTPUT


def test_json_is_parsed_once_for_all_who_share_a_message():
    message = Payload(b'{"t": {"x": 1}, "h": 2}')
    first = message.json
    assert message.json is first
    assert compile_template("{{ value_json.h }}").evaluate(message) == 2
    assert Payload("ignored", {"h": 3}).json == {"h": 3}
    assert not compile_template("{{ value | float }}").needs_json


@pytest.mark.parametrize(("payload", "words"), [
    (b"[" * 21 + b"]" * 21, "nested deeper than 20"),
    (b"[" * 60_000, "not JSON"),
    (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, ""),
    (b"Infinity", "not JSON"), (b"-Infinity", "not JSON"), (b"1e400", "not JSON"), (b"9" * 5000, "not JSON"),
    (b"\xff", "not JSON"), (b"", "not JSON"), (b"{", "not JSON"),
    (b'"' + b"x" * 65_536 + b'"', "longer than 65536 bytes"),
])
def test_json_beyond_the_bounds_is_refused(payload, words):
    with pytest.raises(Invalid) as caught:
        read_json(payload)
    assert words in str(caught.value.text)
    assert parse_json(payload) is MISSING


def test_json_within_the_bounds_is_read():
    assert read_json(b"[" * 20 + b"]" * 20) is not None
    wide = json.dumps([[1]] * 500).encode()
    assert read_json(wide) == [[1]] * 500
    assert read_json('{"s": "[[[[[[[[[[[[[[[[[[[[[[[["}') == {"s": "[" * 24}


@pytest.mark.parametrize(("words", "expected"), [
    ("21", 21), ("-3.5", -3.5), (" 7 ", 7), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("+2", 2), (True, 1), (2.5, 2.5),
    ("nan", None), ("inf", None), ("1_000", None), ("0x1f", None), ("٣", None), ("", None), ("1e999", None), ("9" * 65, None), (None, None),
    ([1], None), (float("inf"), None),
])
def test_number(words, expected):
    assert number(words) == expected


def test_clean_hides_what_cannot_be_seen():
    assert clean("a\x00b\x1b[31m\u202eevil\ud800  c\n", 64) == "a b [31m evil c"
    assert clean("x" * 100, 5) == "xxxxx"


PIECES = st.sampled_from([
    "{{", "}}", "{%", "%}", "{#", "#}", "-", "value", "value_json", ".", "[", "]", "(", ")", "'a'", '"', "'", "1", "0.5", "|", "int",
        "round",
    "default", "replace", "if", "else", "elif", "endif", "not", "in", "is", "defined", "and", "or", "+", "*", "/", "//", "%", "~", "==",
        "<",
    ",", "=", "none", "é", "{", "}", "\\",
])
TEXTS = st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=40).map(" ".join),
                  st.lists(PIECES, max_size=40).map(lambda parts: "{{ " + " ".join(parts) + " }}"))
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abt"), inner, max_size=3), max_leaves=8)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, JSON.map(json.dumps) | st.binary(max_size=60))
def test_no_source_and_no_payload_does_harm(source, payload):
    try:
        template = compile_template(source)
    except Invalid as refused:
        assert str(refused.text)
        return
    found = template(payload)
    assert found is MISSING or found is None or type(found) in (bool, int, float, str)
    assert len(str(found).encode("utf-8", "replace")) <= MOST_OUTPUT


@settings(deadline=None, max_examples=100)
@given(JSON)
def test_a_path_finds_what_json_holds(data):
    found = compile_template("{{ value_json.a.b }}")(json.dumps(data))
    inner = data.get("a") if isinstance(data, dict) else None
    if isinstance(inner, dict) and isinstance(inner.get("b", 0), (bool, type(None))):
        assert found is inner["b"]
    if not isinstance(inner, dict):
        assert found is MISSING


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_missing(payload):
    found = parse_json(payload)
    if found is not MISSING:
        json.dumps(found, allow_nan=False)
