"""Accounts among several countries: hand-checked money, limits, drains, what moves in hard currency, and bad files."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from counterpoise.core.errors import InputError
from counterpoise.settle import (
    JointStudy,
    arrangement_case,
    joint_case,
    read_arrangement,
    shipped_arrangements,
    study_joint,
)

# Three countries: Russia sells oil to India for rupees, India sells to the Emirates for dirhams, these to Russia.
TABLES: dict[str, Any] = {
    "countries": ["IND", "RUS", "ARE"],
    "first": "2026-01",
    "months": 6,
    "currencies": {"INR": 100.0, "AED": 4.0, "RUB": 80.0},
    "flow": [
        {"origin": "RUS", "destination": "IND", "goods": "oil", "usd_a_year": 1200e6},
        {"origin": "IND", "destination": "ARE", "goods": "rice", "usd_a_year": 600e6},
        {"origin": "ARE", "destination": "RUS", "goods": "fruit", "usd_a_year": 240e6},
    ],
    "invoice": [
        {"goods": "oil", "share": {"INR": 0.5, "USD": 0.5}},
        {"goods": "rice", "share": {"INR": 1.0}},
        {"goods": "fruit", "share": {"AED": 1.0}},
    ],
    "account": [
        {
            "holder": "RUS",
            "currency": "INR",
            "cap_usd": 120e6,
            "use": [{"kind": "conversion", "rate": 1.0, "limit_usd": 10e6}],
            "freeze": [{"first": "2026-04", "last": "2026-04"}],
        }
    ],
}


def changed(**tables: Any) -> dict[str, Any]:
    return {**copy.deepcopy(TABLES), **tables}


@pytest.fixture(scope="module")
def hand() -> JointStudy:
    return study_joint(arrangement_case(TABLES))


def test_an_account_is_what_a_hand_reckons(hand: JointStudy) -> None:
    # 50 mn a month come in and 10 go out; in April, frozen, nothing does; the cap of 120 turns the rest away.
    money = hand.months().set_index("month")["money_usd"] / 1e6
    assert money.round(6).tolist() == [40.0, 80.0, 120.0, 120.0, 120.0, 120.0]
    turned = hand.months().set_index("month")["turned_away_usd"] / 1e6
    assert turned.round(6).tolist() == [0.0, 0.0, 0.0, 50.0, 40.0, 40.0]
    assert hand.case.arrangement.draws == 1
    assert hand.ledger.check() == ()


def test_limits_say_when_they_bind(hand: JointStudy) -> None:
    limits = {str(row["limit"]): row for row in hand.limits().to_dict("records")}
    assert [limits["cap"][key] for key in ("first", "last", "months", "rate")] == ["2026-04", "2026-06", 3.0, 1.0]
    assert [limits["freeze"][key] for key in ("first", "last")] == ["2026-04", "2026-04"]
    assert limits["limit of conversion"]["months"] == 5.0
    assert hand.months().set_index("month").loc["2026-04", "limits"] == "cap; freeze"


def test_hard_currency_is_what_no_account_and_no_own_money_takes(hand: JointStudy) -> None:
    # Oil: half in dollars, and what the cap turns away; conversions come besides. Rice in rupees costs the Emirates
    # hard currency, since they have no account; fruit in dirhams costs Russia the same.
    january, april = hand.periods.iloc[0], hand.periods.iloc[3]
    assert january["all_hard"] == 170_000_000_00
    assert january["accounts"] == (50 + 10 + 50 + 20) * 1_000_000_00
    assert april["accounts"] == (50 + 50 + 50 + 20) * 1_000_000_00
    # India owes 60 and is owed 50, the Emirates owe 50 and are owed 20, Russia owes 20 and is owed 60.
    assert january["cycles"] == (130 - 3 * 20) * 1_000_000_00
    assert january["novation"] == 40 * 1_000_000_00
    table = hand.hard.table().set_index("method")
    assert table.loc["all_hard", "settled_cents"] == 6 * 170_000_000_00
    assert table.loc["all_hard", "saved_rate"] == 0.0


def test_balances_are_netted_against_each_other() -> None:
    tables = changed()
    tables["account"] = [
        {"holder": "RUS", "currency": "INR", "opening_usd": 90e6},
        {"holder": "IND", "currency": "AED", "opening_usd": 70e6},
        {"holder": "ARE", "currency": "RUB", "opening_usd": 50e6},
    ]
    tables["flow"] = [{"origin": a, "destination": b, "usd_a_year": 0.0} for a, b in (("RUS", "IND"), ("ARE", "RUS"))]
    tables["invoice"] = []
    net = study_joint(arrangement_case(tables)).balances
    assert net is not None
    left = net.table().set_index("method")["settled_minor"] / 100e6
    assert left.to_dict() == {
        "gross": 210.0, "bilateral netting": 210.0, "cycle clearing": 60.0, "multilateral novation": 40.0,
    }  # fmt: skip


def test_extra_imports_that_were_found_leave_the_target_when_they_are_bought() -> None:
    tables = changed(months=12)
    account = tables["account"][0]
    del account["cap_usd"], account["freeze"]
    account |= {"drain_by": "2026-12", "target_usd": 30e6, "interest_rate": 0.06, "refusal_rate": 0.2}
    account["use"].append({"kind": "project", "rate": 0.1})
    drains = study_joint(arrangement_case(tables)).drains
    bought = dict(zip(drains["uses"], drains["usd_a_year"], strict=True))
    assert bought["unchanged"] < bought["in_proportion"]
    programme = {"buyer": "RUS", "seller": "IND", "currency": "INR", "usd_a_year": float(bought["in_proportion"])}
    tables["programme"] = [programme]
    again = study_joint(arrangement_case(tables))
    assert again.months()["money_usd"].iloc[-1] == pytest.approx(30e6, abs=10.0)
    assert again.drains["usd_a_year"].tolist() == [0.0, 0.0]


def test_an_account_that_is_frozen_to_the_end_is_never_drained() -> None:
    tables = changed()
    tables["account"][0] |= {"drain_by": "2026-06", "opening_usd": 50e6}
    tables["account"][0]["freeze"] = [{"first": "2026-01", "last": "2026-06"}]
    drains = study_joint(arrangement_case(tables)).drains
    assert drains["never"].tolist() == [1.0, 1.0]
    assert np.isinf(drains["usd_a_year"]).all()


def test_the_more_detailed_invoice_rule_holds_and_a_later_one_from_its_day() -> None:
    tables = changed(
        invoice=[
            {"share": {"USD": 1.0}},
            {"origin": "RUS", "destination": "IND", "share": {"INR": 0.2}, "rest": "USD"},
            {
                "origin": "RUS",
                "destination": "IND",
                "share": {"INR": 0.6},
                "rest": "USD",
                "valid_from": np.datetime64("2026-03-01").astype(object),
            },
        ]
    )
    oil = arrangement_case(tables).arrangement.streams[0]
    assert oil.shares["INR"][0].tolist() == pytest.approx([0.2, 0.2, 0.6, 0.6, 0.6, 0.6])
    tables["invoice"][2].pop("valid_from")
    with pytest.raises(InputError, match=r"invoice 2 and invoice 3 both hold for oil from RUS to IND in 2026-01"):
        arrangement_case(tables)


def test_uncertain_numbers_give_a_band_that_depends_on_the_seed_alone() -> None:
    tables = changed()
    tables["invoice"][0] = {"goods": "oil", "share": {"INR": [0.2, 0.4, 0.5]}, "rest": "USD"}
    one, same, other = (study_joint(arrangement_case(tables, draws=50, seed=seed)).months() for seed in (1, 1, 2))
    assert one["money_usd_low"].iloc[0] < one["money_usd"].iloc[0] < one["money_usd_high"].iloc[0]
    assert one.equals(same)
    assert not one.equals(other)


def test_a_path_of_rates_revalues_what_is_held() -> None:
    tables = changed(currencies={"INR": {"path": {"2026-01": 100.0, "2026-06": 125.0}}, "AED": 4.0})
    tables["account"] = [{"holder": "RUS", "currency": "INR", "opening_usd": 100e6}]
    tables["flow"][0]["usd_a_year"] = 0.0
    table = study_joint(arrangement_case(tables)).accounts().iloc[0]
    assert table["end_usd"] == pytest.approx(80e6, abs=1)
    assert table["revaluation_usd"] == pytest.approx(-20e6, abs=6)


def test_every_mistake_of_a_file_is_in_one_message() -> None:
    tables = changed(
        countries=["IND", "RUS", "ARE", "CHM"],
        titel="x",
        currencies={"INR": -1.0},
        invoice=[
            {"goods": "oil", "share": {"INR": 0.5, "USD": 0.4}},
            {"goods": "rise", "share": {"INR": [0.1, 0.2, 0.3]}, "rest": "USD"},
            {"goods": "fruit", "share": {"AED": 1.0}, "payment_days": -30},
        ],
        account=[
            {"holder": "RUS", "currency": "INR", "refusal_rate": 1.5, "use": [{"kind": "convertion", "rate": 0.1}]},
            {"holder": "RUS", "currency": "KZT", "freeze": [{"first": "2026-05", "last": "2026-02"}]},
            {"holder": "RUS", "currency": "INX", "drain_by": "2031-01"},
        ],
    )
    with pytest.raises(InputError) as caught:
        arrangement_case(tables, name="mine.toml")
    told = "\n".join(caught.value.problems)
    for words in (
        "mine.toml has the key 'titel'; did you mean 'title'?",
        "countries: unknown country 'CHM'; did you mean 'KHM'?",
        "currencies, INR: the rate is -1.0; expected units per USD above zero",
        "invoice 1: shares add up to 0.9; expected 1, or name the currency that takes the rest: rest = 'USD'",
        "invoice 2 fits no flow; did you mean 'rice'?",
        "invoice 3: payment_days is -30; expected zero or more days",
        "account RUS:INR: refusal_rate is 1.5; expected a probability from 0 to below 1 (0.3 is 30 %)",
        "account RUS:INR, use: kind is 'convertion'; did you mean 'conversion'?",
        "currency KZT has no rate; give one in the file: [currencies] KZT = units per USD",
        "freeze of RUS:KZT: lasts -2 months (2026-05 to 2026-02)",
        "account RUS:INX: unknown currency 'INX'; did you mean 'INR'?",
        "account RUS:INX: drain_by is 2031-01; expected a month from 2026-01 to 2026-06, or run more months",
    ):
        assert words in told
    assert "mine.toml cannot be used: " in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("flow", [], "there is no trade; give flows under [[flow]], or trade = 'world'"),
        ("account", [], "there is no account; give at least one under [[account]]"),
        ("account", [{"holder": "IND", "currency": "INR"}], "IND issues INR itself"),
        ("account", [{"holder": "RUS", "currency": "INR"}] * 2, "account RUS:INR is given 2 times; join them"),
        ("months", 0, "months is 0; expected a whole number of at least 1"),
        ("trade", "wrold", "trade is 'wrold'; did you mean 'world'?"),
        ("as_of", "2026-06", "as_of is 2026-06; expected a month from 2025-12 to the last but one, 2026-05"),
        ("netting_months", 0, "netting_months is 0; expected a whole number of at least 1"),
        ("currencies", {"INR": {"path": {"soon": 80.0}}}, "currencies, INR: 'soon' is no period"),
        ("countries", ["IND"], "countries names 1; expected at least 2"),
        ("programme", [{"buyer": "RUS", "seller": "IND", "currency": "INR"}], "programme 1: usd_a_year is missing"),
    ],
)
def test_each_mistake_is_named(key: str, value: object, words: str) -> None:
    with pytest.raises(InputError) as caught:
        arrangement_case(changed(**{key: value}))
    assert words in str(caught.value)


def test_unreported_trade_is_refused_or_counted() -> None:
    tables: dict[str, Any] = {"countries": ["IND", "RUS", "PRK"], "trade": "world", "months": 3}
    tables["account"] = [{"holder": "RUS", "currency": "INR"}]
    with pytest.raises(InputError, match=r"no trade is reported from .* which is not zero"):
        arrangement_case(tables)
    case = arrangement_case({**tables, "unreported": "leave_out"})
    assert case.left_out
    assert any(f"{len(case.left_out)} of 6 flows are not reported and left out" in note for note in case.notes)


def test_the_shipped_file_runs_on_real_trade() -> None:
    assert shipped_arrangements() == ("four-countries",)
    case = read_arrangement("four-countries", draws=20, months=18, drain_by="2026-05")
    assert {s.goods for s in case.arrangement.streams} == {"fuels", "other goods", "medicines and food"}
    assert len(case.arrangement.accounts) == len(case.aims) == 9
    sold = sum(s.value.sum() for s in case.arrangement.streams if (s.origin, s.destination) == ("RUS", "IND"))
    assert 60e9 < sold < 100e9  # 55 to 64 bn a year, 18 months
    with pytest.raises(InputError, match=r"four-contries is no file; did you mean 'four-countries'\?"):
        read_arrangement("four-contries")


def test_all_pairs_among_countries_have_the_account_of_the_pair() -> None:
    case = joint_case(["IND", "RUS", "CHN", "USA"], draws=20, months=30, cap_usd_bn=5.0, refusal_rate=0.1)
    assert case.arrangement.labels == ("RUS:INR", "CHN:INR", "RUS:CNY")
    assert any(note.startswith("no account between") for note in case.notes)
    study = study_joint(case)
    assert study.ledger.check() == ()
    assert 2.0 <= study.ledger.usd_bn("RUS:INR")[:, 6].min()  # the reported 2 bn of June 2023
    with pytest.raises(InputError) as caught:
        joint_case(["IND", "INX", "IND"], refusal_rate=2.0, rates={"INR": -1.0})
    assert len(caught.value.problems) == 4
