"""The published JSON Schema: what it says, and that the library obeys it."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from typing import Any

import pytest

from counterpoise.scenario import json_schema, list_scenarios, scenario_text
from counterpoise.scenario.schema import Obstacle, Range, Tariff


def test_every_key_of_the_schema_is_described() -> None:
    schema = json_schema()
    bare = [
        f"{name}.{key}"
        for name, part in [("Scenario", schema), *schema["$defs"].items()]
        for key, entry in part["properties"].items()
        if key not in ("kind", "origin", "destination") and "description" not in entry
    ]
    assert bare == []


def test_it_uses_the_names_of_the_file() -> None:
    schema = json_schema()
    assert {"schema", "name", "as_of", "measure"} <= set(schema["properties"])
    assert "except" in schema["$defs"]["Tariff"]["properties"]
    assert schema["required"] == ["schema", "name"]
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("name", list_scenarios())
def test_the_library_obeys_it(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed: pip install jsonschema")

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType]
        if isinstance(value, list):
            return [plain(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
        return value.isoformat() if isinstance(value, date) else value

    jsonschema.validate(plain(tomllib.loads(scenario_text(name)[0])), json_schema())


def test_a_range_without_bounds_is_its_central_value() -> None:
    assert [Range(central=0.2).at(case) for case in ("low", "central", "high")] == [0.2, 0.2, 0.2]
    assert Range(low=0.1, central=0.2, high=0.4).at("high") == 0.4


def test_a_number_stands_for_a_range_and_a_name_for_a_list() -> None:
    given = {"id": "x", "kind": "obstacle", "origins": "IND", "destinations": "RUS", "products": "30", "ave": 0.1}
    obstacle = Obstacle.model_validate(given)
    assert obstacle.ave == Range(central=0.1)
    assert obstacle.origins == ("IND",)
    assert obstacle.products == ("30",)


def test_the_first_day_is_in_force_and_the_last_named_day_is_not() -> None:
    given: dict[str, Any] = {"id": "x", "kind": "tariff", "origins": "IND", "destinations": "USA", "rate": 0.1}
    duty = Tariff.model_validate({**given, "valid_from": date(2025, 8, 27), "valid_until": date(2026, 2, 7)})
    days = (date(2025, 8, 26), date(2025, 8, 27), date(2026, 2, 6), date(2026, 2, 7))
    assert [duty.in_force(day) for day in days] == [False, True, True, False]
    assert duty.group_name == "tariff"
