"""The examples that readers will copy are run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def blocks(page: str, language: str) -> list[str]:
    """Return the fenced blocks of a language on a page."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/tutorials/five-minutes.md",
        "docs/explanation/frictions.md",
        "docs/explanation/variants.md",
        "docs/how-to/add-a-lever.md",
        "docs/how-to/find-products.md",
    ],
)
def test_python_examples_run(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    examples = blocks(page, "python")
    assert examples
    for example in examples:
        exec(compile(example, page, "exec"), {})


def test_the_example_scenario_is_valid(tmp_path: Path) -> None:
    from counterpoise.scenario import load_scenario

    example = blocks("docs/how-to/write-a-scenario.md", "toml")[0]
    path = tmp_path / "example.toml"
    path.write_text(example, encoding="utf-8")
    scenario = load_scenario(path)
    assert [measure.id for measure in scenario.measure] == re.findall(r'^id = "(.+)"$', example, re.MULTILINE)


def test_the_example_of_own_numbers_is_valid() -> None:
    import datetime as dt
    import tomllib

    from counterpoise.friction import friction_report

    own = tomllib.loads(blocks("docs/explanation/frictions.md", "toml")[0])
    report = friction_report("IND", "RUS", ["food"], as_of=dt.date(2028, 1, 1), overrides=own)
    assert "New railway" in set(report.routes["route"])


def test_the_example_of_several_accounts_is_valid(tmp_path: Path) -> None:
    from counterpoise.settle import read_arrangement

    path = tmp_path / "mine.toml"
    path.write_text(blocks("docs/how-to/settle-among-countries.md", "toml")[0], encoding="utf-8")
    case = read_arrangement(path, draws=20)
    assert case.arrangement.labels == ("IND:BDT",)
    assert case.arrangement.draws == 20


def test_the_example_of_a_model_is_valid(tmp_path: Path) -> None:
    from counterpoise.scenario import load_scenario

    scenario, model = blocks("docs/how-to/write-a-scenario.md", "toml")[:2]
    path = tmp_path / "example.toml"
    path.write_text(scenario + model, encoding="utf-8")
    assert load_scenario(path).choice.words() == (
        "many sectors without intermediate inputs; scale economies with scale x trade elasticity = 0.5; labour tied to "
        "its sector (mobility 1)"
    )


@pytest.mark.parametrize("page", sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("*.md")))
def test_links_of_the_front_pages_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []
