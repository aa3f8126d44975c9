"""The vocabulary: every row is usable, and every quantity of World, Shock and Solution is in it."""

from __future__ import annotations

import pytest

from counterpoise.core.errors import InputError, raise_all
from counterpoise.core.variables import DIMS, SIGNS, UNITS, variable, variables


def test_rows_use_known_dims_units_and_signs() -> None:
    for row in variables().values():
        assert set(row.dims) <= set(DIMS), row.name
        assert row.unit in UNITS, row.name
        assert row.sign in SIGNS, row.name
        assert row.description, row.name


def test_names_carry_the_suffix_of_their_unit() -> None:
    for row in variables().values():
        if row.name.endswith("_usd"):
            assert row.unit == "USD", row.name
        if row.name.endswith(("_hat", "_share", "_rate")):
            assert row.unit == "1", row.name


def test_an_unknown_name_is_met_with_the_nearest_one() -> None:
    with pytest.raises(InputError, match="did you mean 'tariff_rate'"):
        variable("tarif_rate")


def test_many_problems_are_listed_and_the_rest_counted() -> None:
    with pytest.raises(InputError, match="and 5 more") as caught:
        raise_all(InputError, "bad", [f"problem {k}" for k in range(25)])
    assert len(caught.value.problems) == 25
