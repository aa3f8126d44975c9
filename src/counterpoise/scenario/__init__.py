"""Scenarios: TOML files of dated, sourced measures, validated with every mistake at once, compiled to a Shock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from counterpoise.scenario.compile import (
        CompiledScenario,
        CompileReport,
        Coverage,
        MeasureReport,
        added_duty_rate,
        change_dates,
        compile_scenario,
        product_detail,
        timeline,
    )
    from counterpoise.scenario.files import list_scenarios, load_scenario, scenario_text, scenario_world
    from counterpoise.scenario.schema import Scenario, json_schema

__all__ = [
    "CompileReport",
    "CompiledScenario",
    "Coverage",
    "MeasureReport",
    "Scenario",
    "added_duty_rate",
    "change_dates",
    "compile_scenario",
    "json_schema",
    "list_scenarios",
    "load_scenario",
    "product_detail",
    "scenario_text",
    "scenario_world",
    "timeline",
]

_HOME = {name: "compile" for name in __all__} | {
    "Scenario": "schema",
    "json_schema": "schema",
    "list_scenarios": "files",
    "load_scenario": "files",
    "scenario_text": "files",
    "scenario_world": "files",
}


def __getattr__(name: str) -> Any:
    """Import on first use: compiling brings xarray, which reading and checking a file need not."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
