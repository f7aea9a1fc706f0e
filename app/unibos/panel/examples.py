"""What the page of all components shows: a made-up day of readings, the same on every call."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from unibos.kernel.ports import Point
from unibos.panel.plot import Labels, iso_labels, plot, rows, spark

START = 1_774_000_800_000  # 2026-03-20 10:00 UTC
DAY = 86_400_000
STEP = 300_000


def readings() -> list[Point]:
    """A day of temperature in five-minute buckets with one gap of two hours and one lonely reading in it."""
    found = []
    for i in range(DAY // STEP):
        if 150 <= i < 174 and i != 160:
            continue
        mean = 21 + 2.2 * math.sin(i / 46) + 0.5 * math.sin(i / 7) + 0.15 * math.sin(i * 1.7)
        spread = 0.15 + 0.25 * abs(math.sin(i / 19))
        found.append(Point(at=START + i * STEP, low=mean - spread, mean=mean, high=mean + spread, count=10))
    return found


def context(tz: dt.tzinfo, labels: Labels = iso_labels) -> dict[str, Any]:
    """Values for `dev_components.html`: two plots, their numbers and two small curves."""
    points = readings()
    end = START + DAY
    switched = [Point(at=p.at, low=v, mean=v, high=v, count=1) for p in points for v in [float(p.mean > 21.5)]]
    return {
        "now": end,
        "temperature": plot(points, start=START, end=end, unit="°C", title="Kitchen · temperature", tz=tz, labels=labels,
                            thresholds=[(24.0, "24 °C", "bad")], marks=[(START + 9 * 3_600_000, "1.4.0")]),
        "heater": plot(switched, start=START, end=end, height=110, unit="on/off", title="Heater", tz=tz, kind="step", labels=labels,
                       low=0, high=1),
        "nothing": plot([], start=START, end=end, height=110, unit="°C", title="Attic", tz=tz, labels=labels, empty="–"),
        "numbers": rows(points, start=START, end=end, tz=tz, most=12, labels=labels),
        "curve": spark([p.mean for p in points]),
        "steps": spark([3, 3, 4, None, None, 8, 7, 7, 12, 11, 9, 9, 4]),
    }
