"""Plots by their properties: whatever the numbers, the drawing is well-formed, finite, in order, and honest about gaps."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import xml.etree.ElementTree as ET
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unibos.kernel.ports import Point
from unibos.panel import plot as p

START = 1_774_000_800_000
HOUR = 3_600_000
UTC = dt.UTC
ZONES = ["UTC", "Europe/Istanbul", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "Pacific/Apia"]
numbers = st.floats(allow_nan=True, allow_infinity=True)
points = st.lists(st.builds(lambda at, a, b, c, n: Point(at, *sorted((a, b, c)), n), st.integers(START - HOUR, START + 25 * HOUR),
                            numbers, numbers, numbers, st.integers(0, 99)), max_size=60)


def at_times(*minutes: float, value: float = 20.0) -> list[Point]:
    return [Point(START + int(m * 60_000), value - 1, value, value + 1, 5) for m in minutes]


def draw(given_points: list[Point], **more: object) -> ET.Element:
    options: dict = {"start": START, "end": START + 24 * HOUR, "unit": "°C", "title": "Kitchen", "tz": UTC} | more
    return ET.fromstring(str(p.plot(given_points, **options)))


def of_class(svg: ET.Element, name: str) -> list[ET.Element]:
    return [e for e in svg.iter() if name in e.get("class", "").split()]


def curves(svg: ET.Element, name: str = "mean") -> list[str]:
    return [e.get("d", "") for e in of_class(svg, name)]


@given(points, st.sampled_from(["line", "step"]), st.sampled_from(ZONES), st.integers(1, 900), st.integers(1, 400))
@settings(max_examples=150, deadline=None)
def test_any_numbers_give_a_finite_ordered_drawing(some: list[Point], kind: str, zone: str, width: int, height: int) -> None:
    svg = draw(some, kind=kind, tz=zoneinfo.ZoneInfo(zone), width=width, height=height)
    for element in svg.iter():
        for name in ("d", "x", "y", "x1", "x2", "y1", "y2"):
            text = element.get(name, "0").rstrip("%")
            assert not re.search("nan|inf|e", text, re.I), (name, text)
            assert all(math.isfinite(float(n)) for n in re.findall(r"-?\d+\.?\d*", text))
    carried = json.loads(svg.get("data-points", ""))
    assert [row[0] for row in carried] == sorted({row[0] for row in carried})
    assert len(carried) <= width
    usable = [q for q in some if START <= q.at <= START + 24 * HOUR and all(abs(v) <= p.LARGEST for v in (q.low, q.mean, q.high))]
    assert len(carried) <= len(usable) and bool(carried) == bool(usable)
    last = -1.0
    for d in curves(svg):
        xs = [float(x) for x in re.findall(r"[ML](-?[\d.]+) " if kind == "line" else r"[MH](-?[\d.]+)", d)]
        assert xs == sorted(xs) and xs[0] >= last and xs[-1] <= width + 0.01
        last = xs[-1]
    for d in curves(svg, "band"):
        for y in re.findall(r"[\d.]+ (-?[\d.]+)", d):
            assert p.TOP - 0.01 <= float(y) <= max(height - p.FOOT, p.TOP + 1) + 0.01


def test_a_gap_is_two_and_a_half_steps() -> None:
    assert len(curves(draw(at_times(0, 10, 20, 45, 55)))) == 1  # exactly 2.5 steps are still one curve
    assert len(curves(draw(at_times(0, 10, 20, 46, 56)))) == 2
    assert len(curves(draw(at_times(0, 10, 20, 46, 56), kind="step"))) == 2


def test_a_lonely_reading_is_seen_as_a_dot() -> None:
    first, lonely, last = curves(draw(at_times(0, 10, 20, 300, 600, 610, 620)))
    assert lonely.endswith("h0") and not first.endswith("h0") and not last.endswith("h0")
    assert curves(draw(at_times(30)))[0].endswith("h0")


def test_a_step_holds_its_value_but_not_over_a_gap() -> None:
    svg = draw(at_times(0, 60, 120, 600), kind="step", width=1440)  # one px is a minute
    first, second = curves(svg)
    assert re.findall(r"H([\d.]+)", first) == ["60", "120", "180"]
    assert re.findall(r"H([\d.]+)", second) == ["660"]


def test_thinning_keeps_extremes_counts_and_order() -> None:
    many = [Point(START + i * 1000, float(i), i + 0.5, i + 1.0, 2) for i in range(10_000)]
    few = p.thin(many, start=START, end=START + 10_000_000, most=100)
    assert len(few) == 100
    assert sum(q.count for q in few) == 20_000
    assert (few[0].low, few[-1].high) == (0.0, 10_000.0)
    assert few[0].mean == pytest.approx(50.0) and few[0].low == 0.0 and few[0].high == 100.0
    assert [q.at for q in few] == sorted(q.at for q in few)


def test_texts_from_people_are_escaped() -> None:
    nasty = "\"'><script>alert(1)</script>&"
    svg = draw(at_times(0, 10), title=nasty, unit=nasty, description=nasty, thresholds=[(20, nasty, nasty)], marks=[(START + HOUR, nasty)],
               labels=lambda at, kind: nasty, numbers=lambda value, digits: nasty, empty=nasty)
    assert not [e for e in svg.iter() if e.tag.endswith("script")]
    assert svg.findtext("title") == f"{nasty} ({nasty})"
    assert svg.get("data-unit") == nasty


def test_markup_has_no_inline_style_and_says_what_it_is() -> None:
    svg = draw(at_times(0, 10))
    assert svg.get("role") == "img" and svg.findtext("title") == "Kitchen (°C)"
    assert not [e for e in svg.iter() if "style" in e.attrib or e.tag == "style" or any(a.startswith("on") for a in e.attrib)]


def test_nothing_to_draw_says_so() -> None:
    svg = draw([], empty="no readings")
    assert [e.text for e in of_class(svg, "nothing")] == ["no readings"]
    assert not curves(svg) and of_class(svg, "time-label")
    assert not of_class(draw(at_times(1), empty="no readings"), "nothing")


def test_thresholds_and_marks_lie_where_they_are() -> None:
    svg = draw(at_times(0, 10, value=20), low=0, high=40, thresholds=[40.0, (0.0, "zero", "bad")], marks=[(START + 6 * HOUR, "1.4.0"),
               (START - HOUR, "before")], height=222)
    top, zero = of_class(svg, "threshold")
    assert float(top.get("y1", "")) == p.TOP and float(zero.get("y1", "")) == 200
    assert [e.get("x1") for e in of_class(svg, "mark")] == ["25%"]


def test_the_reader_script_gets_what_was_drawn() -> None:
    svg = draw([Point(START, 1.0, 1.0, 1.0, 1), Point(START + 1000, 1.0, 1.5, 2.0, 4)], tz=zoneinfo.ZoneInfo("Europe/Istanbul"))
    assert json.loads(svg.get("data-points", "")) == [[0, 1], [1000, 1.5, 1, 2]]
    assert (svg.get("data-start"), svg.get("data-end"), svg.get("data-zone")) == (str(START), str(START + 24 * HOUR), "Europe/Istanbul")
    assert draw([], tz=dt.timezone(dt.timedelta(hours=5, minutes=45))).get("data-zone") == "+05:45"
    assert draw([]).get("data-zone") == "UTC"


@given(st.integers(0, 4_000_000_000_000), st.integers(1, 12 * 366 * 24 * HOUR), st.sampled_from(ZONES), st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_ticks_are_round_local_times_in_order(start: int, span: int, zone: str, most: int) -> None:
    tz = zoneinfo.ZoneInfo(zone)
    found = p.ticks(start, start + span, tz, most)
    times = [at for at, _ in found]
    assert times == sorted(set(times)) and all(start <= at <= start + span for at in times)
    assert len(found) <= most + 3
    for at, kind in found:
        local = dt.datetime.fromtimestamp(at / 1000, tz)
        assert local.microsecond == 0 and (kind == "second" or local.second == 0)
        if kind in ("day", "month"):
            assert (local.hour, local.minute) == (0, 0)
        if kind == "month":
            assert local.day == 1


def test_ticks_over_a_change_of_the_clock() -> None:
    tz = zoneinfo.ZoneInfo("Europe/Berlin")
    autumn = int(dt.datetime(2026, 10, 25, 0, 0, tzinfo=tz).timestamp() * 1000)
    shown = [dt.datetime.fromtimestamp(at / 1000, tz).strftime("%H:%M") for at, _ in p.ticks(autumn, autumn + 5 * HOUR, tz, 5)]
    assert shown == ["00:00", "01:00", "02:00", "02:00", "03:00", "04:00"]
    spring = int(dt.datetime(2026, 3, 29, 0, 0, tzinfo=tz).timestamp() * 1000)
    shown = [dt.datetime.fromtimestamp(at / 1000, tz).strftime("%H:%M") for at, _ in p.ticks(spring, spring + 4 * HOUR, tz, 4)]
    assert shown == ["00:00", "01:00", "03:00", "04:00", "05:00"]


@given(st.lists(st.none() | numbers, max_size=300), st.integers(1, 200), st.integers(4, 60))
@settings(deadline=None)
def test_a_small_curve_stays_in_its_box(values: list[float | None], width: int, height: int) -> None:
    markup = str(p.spark(values, width, height))
    assert bool(markup) == any(v is not None and abs(v) <= p.LARGEST for v in values)
    if markup:
        drawn = ET.fromstring(markup)
        assert drawn.get("aria-hidden") == "true"
        for path in drawn.iter("path"):
            for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.get("d", "")):
                assert 0 <= float(x) <= width and 0 <= float(y) <= height


def test_a_small_curve_shows_a_gap() -> None:
    assert str(p.spark([1, 2, None, 3, 4])).count("M") == 4  # two runs, each as a fill and a line


def test_the_table_has_the_same_numbers_newest_first() -> None:
    table = p.rows(at_times(0, 10), start=START, end=START + HOUR, tz=UTC, digits=1)
    assert table == [("2026-03-20 10:10", "20.0", "19.0", "21.0"), ("2026-03-20 10:00", "20.0", "19.0", "21.0")]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="pie"):
        draw([], kind="pie")
