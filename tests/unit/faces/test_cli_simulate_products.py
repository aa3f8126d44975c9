"""``counterpoise simulate-products``: duties, schedules and embargoes by HS code, and how bad options end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from counterpoise.core.errors import InputError
from counterpoise.core.products import ProductWorld, split_world
from counterpoise.data import load_world
from counterpoise.faces.cli.simulate_products import simulate_products

FOOD, FUEL = ("030617", "100630"), ("270900", "271121")


@pytest.fixture(scope="module")
def lines() -> ProductWorld:
    """Split food and crude oil of the embedded world into two products each."""
    world = load_world()
    rng = np.random.default_rng(7)
    sectors = ("food", "crude_oil_gas")
    n = len(world.countries)
    i, j, k = np.indices((n, n, 4)).reshape(3, -1)
    keep = i != j
    return split_world(
        world,
        products=(*FOOD, *FUEL),
        product_sector=[sectors[0]] * 2 + [sectors[1]] * 2,
        origin=i[keep],
        destination=j[keep],
        product=k[keep],
        flow=rng.lognormal(0.0, 1.0, int(keep.sum())),
    )


@pytest.fixture
def small(lines: ProductWorld, monkeypatch: pytest.MonkeyPatch) -> ProductWorld:
    """Let the command find these lines instead of reading ten million."""

    def load(sources: object, *, countries: str, product_elasticity: str) -> ProductWorld:
        return lines

    monkeypatch.setattr("counterpoise.data.product_world.load_product_world", load)
    return lines


def invoke(*arguments: str) -> Result:
    app = typer.Typer()
    app.command("simulate-products")(simulate_products)
    return CliRunner().invoke(app, list(arguments))


def test_an_embargo_is_shown_and_written(small: ProductWorld, tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    result = invoke("--origin", "RUS", "--destination", "IND", "--hs", "2709", "--embargo", "--json", "-o", str(path))
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    (line,) = document["changed"]
    assert (line["origin"], line["destination"], line["product"]) == ("RUS", "IND", "270900")
    assert line["flow_cf_usd"] == 0 < line["flow_usd"]
    assert line["embargo"] is True
    welfare = {row["country"]: row["welfare_pct"] for row in document["countries_table"]}
    assert welfare["RUS"] < 0
    assert max(document["residuals"].values()) <= 1e-9
    assert path.read_text(encoding="utf-8").startswith("origin,destination,product")


def test_a_duty_and_the_schedule_that_says_the_same(small: ProductWorld, tmp_path: Path) -> None:
    path = tmp_path / "duties.csv"
    path.write_text("origin,destination,hs,rate,how\nIND,USA,0306,0.5,add\n", encoding="utf-8")
    by_rate = json.loads(
        invoke("--origin", "IND", "--destination", "USA", "--hs", "0306", "--rate", "+50", "--json").stdout
    )
    by_file = json.loads(invoke("--schedule", str(path), "--json").stdout)
    assert by_rate["countries_table"] == by_file["countries_table"]
    (line,) = by_file["changed"]
    assert line["tariff_rate_cf"] == pytest.approx(line["tariff_rate"] + 0.5)
    assert line["flow_cf_usd"] < line["flow_usd"]
    shown = invoke("--schedule", str(path))
    assert "030617" in shown.stdout
    assert "largest residual" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give one of --rate, --embargo"),
        (("--rate", "5", "--embargo"), "give one of --rate, --embargo"),
        (("--rate", "much"), "--rate 'much' is no number of percent"),
        (("--rate", "5", "--countries", "some"), "--countries some"),
        (("--schedule", "nowhere.csv"), "nowhere.csv: no such file"),
    ],
)
def test_bad_options_end_in_one_message(small: ProductWorld, arguments: tuple[str, ...], words: str) -> None:
    error = invoke(*arguments).exception
    assert isinstance(error, InputError)
    assert words in str(error)
