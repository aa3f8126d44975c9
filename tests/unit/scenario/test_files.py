"""Scenario files: every mistake at once, extension, overrides, and what the library holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from counterpoise.core import World
from counterpoise.core.errors import ScenarioError
from counterpoise.scenario import Scenario, list_scenarios, load_scenario, scenario_text
from counterpoise.scenario.schema import CLOSURES, Obstacle, Range, Tariff

Write = Callable[..., str]

DUTY = """
[[measure]]
id = "duty"
kind = "tariff"
origins = "IND"
destinations = ["USA"]
products = ["30"]
rate = 0.25
"""


def problems_of(path: str, **options: object) -> tuple[str, ...]:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path, **options)  # pyright: ignore[reportArgumentType]
    assert caught.value.exit_code == 2
    return caught.value.problems


def the_problem(path: str, **options: object) -> str:
    problems = problems_of(path, **options)
    assert len(problems) == 1, problems
    return problems[0]


def test_five_mistakes_are_named_in_one_message(write: Write) -> None:
    path = write(
        """
        as_of = 2025-10-03
        clossure = "zero"
        [[measure]]
        id = "duty"
        kind = "tariff"
        origins = ["INDIA"]
        destinations = ["USA"]
        products = [306, "30"]
        rate = 50
        valid_from = 2025-08-27
        valid_until = 2025-08-07
        """
    )
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    text = str(caught.value)
    assert len(caught.value.problems) == 5
    assert "5 problems" in text
    assert "clossure is no key of a scenario; did you mean 'closure'?" in text
    assert "measure.duty.origins: unknown country 'INDIA'; did you mean 'IND'?" in text
    assert "measure.duty.products[1]: 306 is a number" in text
    assert 'write "0306"' in text
    assert "measure.duty.rate: 50 is 5000 %" in text
    assert "write 0.5 for 50 %" in text
    assert "measure.duty.valid_until: 2025-08-07 is not after valid_from 2025-08-27" in text
    assert text.count(path) == 6
    assert not any(word in text.lower() for word in ("pydantic", "input should", "field required", "extra inputs"))


def test_a_number_with_a_leading_zero_is_told_and_the_rest_is_still_checked(write: Write) -> None:
    path = write(DUTY.replace('["30"]', "[0306, 09]  # 0306 is shrimp").replace('"IND"', '"INDIA"'))
    problems = problems_of(path)
    assert len(problems) == 3
    assert "line 9: 0306 is a number with a leading zero" in problems[0]
    assert 'write "09"' in problems[1]
    assert "unknown country 'INDIA'" in problems[2]


def test_a_syntax_error_names_line_and_column(write: Write) -> None:
    with pytest.raises(ScenarioError, match=r"case\.toml: line 3, column 9: .*expected TOML"):
        load_scenario(write("title = = 3\n"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("rate = 0.25", 'rate = "a"'), "measure.duty.rate: 'a' is a string; expected a number"),
        (("rate = 0.25", "rate = 25"), "write 0.25 for 25 %"),
        (("rate = 0.25", "rate = -1.0"), "expected a rate above -1"),
        (("rate = 0.25", "rate = nan"), "expected a finite number"),
        (("rate = 0.25", ""), "measure.duty.rate is missing"),
        (("rate = 0.25", "ratte = 0.25"), "did you mean 'rate'?"),
        (('"tariff"', '"tarif"'), "measure.duty.kind: 'tarif' is no kind of measure; did you mean 'tariff'?"),
        (('kind = "tariff"', ""), "measure.duty.kind is missing; expected one of tariff"),
        (('id = "duty"', 'id = "a.b"'), "measure.a.b.id: 'a.b' is no name"),
        (('origins = "IND"', 'orrigins = "IND"'), "did you mean 'origins'?"),
        (('origins = "IND"', 'origins = "DEU"'), "'DEU' lies inside the region 'EU27' of this world; write 'EU27'"),
        (('products = ["30"]', 'products = ["3"]'), "'3' is no HS code"),
        (('products = ["30"]', 'products = ["76-72"]'), "runs backwards; write '72-76'"),
        (('products = ["30"]', "products = []"), "is an empty list"),
        (('products = ["30"]', ""), "measure.duty selects nothing"),
        (('products = ["30"]', 'sectors = ["pharma"]'), "unknown sector 'pharma'; did you mean 'pharmaceuticals'?"),
        (('products = ["30"]', 'products = ["30"]\nsectors = "all"'), "both products and sectors are given"),
        (('products = ["30"]', 'rates = [{ hs = "30", rate = 0.1 }]'), "has nothing to apply to beside rates"),
        (
            ("rate = 0.25", 'rate = 0.25\nmode = "ad"'),
            "'ad' is not one of add, set, replace_added; did you mean 'add'?",
        ),
        (("rate = 0.25", 'rate = 0.25\nexempt = "x"'), "no exemption list 'x'"),
        (("rate = 0.25", 'rate = 0.25\nenabled = "no"'), "expected true or false, without quotes"),
        (("rate = 0.25", 'rate = 0.25\nvalid_from = "2025-01-01"'), "expected a date without quotes"),
        (("rate = 0.25", "rate = 0.25" + DUTY), "'duty' is also the id of measure 1"),
    ],
)
def test_each_mistake_is_told_once_with_its_mend(write: Write, change: tuple[str, str], words: str) -> None:
    assert words in the_problem(write(DUTY.replace(*change)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('kind = "obstacle"\nremoved = true\nadded = true\nave = 0.1', "removed or added, not both"),
        ('kind = "obstacle"\nave = { low = 0.2, central = 0.1 }', "expected them in rising order"),
        ('kind = "obstacle"\nave = { low = 0.1 }', "measure.x.ave.central is missing"),
        ('kind = "obstacle"\nave = true', "expected a table"),
        ('kind = "obstacle"\nave = 4.5\nremoval_share = 2', "expected at most 1"),
    ],
)
def test_obstacles_are_checked(write: Write, text: str, words: str) -> None:
    path = write(f'[[measure]]\nid = "x"\norigins = "IND"\ndestinations = "RUS"\nproducts = "all"\n{text}\n')
    assert words in the_problem(path)


@pytest.mark.parametrize(
    ("seller", "rate", "words"), [("RUS", "0.2", "is the buyer too"), ("IND", "1", "would pay the whole price")]
)
def test_purchases_are_checked(write: Write, seller: str, rate: str, words: str) -> None:
    body = f'kind = "purchase"\nbuyer = "RUS"\nseller = "{seller}"\nsubsidy_rate = {rate}\nproducts = "30"'
    assert words in the_problem(write(f'[[measure]]\nid = "x"\n{body}\n'))


def test_labels_are_those_of_the_world_that_is_given(write: Write, world: World) -> None:
    path = write(DUTY.replace('"IND"', '"CHN"'))
    assert load_scenario(path).name == "case"
    assert "unknown country 'CHN'" in the_problem(path, world=world)


def test_a_child_changes_a_measure_by_id_and_adds_others(write: Write) -> None:
    write('title = "parent"\nas_of = 2025-01-01\n' + DUTY, "parent")
    child = write(
        'extends = "parent.toml"\n[[measure]]\nid = "duty"\nrate = 0.5\n[[measure]]\nid = "gone"\n'
        'kind = "embargo"\norigins = "RUS"\ndestinations = "IND"\nsectors = "coal"\n',
        "child",
    )
    scenario = load_scenario(child)
    assert (scenario.name, scenario.title, scenario.as_of) == ("child", "parent", date(2025, 1, 1))
    assert [m.id for m in scenario.measure] == ["duty", "gone"]
    duty = scenario.measure[0]
    assert isinstance(duty, Tariff)
    assert (duty.rate, duty.products) == (0.5, ("30",))


def test_a_mistake_is_blamed_on_the_file_that_made_it(write: Write) -> None:
    write(DUTY.replace("0.25", "25"), "parent")
    child = write('extends = "parent.toml"\n[[measure]]\nid = "duty"\norigins = "X"\n', "child")
    problems = problems_of(child)
    assert "child.toml: measure.duty.origins" in problems[0]
    assert "parent.toml: measure.duty.rate" in problems[1]


def test_what_a_misspelt_table_holds_is_checked_too(write: Write) -> None:
    path = write(
        """
        extends = "valdai-2025"
        [[measures]]
        kind = "tariff"
        origins = "INDIA"
        destinations = "USA"
        products = "all"
        rate = 0.5
        """
    )
    problems = problems_of(path)
    assert len(problems) == 3
    assert all(p.startswith(f"{path}: ") for p in problems)
    assert "measures is no key of a scenario; did you mean 'measure'?" in problems[0]
    assert "measure[1].id is missing" in problems[1]
    assert "measure[1].origins: unknown country 'INDIA'; did you mean 'IND'?" in problems[2]


def test_a_missing_key_is_blamed_on_the_file_that_lacks_it(tmp_path: Path) -> None:
    child = tmp_path / "child.toml"
    child.write_text('extends = "valdai-2025"\n', encoding="utf-8")
    assert [p.partition(" is missing")[0] for p in problems_of(str(child))] == [f"{child}: name", f"{child}: schema"]


def test_extending_in_a_circle_is_refused(write: Write) -> None:
    write('extends = "b.toml"\n', "a")
    path = write('extends = "a.toml"\n', "b")
    with pytest.raises(ScenarioError, match=r"extends runs in a circle: .*b\.toml -> .*a\.toml -> .*b\.toml"):
        load_scenario(path)


def test_overrides_reach_measures_groups_and_top_level(write: Write) -> None:
    overrides = {
        "as_of": "2026-02-08",
        "closure": "zero",
        "measure.us_oil_25.enabled": "false",
        "group.obstacles.removed": "true",
        "measure.payments.ave.central": "0.06",
    }
    scenario = load_scenario("valdai-2025", overrides=overrides)
    assert (scenario.as_of, scenario.closure) == (date(2026, 2, 8), "zero")
    by_id = {m.id: m for m in scenario.measure}
    assert not by_id["us_oil_25"].enabled
    obstacles = [m for m in scenario.measure if isinstance(m, Obstacle)]
    assert len(obstacles) == 6
    assert all(m.removed for m in obstacles)
    payments = by_id["payments"]
    assert isinstance(payments, Obstacle)
    assert payments.ave == Range(low=0.0255, central=0.06, high=0.1748)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("measure.us_oil.enabled", "false", "no measure 'us_oil'; did you mean 'us_oil_25'?"),
        ("group.obstacle.removed", "true", "no group 'obstacle'; did you mean 'obstacles'?"),
        ("name", "x", "cannot be set"),
        ("as_of", "2025-13-01", "--set as_of: as_of: '2025-13-01' is a string; expected a date"),
        ("closure", "zerro", "did you mean 'zero'?"),
        ("measure.payments.removed", "yes", "expected true or false"),
    ],
)
def test_an_override_that_leads_nowhere_is_a_problem(key: str, value: str, words: str) -> None:
    assert words in the_problem("valdai-2025", overrides={key: value})


def test_an_unknown_scenario_names_the_nearest() -> None:
    with pytest.raises(ScenarioError, match=r"no scenario 'valdai'; did you mean 'valdai-2025'\?"):
        load_scenario("valdai")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(ScenarioError, match="byte 9 is not UTF-8"):
        load_scenario(tmp_path / "x.toml")


def test_the_library_holds_the_four_scenarios_under_their_names() -> None:
    assert list_scenarios() == ("100bn-2030", "oil-stop", "us-india-timeline", "valdai-2025")
    for name in list_scenarios():
        assert load_scenario(name).name == name
        assert f'name = "{name}"' in scenario_text(name)[0]


def test_every_measure_of_the_library_has_title_source_and_group() -> None:
    for name in list_scenarios():
        for measure in load_scenario(name).measure:
            assert measure.title, measure.id
            assert measure.source, measure.id
            assert measure.group, measure.id


def test_a_scenario_cannot_be_changed() -> None:
    scenario: Scenario = load_scenario("oil-stop")
    with pytest.raises(ValueError, match="frozen"):
        scenario.closure = "zero"  # pyright: ignore[reportAttributeAccessIssue]


def test_the_closures_are_those_of_the_schema() -> None:
    assert Scenario.model_json_schema()["properties"]["closure"]["enum"] == list(CLOSURES)


def test_the_scenario_of_the_documentation_is_sound(write: Write) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "how-to" / "write-a-scenario.md").read_text(encoding="utf-8")
    text = page.partition("```toml\n")[2].partition("```")[0]
    scenario = load_scenario(write(text))
    assert scenario.groups == ("duty", "order")


LEVERS = """
[[lever]]
id = "road"
kind = "obstacle_removal"
origin = "IND"
destination = "RUS"
sectors = ["food"]
ave = 0.1
upper = 1.0
cost = { quadratic_usd = 1e7, high_factor = 2.0 }

[[lever]]
id = "money"
kind = "fund"
origin = "IND"
sectors = ["food"]
upper = 1e9
gain = 0.05
scale_usd = 1e8
"""


def test_levers_of_a_child_are_laid_over_its_parents_by_id(write: Write) -> None:
    write(LEVERS, "parent")
    child = write(
        """
extends = "parent.toml"

[[lever]]
id = "road"
upper = 0.5
cost = { quadratic_usd = 3e7 }

[[lever]]
id = "money"
enabled = false

[[lever]]
id = "cut"
kind = "tariff_cut"
origin = "IND"
destination = "RUS"
sectors = ["food"]
upper = 1.0
""",
        "child",
    )
    found = {lever.id: lever for lever in load_scenario(child).lever}
    assert list(found) == ["road", "money", "cut"]
    assert (found["road"].upper, found["road"].ave, found["road"].origin) == (0.5, 0.1, "IND")
    assert (found["road"].cost.quadratic_usd, found["road"].cost.high_factor) == (3e7, 2.0)
    assert not found["money"].enabled
    assert found["money"].scale_usd == 1e8
    # Another kind is another lever: nothing of the old one stays.
    other = write(
        'extends = "parent.toml"\n[[lever]]\nid = "road"\nkind = "tariff_cut"\norigin = "IND"\n'
        'destination = "RUS"\nsectors = ["food"]\nupper = 1.0\n',
        "other",
    )
    assert load_scenario(other).lever[0].ave is None


def test_mistakes_in_an_inherited_lever_name_lever_and_file(write: Write) -> None:
    write(LEVERS, "parent")
    child = write('extends = "parent.toml"\n[[lever]]\nid = "road"\nlower = 2.0\n[[lever]]\nid = "gone"\n', "child")
    told = problems_of(child)
    assert any("lever.road.upper: 1 is below lower = 2" in words for words in told)
    assert any("child.toml: lever.gone.kind is missing" in words for words in told)


def test_one_number_of_a_lever_is_set_without_a_file(write: Write) -> None:
    path = write(LEVERS)
    changed = load_scenario(path, overrides={"lever.road.upper": "0.25", "lever.money.enabled": "false"})
    assert [lever.upper for lever in changed.lever] == [0.25, 1e9]
    assert [lever.enabled for lever in changed.lever] == [True, False]
    assert "did you mean 'road'?" in the_problem(path, overrides={"lever.raod.upper": "0.25"})
    assert "--set lever.road.upper" in the_problem(path, overrides={"lever.road.upper": "3.0"})
