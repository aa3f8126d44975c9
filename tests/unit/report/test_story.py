"""The story of a scenario: what the report says is what was solved, and what is known to be true stands in it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from counterpoise.core.errors import InputError
from counterpoise.report.chapters import compose, sentences_of
from counterpoise.report.chapters.method import method_chapter
from counterpoise.report.story import (
    CAP,
    DRAWS,
    Story,
    StoryResult,
    drawn_elasticities,
    groups_of_parts,
    run_story,
    tell,
)
from counterpoise.scenario import load_scenario, scenario_world


@pytest.fixture(scope="module")
def oil_story() -> Story:
    return tell(load_scenario("oil-stop"))


def test_the_flagship_answers_in_five_sentences_with_numbers(flagship: StoryResult) -> None:
    assert len(flagship.sentences) == 5
    assert all(any(letter.isdigit() for letter in sentence) for sentence in flagship.sentences)
    assert not any("**" in sentence or "nan" in sentence for sentence in flagship.sentences)


def test_the_known_truths_stand_in_the_answer(flagship: StoryResult) -> None:
    text = " ".join(flagship.sentences)
    assert "63.8 bn USD" in text
    assert "4.9 bn USD" in text
    assert "89 % of what India buys is fuel" in text
    assert "only 56 % of the gap" in text


def test_the_page_holds_every_chapter_and_the_arithmetic(flagship: StoryResult) -> None:
    page = flagship.html_path.read_text(encoding="utf-8")
    for anchor in ("gap", "duty", "order", "stop", "closures", "method", "manifest"):
        assert f'id="{anchor}"' in page
    assert "13.1 times" in page
    assert "1.49 bn USD" in page
    assert "closes 8 %" in page


def test_the_workbook_holds_a_sheet_for_every_figure_and_table(flagship: StoryResult) -> None:
    book = openpyxl.load_workbook(flagship.workbook_path, read_only=True)
    assert len(book.sheetnames) >= 18


def test_the_manifest_says_how_well_each_equilibrium_was_solved(flagship: StoryResult) -> None:
    manifest = json.loads(flagship.manifest_path.read_text(encoding="utf-8"))
    assert manifest["options"]["scenario"] == "valdai-2025"
    for name, facts in manifest["solutions"].items():
        assert facts["status"] == "converged", name
        assert facts["max_residual"] <= 1e-9, name


def test_the_method_names_the_model_that_answered(oil_story: Story) -> None:
    parts = {"model.technology": "multi_sector", "model.labour_mobility": "1.0", "horizon_years": "2.0"}
    other = tell(load_scenario("oil-stop", overrides=parts))
    assert method_chapter(oil_story).prose[0] == (
        "Model: many sectors with the input-output links of the world; closure of the deficits 'fixed_world_share'; "
        "trade elasticities 'fgo' of the long run."
    )
    assert method_chapter(other).prose[0] == (
        "Model: many sectors without intermediate inputs; labour tied to its sector (mobility 1); closure of the "
        "deficits 'fixed_world_share'; trade elasticities 'fgo' of 2 years after the change."
    )
    assert any("intermediate inputs are left out" in words for words in method_chapter(other).prose)
    assert other.headline.solution.technology == "multi-sector, labour tied to sectors (mobility 1)"
    # The draws are of the same model and horizon, so that the number lies inside its band.
    band = other.headline.welfare_pct("RUS")
    assert band.low < band.central < band.high
    with pytest.raises(InputError, match="knows tariffs alone"):
        tell(load_scenario("oil-stop", overrides={"model.technology": "fixed_varieties", "closure": "zero"}))


def test_draws_stay_where_the_equilibrium_is_unique() -> None:
    world = scenario_world(load_scenario("oil-stop", overrides={"model.scale_strength": "0.9"}))
    drawn = drawn_elasticities(world, 60, 0) * world.scale_elasticity.to_numpy()
    assert drawn.max() <= 1.0 + 1e-12
    early, late = (drawn_elasticities(world, 60, 0, years=years) for years in (1.0, 9.0))
    assert (early <= late).all()
    assert early.sum() < 0.6 * late.sum()


def test_a_scenario_that_asks_less_gets_the_chapters_it_has(oil_story: Story) -> None:
    document = compose(oil_story, {})
    ids = [section.id for section in document.sections]
    assert ids == ["gap", "duty", "stop", "closures", "method"]
    assert len(sentences_of(oil_story)) == 3


def test_the_stopped_flow_is_exactly_zero_and_the_buyer_loses(oil_story: Story) -> None:
    case = oil_story.cases["oil"]
    flow = case.solution.flow_cf.sel(origin="RUS", destination="IND", sector="crude_oil_gas")
    assert float(flow) == 0.0
    income = case.welfare_pct("IND")
    assert income.low < income.central < income.high < 0.0


def test_bands_hold_the_central_value_and_say_so_for_the_gap(oil_story: Story) -> None:
    closed = oil_story.cases["oil"].closed_share("RUS", "IND")
    assert 0.5 < closed.low <= closed.high < 1.2


def test_draws_are_seeded_and_start_from_the_published_sets(oil_story: Story) -> None:
    one, again = (drawn_elasticities(oil_story.world, DRAWS, 3) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    oil = oil_story.world.sectors.index("refined_oil")
    assert np.median(one[1::3, oil]) == pytest.approx(CAP, rel=0.1)


def test_a_scenario_without_a_pair_is_refused_with_the_mend(tmp_path: Path) -> None:
    pairless = load_scenario("oil-stop").model_copy(update={"pair": None})
    with pytest.raises(InputError, match="names no pair; add pair"):
        run_story(pairless, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_groups_of_any_name_join_the_part_of_the_story_that_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        """
schema = 1
name = "mine"
title = "No group is named"
pair = { origin = "CHN", destination = "BRA" }

[[measure]]
id = "buy"
kind = "purchase"
buyer = "CHN"
seller = "BRA"
sectors = ["food"]
subsidy_rate = 0.1

[[measure]]
id = "ports"
kind = "obstacle"
group = "logistics"
origins = "BRA"
destinations = "CHN"
ave = 0.05
sectors = ["food"]

[[measure]]
id = "theirs"
kind = "tariff"
origins = "BRA"
destinations = "USA"
rate = 0.5
sectors = ["food"]

[[measure]]
id = "own"
kind = "tariff"
origins = "BRA"
destinations = "CHN"
rate = 0.1
sectors = ["food"]
""",
        encoding="utf-8",
    )
    found = groups_of_parts(load_scenario(str(path)))
    assert found == {"order": ("purchase",), "obstacles": ("logistics",)}, "duties of both kinds share a group"
    path.write_text(path.read_text(encoding="utf-8").replace('id = "own"', 'id = "own"\ngroup = "own"'))
    assert groups_of_parts(load_scenario(str(path)))["duty"] == ("tariff",)
    assert "order" not in groups_of_parts(load_scenario(str(path)), "BRA"), "it would widen the gap"
    assert list(groups_of_parts(load_scenario("valdai-2025"))) == ["duty", "order", "obstacles"]
