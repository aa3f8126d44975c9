"""The chart grammar: every kind becomes plain JSON; everything wrong is said at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from counterpoise.core.errors import InputError
from counterpoise.report import DARK, KINDS, LIGHT, Figure, Mark
from counterpoise.report._squarify import squarify
from counterpoise.report.theme import REGION_NAMES
from tests.unit.report.samples import BACI, SAMPLES, bar, flow, heatmap, line, monthly, scatter, stacked, waterfall

EVERY = pytest.mark.parametrize("build", SAMPLES.values(), ids=SAMPLES)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            yield from strings(item)


def problems(**changes: Any) -> tuple[str, ...]:
    given: dict[str, Any] = {
        "kind": "bar",
        "title": "A title",
        "data": pd.DataFrame({"country": ["IND", "RUS"], "usd_bn": [1.0, 2.0]}),
        "source": BACI,
        "x": "country",
        "y": "usd_bn",
    }
    with pytest.raises(InputError) as caught:
        Figure(**(given | changes))
    return caught.value.problems


def test_every_kind_has_a_sample() -> None:
    assert {build().kind for build in SAMPLES.values()} == set(KINDS)


@EVERY
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
@pytest.mark.parametrize("width", [740, 350])
def test_options_are_plain_json_with_resolved_colours(build: Callable[[], Figure], theme: Any, width: int) -> None:
    option = build().echarts_option(theme, width=width)
    assert json.loads(json.dumps(option, allow_nan=False)) == option
    assert not [words for words in strings(option) if words in LIGHT.tokens]
    assert option["animation"] is False


@EVERY
def test_the_same_figure_gives_the_same_payload(build: Callable[[], Figure]) -> None:
    assert json.dumps(build().payload()) == json.dumps(build().payload())


@EVERY
def test_csv_has_every_row(build: Callable[[], Figure]) -> None:
    figure = build()
    assert len(figure.csv().splitlines()) == len(figure.data) + 1


def test_csv_heads_carry_units_and_numbers_full_precision() -> None:
    figure = line()
    assert figure.csv().splitlines()[0] == "Year,Direction,Usd bn (USD bn),Low (USD bn),High (USD bn)"
    assert figure.csv().splitlines()[1] == "2021,Russia sells to India,9.9,9.5,10.3"


def test_lines_are_labelled_at_their_last_point() -> None:
    series = [s for s in line().echarts_option(LIGHT)["series"] if s["type"] == "line" and "stack" not in s]
    assert [s["data"][-1]["label"]["formatter"].replace("\n", " ") for s in series] == [
        "Russia sells to India 63.8",
        "India sells to Russia 4.9",
    ]
    assert [s["lineStyle"]["color"] for s in series] == [LIGHT.colour("@RUS"), LIGHT.colour("@IND")]
    assert all("label" not in item for s in series for item in s["data"][:-1])


def test_bands_stack_the_range_on_the_low() -> None:
    bands = [s for s in line().echarts_option(LIGHT)["series"] if s.get("stack") == "band Russia sells to India"]
    low, span = (band["data"] for band in bands)
    assert low[1] == [2022, 45.0]
    assert span[1] == [2022, 2.5]


def test_gaps_stay_gaps_and_lonely_points_are_seen() -> None:
    points = monthly().echarts_option(LIGHT)["series"][0]["data"]
    assert [point["value"][1] for point in points] == [8.4, 9.1, None, 8.5, None, 8.3]
    assert [point["symbol"] for point in points] == ["none", "none", "none", "circle", "none", "circle"]


def test_bars_are_sorted_and_coloured_by_sign() -> None:
    option = bar().echarts_option(LIGHT)
    assert option["yAxis"]["data"] == ["Mexico", "United States", "India"]
    colours = [item["itemStyle"]["color"] for item in option["series"][0]["data"]]
    assert colours == [LIGHT.colour("@up"), LIGHT.colour("@down"), LIGHT.colour("@down")]


def test_stacked_bars_keep_the_colours_of_their_sectors() -> None:
    figure = stacked()
    assert [entry[1] for entry in figure.payload()["legend"]] == ["@crude_oil_gas", "@fertilisers"]
    assert [s["name"] for s in figure.echarts_option(LIGHT)["series"][:2]] == ["Crude oil and gas", "Fertilisers"]


def test_waterfall_steps_start_where_the_last_ended() -> None:
    bases, bodies = (s["data"] for s in waterfall().echarts_option(LIGHT)["series"][:2])
    assert [item["value"] for item in bases] == pytest.approx([0, 39.9, 39.9, 0])
    assert [item["value"] for item in bodies] == pytest.approx([58.8, 18.9, 5.1, 45.0])


def test_flows_carry_their_values() -> None:
    links = flow().echarts_option(LIGHT)["series"][0]["links"]
    assert (links[0]["source"], links[0]["target"], links[0]["value"]) == ("India sells", "USA", 63.2)


def test_heatmap_colours_meet_at_the_centre() -> None:
    cells = {tuple(c["value"][:2]): c for c in heatmap().echarts_option(LIGHT)["series"][0]["data"]}
    assert cells[1, 1]["itemStyle"]["color"] == LIGHT.colour("@div6")
    assert cells[0, 0]["itemStyle"]["color"] == LIGHT.colour("@div1")


def test_treemap_areas_are_proportional() -> None:
    boxes = squarify([6.0, 3.0, 1.0], (0.0, 0.0, 100.0, 50.0))
    assert [width * height for _, _, width, height in boxes] == pytest.approx([3000, 1500, 500])


def test_bubbles_have_areas_proportional_to_size() -> None:
    points = scatter().echarts_option(LIGHT)["series"][0]["data"]
    assert (points[1]["symbolSize"] / points[0]["symbolSize"]) ** 2 == pytest.approx(2.0 / 8.7, rel=0.02)


def test_the_callers_frame_is_copied() -> None:
    data = pd.DataFrame({"country": ["IND", "RUS"], "usd_bn": [1.0, 2.0]})
    figure = Figure(kind="bar", title="A title", data=data, source=BACI, x="country", y="usd_bn")
    data.loc[0, "usd_bn"] = 99.0
    assert figure.rows()[0]["usd_bn"] == 1.0


def test_numpy_scalars_in_object_columns_are_understood() -> None:
    data = pd.DataFrame({"country": ["IND"], "usd_bn": pd.Series([np.float64(2.5)], dtype=object).astype(float)})
    assert Figure(kind="bar", title="T", data=data, source=BACI, x="country", y="usd_bn").rows()[0]["usd_bn"] == 2.5


def test_an_unknown_kind_gets_a_suggestion() -> None:
    assert problems(kind="waterfal")[0].endswith("did you mean 'waterfall'?")


def test_every_problem_is_listed_at_once() -> None:
    found = problems(title=" ", source="", y="usd_bm", size="country", layout="stack")
    assert len(found) == 6
    assert any("title is empty" in words for words in found)
    assert any("source is empty" in words for words in found)
    assert any("y='usd_bm' is not a column" in words and "did you mean 'usd_bn'?" in words for words in found)
    assert any("size='country' means nothing to a bar" in words for words in found)
    assert any("layout is 'stack'" in words and "did you mean 'stacked'?" in words for words in found)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": [1, 2]}, "data is a list, expected a pandas DataFrame"),
        ({"data": pd.DataFrame({"country": [], "usd_bn": pd.Series([], dtype=float)})}, "data has no rows"),
        ({"y": ""}, "y is missing, a bar needs x, y; pass y='<column>'"),
        ({"y": "country", "x": "usd_bn"}, "y='country' holds text, expected numbers"),
        ({"low": "usd_bn"}, "low and high come together"),
        ({"highlight": ("INDIA",)}, "did you mean 'IND'?"),
        ({"colours": {"IND": "orange"}}, "colour of 'IND' is 'orange'"),
        ({"headers": {"country_": "Country"}}, "did you mean 'country'?"),
        ({"layout": "stacked"}, "needs kind 'bar' and a series column"),
        ({"series": "country"}, "a plain bar has no series"),
        ({"marks": (Mark(1, " ", axis="y"),)}, "has no label"),
        ({"data": pd.DataFrame({"country": ["IND", "IND"], "usd_bn": [1.0, 2.0]})}, "occurs more than once for IND"),
        ({"data": pd.DataFrame({"country": ["IND", "RUS"], "usd_bn": [1.0, np.inf]})}, "infinite in row 1"),
        ({"data": pd.DataFrame({"country": ["IND", None], "usd_bn": [1.0, 2.0]})}, "'country' is empty in row 1"),
        ({"data": pd.DataFrame({"country": ["IND", "RUS"], "usd_bn": [np.nan, 2.0]})}, "no number in row 0"),
        (
            {"data": pd.DataFrame({"country": ["IND"], "usd_bn": [1.0], "lo": [2.0]}), "low": "lo", "high": "lo"},
            "low <= y",
        ),
    ],
)
def test_a_problem_is_named_with_its_mend(changes: dict[str, Any], words: str) -> None:
    assert any(words in problem for problem in problems(**changes)), problems(**changes)


def test_a_missing_number_in_a_line_is_refused_unless_gaps_are_wanted() -> None:
    data = pd.DataFrame({"country": [2023, 2024], "usd_bn": [1.0, np.nan]})
    found = problems(kind="line", data=data)
    assert "pass gaps=True to draw gaps" in found[0]


def test_totals_that_do_not_add_up_are_refused() -> None:
    data = pd.DataFrame(
        {"country": ["Start", "Step", "End"], "usd_bn": [10.0, -2.0, 5.0], "level": [True, False, True]}
    )
    found = problems(kind="waterfall", data=data, total="level")
    assert found[0].startswith("total 'End' is 5, but the steps before it add up to 8")


def test_ribbons_in_a_circle_are_refused() -> None:
    data = pd.DataFrame({"from": ["IND", "RUS"], "to": ["RUS", "IND"], "usd_bn": [4.8, 63.7]})
    found = problems(kind="flow", data=data, x="", y="", origin="from", destination="to", value="usd_bn")
    assert found[0].startswith("ribbons run in a circle through IND, RUS")


def test_a_slope_needs_both_ends() -> None:
    data = pd.DataFrame({"country": ["2023", "2024", "2023"], "usd_bn": [1.0, 2.0, 3.0], "who": ["IND", "IND", "RUS"]})
    assert problems(kind="slope", data=data, series="who") == (
        "series 'RUS' has no row for 2024; a slope needs both ends",
    )


def test_crowded_standing_bars_lie_down() -> None:
    regions = pd.DataFrame({"region": list(REGION_NAMES), "pct": np.linspace(-1, 1, len(REGION_NAMES))})
    figure = Figure(
        kind="bar", title="T", data=regions, source=BACI, x="region", y="pct", horizontal=False, sort="none"
    )
    assert figure.echarts_option(LIGHT, width=740)["xAxis"]["type"] == "category"
    assert figure.echarts_option(LIGHT, width=350)["yAxis"]["type"] == "category"


def test_years_are_ticked_evenly() -> None:
    data = pd.DataFrame({"year": range(2015, 2026), "usd_bn": np.linspace(1.0, 2.0, 11)})
    axis = Figure(kind="line", title="T", data=data, source=BACI, x="year", y="usd_bn").echarts_option(LIGHT)["xAxis"]
    assert axis["axisLabel"]["customValues"] == [2015, 2017, 2019, 2021, 2023, 2025]
