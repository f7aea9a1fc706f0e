"""Plots drawn on the server as SVG: pure functions from points to markup, themed by class names only.

Positions along the time axis are fractions of the width, and the curve lies in an inner drawing that stretches without
preserving its aspect, so that one drawing fits a phone and a wall screen while its text keeps its size.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median

from markupsafe import Markup, escape

from unibos.kernel.ports import Point

UTC = dt.UTC
TOP, FOOT = 14, 22  # room in px above the curve (marks) and below it (times)
GAP = 2.5  # two buckets further apart than this many typical steps have a gap between them
LARGEST = 1e100  # what is larger, infinite or not a number is no reading
SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
DAYS = (1, 2, 7, 14)
MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
FORMATS = {"second": "%H:%M:%S", "minute": "%H:%M", "day": "%d %b", "month": "%b %Y", "exact": "%Y-%m-%d %H:%M"}

Labels = Callable[[dt.datetime, str], str]
Numbers = Callable[[float, int], str]


def iso_labels(at: dt.datetime, kind: str) -> str:
    """The time of a tick where no language is known; `kind` is second, minute, day, month or exact."""
    return at.strftime(FORMATS[kind])


def plain_numbers(value: float, digits: int) -> str:
    """A number with `digits` decimals where no language is known."""
    return f"{value:.{digits}f}"


def plot(points: Sequence[Point], *, start: int, end: int, width: int = 720, height: int = 200, unit: str, title: str,
         tz: dt.tzinfo, low: float | None = None, high: float | None = None,
         thresholds: Iterable[float | tuple[float, str] | tuple[float, str, str]] = (), marks: Iterable[tuple[int, str]] = (),
         kind: str = "line", labels: Labels = iso_labels, numbers: Numbers = plain_numbers, description: str = "",
         empty: str = "") -> Markup:
    """Draw `points` over [start, end] (ms since 1970) as an `<svg>` that fills its place and is `height` px high.

    `low` and `high` widen the value axis; `thresholds` are value, or (value, label), or (value, label, 'warn' or 'bad');
    `marks` are (ms, label) of events; `kind` is 'line' or 'step' (a value holds until the next one). `labels(local time, kind)`
    and `numbers(value, digits)` write in the reader's language; `empty` is said when there is nothing to draw. The markup carries
    the drawn numbers (`data-points`: [ms after start, mean, low, high]) for the script that reads values out.
    """
    if kind not in ("line", "step"):
        raise ValueError(f"unknown kind of plot: {kind}")
    end = max(end, start + 1)
    shown = thin(points, start=start, end=end, most=width)
    lines = [_threshold(t) for t in thresholds]
    floor, ceiling, values, digits = _scale(
        [p.low for p in shown] + [p.high for p in shown] + [v for v, _, _ in lines] + [v for v in (low, high) if v is not None])
    bottom = max(height - FOOT, TOP + 1)

    def x(at: float) -> float:
        return (at - start) / (end - start) * width

    def y(value: float) -> float:
        return bottom - (value - floor) / (ceiling - floor) * (bottom - TOP)

    runs, step = _runs(shown)
    out = [_head(shown, start=start, end=end, height=height, bottom=bottom, floor=floor, ceiling=ceiling, unit=unit, title=title,
                 description=description, tz=tz)]
    for value in values:
        out.append(f'<line class="grid" x1="0" x2="100%" y1="{_n(y(value))}" y2="{_n(y(value))}"/>')
    out.append(_times(start, end, tz, labels, width=width, bottom=bottom))
    out.append(f'<svg width="100%" height="{height}" viewBox="0 0 {width} {height}" preserveAspectRatio="none" overflow="visible">')
    for run in runs:
        ends = _ends(run, step, end) if kind == "step" else ()
        if len(run) > 1 or kind == "step":
            out.append(f'<path class="band" d="{_band(run, ends, x, y)}"/>')
        elif run[0].low < run[0].high:
            out.append(f'<path class="band-line" vector-effect="non-scaling-stroke" d="M{_n(x(run[0].at))} {_n(y(run[0].low))}'
                       f'V{_n(y(run[0].high))}"/>')
    for run in runs:
        ends = _ends(run, step, end) if kind == "step" else ()
        lonely = " dot" if len(run) == 1 and not ends else ""
        out.append(f'<path class="mean{lonely}" vector-effect="non-scaling-stroke" d="{_curve(run, ends, x, y)}"/>')
    out.append("</svg>")
    for value, label, level in lines:
        at = _n(y(value))
        out.append(f'<g class="{level}"><line class="threshold" x1="0" x2="100%" y1="{at}" y2="{at}"/>'
                   f'<text class="threshold-label" x="100%" dx="-4" y="{at}" dy="-4" text-anchor="end">{escape(label)}</text></g>')
    for at, label in marks:
        if start <= at <= end:
            share = (at - start) / (end - start)
            out.append(f'<g><title>{escape(label)}</title><line class="mark" x1="{_n(share * 100)}%" x2="{_n(share * 100)}%" '
                       f'y1="{TOP}" y2="{bottom}"/><text class="mark-label" x="{_n(share * 100)}%" y="{TOP - 3}" '
                       f'text-anchor="{_anchor(share, .15)}">{escape(label)}</text></g>')
    for value in values:
        out.append(f'<text class="value-label" x="0" y="{_n(y(value))}" dy="-4">{escape(numbers(value, digits))}</text>')
    if not shown and empty:
        out.append(f'<text class="nothing" x="50%" y="{_n((TOP + bottom) / 2)}" text-anchor="middle">{escape(empty)}</text>')
    out.append("</svg>")
    return Markup("".join(out))


def spark(values: Sequence[float | None], width: int = 96, height: int = 28) -> Markup:
    """A small curve without axes beside a number that says the value; None (or not finite) is a gap."""
    kept = [v for v in values if _finite(v)]
    if not kept:
        return Markup("")
    low, high = min(kept), max(kept)
    every = max(1, math.ceil(len(values) / max(width, 1)))
    chosen = list(values)[::-every][::-1]  # the newest value is always among them
    runs: list[list[tuple[float, float]]] = [[]]
    for i, value in enumerate(chosen):
        if not _finite(value):
            runs.append([])
            continue
        share = (value - low) / (high - low) if high > low else 0.5
        runs[-1].append((i / max(len(chosen) - 1, 1) * width, height - 2 - share * (height - 4)))
    fill, line = [], []
    for run in filter(None, runs):
        curve = "L".join(f"{_n(px)} {_n(py)}" for px, py in run)
        line.append(f"M{curve}" + ("h0" if len(run) == 1 else ""))
        fill.append(f"M{_n(run[0][0])} {height}L{curve}V{height}Z")
    return Markup(f'<svg class="spark" viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true" '
                  f'preserveAspectRatio="none"><path class="fill" d="{"".join(fill)}"/>'
                  f'<path class="line" vector-effect="non-scaling-stroke" d="{"".join(line)}"/></svg>')


def rows(points: Sequence[Point], *, start: int, end: int, tz: dt.tzinfo, most: int = 48, digits: int = 2, labels: Labels = iso_labels,
         numbers: Numbers = plain_numbers) -> list[tuple[str, str, str, str]]:
    """The same numbers for the table below a plot: (time, mean, low, high), newest first, at most `most`."""
    shown = thin(points, start=start, end=max(end, start + 1), most=most)
    return [(labels(_local(p.at, tz), "exact"), numbers(p.mean, digits), numbers(p.low, digits), numbers(p.high, digits))
            for p in reversed(shown)]


def thin(points: Sequence[Point], *, start: int, end: int, most: int) -> list[Point]:
    """Points of [start, end] in order of time, joined to at most `most` buckets; numbers that are no readings are left out."""
    inside = sorted((p for p in points if start <= p.at <= end and _finite(p.low) and _finite(p.mean) and _finite(p.high)),
                    key=lambda p: p.at)
    most = max(most, 1)
    buckets: dict[int, list[Point]] = {}
    for p in inside:
        buckets.setdefault(min(most - 1, (p.at - start) * most // (end - start)), []).append(p)
    crowded = len(inside) > most
    groups: Iterable[list[Point]] = buckets.values() if crowded else _same_time(inside)
    return [_join(group) for group in groups]


def ticks(start: int, end: int, tz: dt.tzinfo, most: int) -> list[tuple[int, str]]:
    """Round local times in [start, end] (ms), at most about `most`, as (ms, kind) with kind second, minute, day or month."""
    need = (end - start) / 1000 / max(most, 1)
    step = next((s for s in SECONDS if s >= need), None)
    if step is not None and step <= 3600:
        return list(_passing_times(start, end, tz, step * 1000))
    found: dict[int, str] = {}
    for local, kind in _round_times(start, end, tz, need, step):
        at = _instant(local, tz)
        if at is not None and start <= at <= end:
            found.setdefault(at, kind)
    return sorted(found.items())


def _passing_times(start: int, end: int, tz: dt.tzinfo, step: int) -> Iterator[tuple[int, str]]:
    """Every instant whose local time is a multiple of `step` ms (an hour at most); an hour that the clock repeats comes twice."""
    at = start
    while at <= end:
        local = _local(at, tz)
        off = (at + (local.utcoffset() or dt.timedelta(0)) // dt.timedelta(milliseconds=1)) % step
        if off:
            at += step - off
            continue
        yield at, "day" if local.hour == local.minute == local.second == 0 else "second" if step < 60_000 else "minute"
        at += 1


def _round_times(start: int, end: int, tz: dt.tzinfo, need: float, hours: int | None) -> Iterator[tuple[dt.datetime, str]]:
    """Naive local times of a whole number of hours (given in seconds), else of days or months at least `need` seconds apart."""
    first, final = _local(start, tz).replace(tzinfo=None), _local(end, tz).replace(tzinfo=None)
    day = first.replace(hour=0, minute=0, second=0, microsecond=0)
    if hours is not None:
        local = day - dt.timedelta(days=1)  # over a change of the clock the local time runs back
        while local <= final + dt.timedelta(days=1):
            yield local, "day" if local.hour == 0 else "minute"
            local += dt.timedelta(seconds=hours)
    elif (step := next((d for d in DAYS if d * 86400 >= need), None)) is not None:
        ordinal = (day.toordinal() - 1) // step * step + 1  # weeks begin on Monday
        while ordinal <= final.toordinal():
            yield dt.datetime.fromordinal(max(ordinal, 1)), "day"
            ordinal += step
    else:
        step = next((m for m in MONTHS if m * 28 * 86400 >= need), MONTHS[-1])
        month = (day.year * 12 + day.month - 1) // step * step
        while month // 12 <= min(final.year, dt.MAXYEAR):
            if month >= 12:
                yield dt.datetime(month // 12, month % 12 + 1, 1), "month"
            month += step


def _times(start: int, end: int, tz: dt.tzinfo, labels: Labels, *, width: int, bottom: float) -> str:
    out = [f'<line class="axis" x1="0" x2="100%" y1="{bottom}" y2="{bottom}"/>']
    for i, (at, kind) in enumerate(ticks(start, end, tz, max(2, width // 110))):
        share = (at - start) / (end - start)
        x = f"{_n(share * 100)}%"
        out.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 4}"/>'
                   f'<text class="time-label{" minor" if i % 2 else ""}" x="{x}" y="{bottom + 17}" '
                   f'text-anchor="{_anchor(share, .06)}">{escape(labels(_local(at, tz), kind))}</text>')
    return "".join(out)


def _head(shown: Sequence[Point], *, start: int, end: int, height: int, bottom: float, floor: float, ceiling: float, unit: str,
          title: str, description: str, tz: dt.tzinfo) -> str:
    data = json.dumps([[p.at - start, _short(p.mean)] if p.low == p.high else
                       [p.at - start, _short(p.mean), _short(p.low), _short(p.high)] for p in shown], separators=(",", ":"))
    attributes = {"points": data, "start": start, "end": end, "low": _short(floor), "high": _short(ceiling), "top": TOP,
                  "bottom": bottom, "unit": unit, "zone": _zone(tz, start)}
    carried = "".join(f' data-{k}="{escape(v)}"' for k, v in attributes.items())
    about = f"<desc>{escape(description)}</desc>" if description else ""
    name = escape(f"{title} ({unit})" if unit else title)
    return f'<svg class="plot" role="img" width="100%" height="{height}"{carried}><title>{name}</title>{about}'


def _scale(values: Sequence[float]) -> tuple[float, float, list[float], int]:
    """Floor, ceiling, round values between them, and the decimals that tell these apart."""
    kept = [v for v in values if _finite(v)] or [0.0, 1.0]
    low, high = min(kept), max(kept)
    if high - low <= abs(high + low) * 1e-9:
        pad = abs(high) * 0.05 or 1.0
        low, high = low - pad, high + pad
    raw = (high - low) / 3
    size = 10.0 ** math.floor(math.log10(raw)) if raw > 0 and math.isfinite(raw) else 1.0
    step = next((m * size for m in (1, 2, 2.5, 5, 10) if m * size >= raw * 0.999), 10 * size)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if not math.isfinite(raw) or last - first > 10 or last <= first:  # a range at the edge of what a float can hold
        return low, high, [low, high], 0
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) + (1 if math.isclose(step, 2.5 * size) else 0)
    values = [float(f"{i * step:.12g}") for i in range(first, last + 1)]
    return values[0], values[-1], values, min(digits, 9)


def _runs(shown: Sequence[Point]) -> tuple[list[list[Point]], float]:
    """Stretches without a gap, and the typical step in ms."""
    steps = [b.at - a.at for a, b in zip(shown, shown[1:], strict=False)]
    step = float(median(steps)) if steps else 0.0
    runs: list[list[Point]] = []
    for i, p in enumerate(shown):
        if i and p.at - shown[i - 1].at <= GAP * step:
            runs[-1].append(p)
        else:
            runs.append([p])
    return runs, step


def _ends(run: Sequence[Point], step: float, end: int) -> list[float]:
    """Until when each value of a step plot holds: the next one, or one step after the last."""
    return [p.at for p in run[1:]] + [min(float(end), run[-1].at + step)]


def _curve(run: Sequence[Point], ends: Sequence[float], x: Callable[[float], float], y: Callable[[float], float]) -> str:
    if ends:
        return "M" + "V".join(f"{_n(x(p.at)) + ' ' if not i else ''}{_n(y(p.mean))}H{_n(x(until))}"
                              for i, (p, until) in enumerate(zip(run, ends, strict=True)))
    return "M" + "L".join(f"{_n(x(p.at))} {_n(y(p.mean))}" for p in run) + ("h0" if len(run) == 1 else "")


def _band(run: Sequence[Point], ends: Sequence[float], x: Callable[[float], float], y: Callable[[float], float]) -> str:
    if ends:
        return "".join(f"M{_n(x(p.at))} {_n(y(p.high))}H{_n(x(until))}V{_n(y(p.low))}H{_n(x(p.at))}Z"
                       for p, until in zip(run, ends, strict=True) if p.low < p.high)
    over = [f"{_n(x(p.at))} {_n(y(p.high))}" for p in run]
    under = [f"{_n(x(p.at))} {_n(y(p.low))}" for p in reversed(run)]
    return f"M{'L'.join(over + under)}Z"


def _same_time(ordered: Sequence[Point]) -> Iterator[list[Point]]:
    group: list[Point] = []
    for p in ordered:
        if group and group[-1].at != p.at:
            yield group
            group = []
        group.append(p)
    if group:
        yield group


def _join(group: Sequence[Point]) -> Point:
    if len(group) == 1:
        return group[0]
    count = sum(max(p.count, 1) for p in group)
    low, high = min(p.low for p in group), max(p.high for p in group)
    mean = sum(p.mean * (max(p.count, 1) / count) for p in group)
    return Point(at=group[0].at, low=low, mean=min(max(mean, low), high), high=high, count=count)


def _threshold(given: float | tuple[float, str] | tuple[float, str, str]) -> tuple[float, str, str]:
    value, label, level = (*given, "", "warn")[:3] if isinstance(given, tuple) else (given, "", "warn")
    return float(value), str(label), level if level in ("warn", "bad") else "warn"


def _local(at: int, tz: dt.tzinfo) -> dt.datetime:
    return (dt.datetime(1970, 1, 1, tzinfo=UTC) + dt.timedelta(milliseconds=at)).astimezone(tz)


def _instant(local: dt.datetime, tz: dt.tzinfo) -> int | None:
    """Milliseconds of a naive local time, None where the clock skips it."""
    at = local.replace(tzinfo=tz).astimezone(UTC)
    if at.astimezone(tz).replace(tzinfo=None) != local:
        return None
    return (at - dt.datetime(1970, 1, 1, tzinfo=UTC)) // dt.timedelta(milliseconds=1)


def _zone(tz: dt.tzinfo, at: int) -> str:
    """The name a browser knows the zone by."""
    key = getattr(tz, "key", None)
    if key:
        return str(key)
    offset = _local(at, tz).strftime("%z")
    return "UTC" if offset in ("+0000", "") else f"{offset[:3]}:{offset[3:5]}"


def _anchor(share: float, edge: float) -> str:
    return "start" if share < edge else "end" if share > 1 - edge else "middle"


def _finite(value: float | None) -> bool:
    return value is not None and abs(value) <= LARGEST


def _short(value: float) -> float | int:
    short = float(f"{value:.7g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _n(value: float) -> str:
    """A coordinate with two decimals at most."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
