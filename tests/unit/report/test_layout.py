"""Labels keep clear of each other: positions are computed, not hoped for."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.report import Mark
from counterpoise.report._chart import FLAG, Plot, flags, spread
from counterpoise.report._text import text_width


@given(st.lists(st.floats(0, 300), min_size=1, max_size=12))
def test_spread_labels_never_overlap(centres: list[float]) -> None:
    heights = [15.0] * len(centres)
    placed = sorted(spread(centres, heights, 0.0, 300.0))
    assert placed[0] >= 7.5 - 1e-6
    assert placed[-1] <= 292.5 + 1e-6
    assert all(second - first >= 15 - 1e-6 for first, second in itertools.pairwise(placed))


def test_labels_with_room_stay_where_they_are() -> None:
    assert spread([10.0, 200.0, 100.0], [15.0, 15.0, 15.0], 0.0, 300.0) == [10.0, 200.0, 100.0]


def test_labels_move_as_little_as_needed() -> None:
    assert spread([100.0, 104.0], [20.0, 20.0], 0.0, 300.0) == pytest.approx([92.0, 112.0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6, unique=True), st.sampled_from([12.0, 400.0]))
def test_flags_never_overlap(places: list[float], right: float) -> None:
    plot = Plot(740, 360, 40, right, 200, 30)
    lines, _, room = flags([Mark(at, "a dated event") for at in places], float, plot)
    width = text_width("a dated event", 11)
    boxes: list[tuple[float, float, float]] = []
    for foot, top in lines["data"]:
        at = foot["xAxis"] * plot.inner_width
        left = at + 5 if foot["label"]["align"] == "left" else at - 5 - width
        boxes.append((left, left + width, top["y"]))
    assert room >= FLAG
    for (left, end, top), (other_left, other_end, other_top) in itertools.combinations(boxes, 2):
        apart = end <= other_left or other_end <= left
        assert apart or abs(top - other_top) >= FLAG - 1e-6
