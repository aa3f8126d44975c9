"""The friction report: totals by hand, which obstacle costs most, terms of a Shock, and every mistake at once."""

from __future__ import annotations

import csv
import json
import math
from datetime import date
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, LabelError
from counterpoise.data import load_table
from counterpoise.data.concordance import high_priority_tiers, hs_sector
from counterpoise.friction import (
    FrictionReport,
    Preference,
    friction_report,
    obstacle_factors,
    removal_shock,
    removed_factor,
)
from counterpoise.scenario import load_scenario

GOODS = ["agriculture", "food", "pharmaceuticals", "machinery", "electronics", "gems"]


def rows(table: str) -> list[dict[str, str]]:
    """Read a shipped table as it lies, apart from the code that uses it."""
    text = resources.files("counterpoise.friction").joinpath("parameters", f"{table}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.fixture(scope="module")
def report() -> FrictionReport:
    return friction_report("IND", "RUS", GOODS)


def small_world() -> World:
    """Three countries, two sectors, nothing special."""
    rng = np.random.default_rng(7)
    flow = rng.uniform(1.0, 5.0, (3, 3, 2)) * 1e9
    flow[np.arange(3), np.arange(3)] *= 20
    return World.from_arrays(
        countries=["IND", "RUS", "USA"],
        sectors=["food", "machinery"],
        flow=flow,
        tariff_rate=np.zeros((3, 3, 2)),
        value_added_share=np.ones((3, 2)),
        io_coefficient=np.zeros((3, 2, 2)),
        trade_elasticity=[4.0, 6.0],
    )


def test_food_by_hand_from_the_parameter_rows(report: FrictionReport) -> None:
    given = {
        (r["obstacle"], r["parameter"], r["origin"], r["destination"], r["sector"]): float(r["central"])
        for r in rows("parameters")
    }
    cargo = next(r for r in rows("sectors") if r["sector"] == "food")
    value, day = float(cargo["cargo_value_central"]), float(cargo["value_of_time_central"]) / 100
    legs = {r["leg"]: r for r in rows("legs")}
    paths = {
        "suez_st_petersburg": ["nhava_sheva", "suez_st_petersburg", "customs_st_petersburg", "road_st_petersburg"],
        "cape_st_petersburg": ["nhava_sheva", "cape_st_petersburg", "customs_st_petersburg", "road_st_petersburg"],
        "suez_novorossiysk": ["nhava_sheva", "suez_novorossiysk", "customs_novorossiysk", "rail_novorossiysk"],
        "cape_novorossiysk": ["nhava_sheva", "cape_novorossiysk", "customs_novorossiysk", "rail_novorossiysk"],
        "rail": ["nhava_sheva", "sea_bandar_abbas", "transit_bandar_abbas", "rail_instc", "customs_rail_border"],
        "road": [
            "nhava_sheva",
            "sea_bandar_abbas",
            "transit_bandar_abbas",
            "road_astara",
            "customs_astara",
            "road_moscow",
        ],
        "caspian": [
            *("nhava_sheva", "sea_bandar_abbas", "transit_bandar_abbas", "road_amirabad", "port_amirabad"),
            *("caspian_astrakhan", "customs_astrakhan", "road_astrakhan"),
        ],
        "eastern": ["chennai", "sea_vladivostok", "customs_vladivostok", "rail_transsiberian"],
        "china": [
            *("nhava_sheva", "sea_shanghai", "port_shanghai", "sea_shanghai_vladivostok"),
            *("customs_vladivostok", "rail_transsiberian"),
        ],
    }

    def total(path: list[str], column: str, customs: bool) -> float:
        return sum(float(legs[k][f"{column}_central"]) for k in path if (legs[k]["mode"] == "customs") == customs)

    usd, days, customs_usd, customs_days = (
        np.array([total(p, column, customs) for p in paths.values()])
        for column, customs in (("cost", False), ("days", False), ("cost", True), ("days", True))
    )
    pull = np.exp(
        -(usd + customs_usd + (days + customs_days) * day * value) / given["freight", "route_dispersion", "*", "*", "*"]
    )
    share = pull / pull.sum()
    interest = given["interest", "interest_rate", "*", "*", "*"] / 100
    by_hand = {
        "freight": share @ usd / value,
        "transit_time": share @ days * day,
        "customs": share @ customs_usd / value + share @ customs_days * day,
        "insurance": (given["insurance", "base_rate", "*", "*", "*"] + given["insurance", "rise", "*", "RUS", "*"])
        / 100,
        "agent_commission": 0.03,
        "currency": 0.045,
        "payment_delay": 27 / (1 - 0.5) / 365 * interest,
        "letter_of_credit": given["letter_of_credit", "fee", "*", "*", "*"]
        / 100
        * given["letter_of_credit", "secured_share", "IND", "RUS", "*"],
        "working_capital": given["working_capital", "credit_days", "*", "*", "*"] / 365 * interest,
        "sanitary": given["sanitary", "ave", "*", "*", "food"] / 100,
    }
    told = {name: report.ave("food", name).central for name in by_hand}
    assert told == pytest.approx(by_hand, rel=1e-12)
    assert report.total("food").central == pytest.approx(math.prod(1 + v for v in by_hand.values()) - 1, rel=1e-12)


def test_payments_are_those_of_the_facts(report: FrictionReport, sources: Path) -> None:
    table = pd.read_csv(sources / "facts" / "wedge_parameters.csv")
    facts = {
        str(name): dict(zip(("low", "central", "high"), (float(v) for v in numbers), strict=True))
        for name, numbers in zip(table["parameter"], table[["low", "central", "high"]].to_numpy(float), strict=True)
    }
    named = {"agent_commission": "agent commission", "currency": "indirect instead of direct conversion"}
    for name, parameter in named.items():
        ave = report.ave("food", name)
        assert [ave.low, ave.central, ave.high] == pytest.approx([v / 100 for v in facts[parameter].values()])
    delay = report.ave("food", "payment_delay")
    for case in ("low", "high"):
        days = facts["time in pipeline"][case] / (1 - facts["share of payments refused"][case] / 100)
        assert getattr(delay, case) == pytest.approx(days / 365 * 0.10)
    waiting = report.rows[report.rows["obstacle"] == "registration"]["days"].to_numpy(float)
    assert waiting.tolist() == [facts["EAEU registration, legal limit"]["central"]]


def test_bounds_hold_the_central_value(report: FrictionReport) -> None:
    for kind in ("ave", "removable"):
        low, central, high = (report.rows[f"{kind}_{c}"].to_numpy() for c in ("low", "central", "high"))
        assert np.all((low <= central) & (central <= high))
    assert np.all(report.rows["removable_high"].to_numpy() <= report.rows["ave_high"].to_numpy())


def test_time_costs_most_and_perishables_mind_it_more_than_bulk(report: FrictionReport) -> None:
    assert report.costliest == "transit_time"
    bulk = friction_report("RUS", "IND", ["crude_oil_gas", "food"])
    assert bulk.ave("crude_oil_gas", "transit_time").central < 0.02 < bulk.ave("food", "transit_time").central


def test_the_case_decides_which_obstacle_leads() -> None:
    sure, doubtful = (friction_report("IND", "RUS", ["gems"], case=case) for case in ("low", "high"))
    assert (sure.costliest, doubtful.costliest) == ("currency", "agent_commission")


def test_weights_are_shares_of_trade() -> None:
    report = friction_report("IND", "RUS", ["food", "gems"], flow_usd={"food": 1e9, "gems": 3e9})
    mean = report.by_obstacle().set_index("obstacle")["ave_central"]
    assert mean["freight"] == pytest.approx(0.25 * report.ave("food", "freight").central)
    assert mean["currency"] == pytest.approx(0.045)


def test_what_goes_by_air_has_no_freight_and_says_so(report: FrictionReport) -> None:
    assert report.ave("gems", "freight").high == 0
    assert any("No freight is worked out for gems" in note for note in report.notes)


def test_services_meet_payments_only() -> None:
    report = friction_report("IND", "RUS", ["business_services"])
    assert report.obstacles == ("agent_commission", "currency", "payment_delay")


def test_an_unknown_pair_says_that_nothing_is_known_of_it() -> None:
    report = friction_report("BRA", "JPN", ["food"])
    assert set(report.rows["match"]) == {"generic"}
    assert all(str(source).startswith("No pair-specific source: ") for source in report.rows["source"])
    assert report.notes[0].startswith("No pair-specific source for Brazil to Japan: generic defaults for freight; ")


def test_every_row_has_a_source(report: FrictionReport) -> None:
    assert all(str(source) for source in report.rows["source"])


def test_a_lane_is_told_apart_from_the_pair(report: FrictionReport) -> None:
    match = report.rows.drop_duplicates("obstacle").set_index("obstacle")["match"]
    assert (match["freight"], match["currency"], match["sanitary"]) == ("pair", "lane", "generic")


def test_claims_that_contradict_each_other_are_both_kept(report: FrictionReport) -> None:
    words = list(report.claims["claim"])
    assert any("30 % cheaper" in w for w in words)
    assert any("3,133" in w for w in report.claims["held_against"])
    assert all(str(held) for held in report.claims["held_against"])


def test_dates_decide_what_is_in_force() -> None:
    before, after = (
        friction_report("IND", "RUS", ["food"], as_of=day) for day in (date(2021, 1, 1), date(2025, 10, 3))
    )
    assert after.ave("food", "insurance").central - before.ave("food", "insurance").central == pytest.approx(0.03)
    medicines = friction_report("IND", "RUS", ["pharmaceuticals"], as_of=date(2025, 10, 3))
    assert any(note.startswith("31 December 2025, 89 days ahead: last day") for note in medicines.notes)


def test_overrides_reach_every_layer() -> None:
    report = friction_report(
        "IND",
        "RUS",
        ["food"],
        overrides={
            "insurance": {"rise": 0, "base_rate": (0, 0, 0)},
            "payment_shares": {"direct": 1.0},
            "payments": {"direct": {"release": {"days": [2, 4, 6], "refusal_probability": 0.5}}},
            "sectors": {"food": {"cargo_value": 50_000}},
            "close": ["suez", "cape"],
            "interest": {"interest_rate": 20},
        },
    )
    assert report.ave("food", "insurance").high == 0
    assert report.ave("food", "payment_delay").central == pytest.approx(4 / 0.5 / 365 * 0.2)
    assert not any("Suez" in str(name) for name in report.routes["route"])
    assert "user" in set(report.rows["match"])


def test_every_mistake_is_told_in_one_message() -> None:
    with pytest.raises(InputError) as caught:
        friction_report(
            "IND",
            "RUS",
            ["food", "phrma"],
            overrides={
                "insurence": {},
                "working_capital": {"credit_days": -5},
                "letter_of_credit": {"secured_share": 1.2},
                "payments": {
                    "third_currency": {"release": {"refusal_probability": 1.4, "days": -3}},
                    "tenge": [{"name": "x", "kind": "conversion", "from_currency": "RUB", "to_currency": "KZT"}],
                },
                "payment_shares": {"direct": 0.6, "third_currency": 0.6},
                "firm_classes": [{"name": "a", "export_share": 0.5, "rejection_share": 0.4}],
                "legs": [{"name": "l", "start": "IND", "end": "RUS", "mode": "rail", "cost": 1, "days": -1}],
                "close": "sues",
            },
        )
    told = list(caught.value.problems)
    expected = [
        "overrides has the key 'insurence'; did you mean 'insurance'?",
        "letter_of_credit.secured_share is low 1.2, central 1.2, high 1.2; expected 0 to 1 (share)",
        "working_capital.credit_days is low -5, central -5, high -5; expected 0 to 36500 (days)",
        "nothing is known of sector 'phrma'; did you mean 'pharmaceuticals'?",
        "payments.third_currency.release: days is -3; expected zero or more",
        "payments.third_currency.release: refusal_probability is 1.4 to 1.4; expected 0 or more and below 1",
        "the currency KZT of payment route 'tenge' has no rate; expected one of INR, RUB, AED, CNY, USD",
        "payment_shares add up to 1.2; expected 1",
        "export shares of firm classes add up to 0.5; expected 1",
        "legs: days is -1; expected zero or more",
        "network: no leg goes through 'sues'; did you mean 'suez'?",
    ]
    for beginning in expected:
        assert any(problem.startswith(beginning) for problem in told), beginning
    assert len(told) == len(expected)
    assert str(caught.value).startswith("the frictions between IND and RUS cannot be worked out: 11 problems\n")


def test_one_country_is_no_pair() -> None:
    with pytest.raises(InputError, match="origin and destination are both 'IND'; expected two countries"):
        friction_report("IND", "IND", ["food"])


def test_preferences_are_held_against_the_duty() -> None:
    deal = Preference(agreement="deal", valid_from=date(2026, 1, 1))
    report = friction_report(
        "IND", "RUS", ["food"], tariff_rate={"food": 0.1}, preferences=[deal], as_of=date(2026, 6, 1)
    )
    row = report.duties.iloc[0]
    assert (row["mfn_rate"], row["preferential_rate"], row["used"]) == (0.1, 0.0, True)
    with pytest.raises(InputError, match="as_of is missing, and preferences are dated"):
        friction_report("IND", "RUS", ["food"], tariff_rate={"food": 0.1}, preferences=[deal])


def test_unmet_finance_is_a_limit_and_no_price(report: FrictionReport) -> None:
    assert "unmet_finance_share" in set(report.limits["limit"])
    assert "trade_finance" not in report.obstacles


def test_the_report_survives_json(report: FrictionReport) -> None:
    assert json.loads(json.dumps(report.to_json(), allow_nan=False))["costliest"] == "transit_time"


def test_removal_divides_by_one_plus_the_obstacle(report: FrictionReport) -> None:
    factors = obstacle_factors(report, "currency", whole=True)
    eased = np.array([report.eased_share(sector) for sector in GOODS])
    assert factors == pytest.approx((1 + 0.045 * (1 - eased)) / 1.045, rel=1e-14)
    assert factors[GOODS.index("food")] == pytest.approx(1 / 1.045, rel=1e-14)
    partly = obstacle_factors(report, "transit_time")
    whole = obstacle_factors(report, "transit_time", whole=True)
    assert np.all(whole[:-1] < partly[:-1])
    assert partly[-1] == whole[-1] == 1.0


def test_without_any_obstacle_the_wedge_is_gone(report: FrictionReport) -> None:
    product = np.prod([obstacle_factors(report, name, whole=True) for name in report.obstacles], axis=0)
    unlisted = [k for k, s in enumerate(GOODS) if report.eased_share(s) == 1]
    assert len(unlisted) == 4
    assert product[unlisted] == pytest.approx([1 / (1 + report.total(GOODS[k]).central) for k in unlisted], rel=1e-12)


def test_listed_goods_are_never_eased(report: FrictionReport) -> None:
    products = load_table("products")
    mine = products[(products["origin"] == "IND") & (products["destination"] == "RUS") & (products["level"] == "hs6")]
    codes = set(high_priority_tiers())
    # The fifty codes of the list, and the predecessors some had in HS 2017; the scenario holds the same.
    assert codes == set(load_scenario("valdai-2025").exemptions["high_priority"].hs)
    pairs = zip(mine["hs"], mine["value_usd"], strict=True)
    trade = {str(hs): float(usd) for hs, usd in pairs if str(hs).isdigit()}
    mine_usd = sum(usd for hs, usd in trade.items() if hs_sector(hs) == "electronics")
    listed = sum(usd for hs, usd in trade.items() if hs in codes and hs_sector(hs) == "electronics")
    assert 0 < listed < mine_usd
    assert 1 - report.eased_share("electronics") == pytest.approx(listed / mine_usd, rel=1e-2)
    assert report.removable("electronics", "currency").central == pytest.approx(
        0.045 * report.eased_share("electronics")
    )
    assert any(note.startswith("Nothing is eased for goods on the Common High Priority List") for note in report.notes)
    assert friction_report("IND", "USA", ["electronics"]).eased_share("electronics") == 1


def test_where_no_product_is_known_a_sector_with_listed_goods_is_not_eased() -> None:
    report = friction_report("XYZ", "RUS", ["electronics", "food"])
    assert (report.eased_share("electronics"), report.eased_share("food")) == (0.0, 1.0)
    assert report.removable("electronics", "currency").high == 0


def test_a_removed_part_leaves_the_rest() -> None:
    assert removed_factor(0.25, 0.05) == pytest.approx(1.20 / 1.25)
    assert removed_factor(0.25, 0.25) == 0.8


def test_a_removal_is_a_term_of_a_shock() -> None:
    world = small_world()
    report = friction_report("IND", "RUS", world.sectors)
    shock = removal_shock(Shock.none(world), report, ["currency", "agent_commission"], whole=True)
    cost = shock.iceberg_cost_hat
    assert float(cost.sel(origin="IND", destination="RUS", sector="food")) == pytest.approx(1 / 1.045 / 1.03)
    assert float(cost.sel(origin="IND", destination="RUS", sector="machinery")) > 1 / 1.045 / 1.03
    assert int((cost.to_numpy() != 1).sum()) == 2
    assert shock.notes == ("IND -> RUS without: currency conversion, agents' commission",)


def test_a_report_that_does_not_fit_the_world_is_refused(report: FrictionReport) -> None:
    with pytest.raises(LabelError) as caught:
        removal_shock(Shock.none(small_world()), report)
    assert "the shock has no sector 'agriculture'" in caught.value.problems[0]
    with pytest.raises(LabelError, match="unknown obstacle 'curency'; did you mean 'currency'"):
        obstacle_factors(report, "curency")
