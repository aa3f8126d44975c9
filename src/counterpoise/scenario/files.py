"""Find, read, extend, override and validate scenario files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from counterpoise.core.errors import ScenarioError, did_you_mean, raise_all
from counterpoise.data import concordance
from counterpoise.scenario.problems import Finding, Vocabulary, check, respelt
from counterpoise.scenario.schema import Scenario

if TYPE_CHECKING:
    from counterpoise.core import World

__all__ = ["list_scenarios", "load_scenario", "scenario_text", "scenario_world"]

Raw = dict[str, Any]

# Not inherited: a scenario that extends another is another scenario.
_OWN = ("schema", "name", "extends")

_NAMED = ("measure", "lever")
"""Lists whose entries have an id, by which a scenario that extends another changes them one by one."""


@dataclass(slots=True)
class _Draft:
    """Raw data under construction: the file asked for, where each key came from, what was wrong before validation.

    ``ordinals`` counts the measures and the levers of each file from 1, by identity of the raw table.
    """

    name: str
    data: Raw = field(default_factory=dict[str, Any])
    places: dict[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])
    problems: list[str] = field(default_factory=list[str])
    ordinals: dict[int, int] = field(default_factory=dict[int, int])


def list_scenarios() -> tuple[str, ...]:
    """Return the names of the scenarios that come with the package, sorted."""
    folder = resources.files("counterpoise.scenario") / "library"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def scenario_text(name_or_path: str | Path) -> tuple[str, str]:
    """Return the text of a scenario file as it stands, and the path it is shown under.

    Raises
    ------
    ScenarioError
        If there is no such scenario.
    """
    given = str(name_or_path)
    if given in list_scenarios():
        entry = resources.files("counterpoise.scenario") / "library" / f"{given}.toml"
        return entry.read_text(encoding="utf-8"), f"{given}.toml"
    path = Path(given).expanduser()
    if not path.is_file():
        known = list_scenarios()
        hint = did_you_mean(given, known) or ";"
        raise ScenarioError(f"no scenario '{given}'{hint} expected a file, or one of {', '.join(known)}")
    try:
        return path.read_text(encoding="utf-8"), given
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{given}: byte {error.start} is not UTF-8; save the file as UTF-8 text") from None


def load_scenario(
    name_or_path: str | Path, *, overrides: Mapping[str, str] | None = None, world: World | None = None
) -> Scenario:
    """Read a scenario, with what it extends and with overrides, and validate the whole.

    Parameters
    ----------
    name_or_path
        Name of a library scenario, or path of a TOML file.
    overrides
        Dotted keys and values as on the command line: ``{"measure.us_oil_25.enabled": "false"}``,
        ``{"group.obstacles.removed": "true"}`` for every measure of a group, ``{"as_of": "2026-02-08"}``.
        A value is read as TOML, and as a string where it is none.
    world
        The world whose labels the scenario must use; by default the one that the scenario names.

    Raises
    ------
    ScenarioError
        If the file is missing, is not TOML, extends itself, or holds mistakes; all of them in one message.
    """
    draft = _merged(str(name_or_path))
    for key, value in (overrides or {}).items():
        _override(draft, key, value)
    scenario, findings = check(draft.data, _vocabulary(draft.data, world))
    problems = [*draft.problems, *(_told(draft, f) for f in findings)]
    raise_all(ScenarioError, f"the scenario '{name_or_path}' cannot be used", problems, most=100)
    assert scenario is not None
    return scenario


def scenario_world(scenario: Scenario) -> World:
    """Return the world of a scenario, with its elasticities, those it replaces, its model and the horizon it looks at.

    A model of one sector leaves the sectors, which measures are laid on; `counterpoise.solver.solve` adds them up.

    Raises
    ------
    DataError
        If the world file cannot be read.
    InputError
        If the set of elasticities does not fit the world.
    """
    from counterpoise.core.reduction import shaped_world
    from counterpoise.data import load_world

    world = load_world(scenario.world, elasticities=scenario.elasticities)
    if scenario.trade_elasticity:
        theta = [
            scenario.trade_elasticity.get(s, float(t))
            for s, t in zip(world.sectors, world.trade_elasticity, strict=True)
        ]
        world = world.with_changes(trade_elasticity=theta, consumption_share=world.consumption_share)
    world = shaped_world(world, scenario.choice)
    return world if scenario.horizon_years is None else world.at_horizon(scenario.horizon_years)


def _vocabulary(data: Mapping[str, Any], world: World | None) -> Vocabulary:
    """Return the labels of the world that a scenario is about; those of the embedded one without reading it."""
    named = data.get("world")
    if world is None and isinstance(named, str) and named.endswith(".parquet"):
        from counterpoise.data import load_world

        world = load_world(named)
    if world is not None:
        return Vocabulary(world.countries, world.sectors, world.meta.members)
    return Vocabulary(concordance.regions(), concordance.sectors(), concordance.region_members())


# Reading


def _merged(name_or_path: str) -> _Draft:
    """Read a scenario and all it extends, and lay each over what it extends."""
    chain: list[tuple[str, Raw]] = []
    draft = _Draft(name_or_path)
    seen: list[str] = []
    given: str | None = name_or_path
    while given is not None:
        text, shown = scenario_text(given)
        identity = shown if given in list_scenarios() else str(Path(shown).resolve())
        if identity in seen:
            raise ScenarioError(
                f"{name_or_path}: extends runs in a circle: {' -> '.join([*(s for s, _ in chain), shown])}"
            )
        seen.append(identity)
        data, slips = respelt(_parse(text, shown, draft.problems))
        draft.problems += [f"{shown}: {_worded(draft, slip)}" for slip in slips]
        chain.append((shown, data))
        parent = data.get("extends")
        given = _resolve(parent, shown) if isinstance(parent, str) and parent else None
    for shown, data in reversed(chain):
        _lay_over(draft, data, shown)
    return draft


def _resolve(parent: str, child: str) -> str:
    """Return where a parent is: a path is relative to the file that names it."""
    return str(Path(child).parent / Path(parent).expanduser()) if parent.endswith(".toml") else parent


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|#.*|(?<![\w.+:-])(0\d+)(?![\w.:-])')


def _parse(text: str, shown: str, problems: list[str]) -> Raw:
    """Parse TOML. A number with a leading zero is no TOML, but a likely slip for an HS code: it is told and read on."""
    lines = text.splitlines()
    while True:
        try:
            return tomllib.loads("\n".join(lines) + "\n")
        except tomllib.TOMLDecodeError as error:
            what, line, column = _syntax(str(error), len(lines))
            slips = [m.group(1) for m in _TOKEN.finditer(lines[line - 1])] if 0 < line <= len(lines) else []
            codes = [slip for slip in slips if slip]
            if not codes:
                raise ScenarioError(
                    f"{shown}: line {line}, column {column}: {what}; "
                    'expected TOML, such as key = "text", key = 0.5 or [[measure]]'
                ) from None
            for code in codes:
                problems.append(
                    f"{shown}: line {line}: {code} is a number with a leading zero, which TOML does not have; "
                    f'an HS code is a string: write "{code}"'
                )
            lines[line - 1] = _TOKEN.sub(lambda m: f'"{m.group(1)}"' if m.group(1) else m.group(), lines[line - 1])


def _syntax(message: str, last: int) -> tuple[str, int, int]:
    """Take what, line and column out of a parser's message."""
    match = re.search(r"^(.*?) \(at line (\d+), column (\d+)\)$", message)
    if match is None:
        return message.removesuffix(" (at end of document)") + " at the end of the file", last, 1
    return match.group(1), int(match.group(2)), int(match.group(3))


def _lay_over(draft: _Draft, data: Raw, shown: str) -> None:
    """Lay one file over what it extends: tables deeply, measures and levers by id, all else replaced."""
    for key in _OWN:
        draft.data.pop(key, None)
        draft.places.pop((key,), None)
    inherited = {key: {str(e["id"]): e for e in _entries(draft.data, key) if "id" in e} for key in _NAMED}
    for key, value in data.items():
        if key in _NAMED and isinstance(value, list) and inherited[key]:
            for entry in cast("list[Any]", value):
                _lay_entry(draft.data[key], inherited[key], entry)
        else:
            _deep(draft.data, {key: value})
        draft.places[(key,)] = shown
    for kind in _NAMED:
        for ordinal, entry in enumerate(_entries(data, kind), start=1):
            draft.ordinals[id(entry)] = ordinal
            name = str(entry.get("id"))
            draft.places.setdefault((kind, name), shown)
            draft.places.update({(kind, name, str(key)): shown for key in entry})


def _lay_entry(entries: list[Any], inherited: Mapping[str, Raw], entry: object) -> None:
    """Change the inherited entry of the same id, or add a new one; another kind replaces the old one whole."""
    new = _table(entry)
    base = inherited.get(str(new.get("id")))
    if base is None:
        entries.append(entry)
        return
    if "kind" in new and new["kind"] != base.get("kind"):
        base.clear()
    _deep(base, new)


def _deep(base: Raw, over: Raw) -> None:
    """Lay one table over another."""
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _deep(base[key], cast("Raw", value))
        else:
            base[key] = value


def _table(value: object) -> Raw:
    return cast("Raw", value) if isinstance(value, dict) else {}


def _entries(data: Raw, kind: str) -> list[Raw]:
    """Return the measures or levers of raw data that are tables."""
    entries: object = data.get(kind)
    listed = cast("list[object]", entries) if isinstance(entries, list) else []
    return [table for table in map(_table, listed) if table]


# Overrides


def _override(draft: _Draft, key: str, text: str) -> None:
    """Set one dotted key; a key that leads nowhere is a problem of the scenario."""
    try:
        value: Any = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    parts = key.split(".")
    kind = "measure" if parts[0] == "group" else parts[0]
    measures = _entries(draft.data, kind)
    if parts[0] in (*_NAMED, "group") and len(parts) >= 3:
        if parts[0] in _NAMED:
            known = {str(m.get("id")) for m in measures}
            targets = [m for m in measures if m.get("id") == parts[1]]
        else:
            known = {str(m.get("group") or m.get("kind")) for m in measures}
            targets = [m for m in measures if (m.get("group") or m.get("kind")) == parts[1]]
        if not targets:
            hint = did_you_mean(parts[1], known) or ";"
            listed = ", ".join(sorted(known)) or "none"
            draft.problems.append(f"--set {key}: no {parts[0]} '{parts[1]}'{hint} Known: {listed}")
        for target in targets:
            _put(target, parts[2:], value)
            draft.places[(kind, str(target.get("id")), parts[2])] = f"--set {key}"
    elif parts[0] in (*_NAMED, "group", *_OWN):
        draft.problems.append(
            f"--set {key}: cannot be set; expected as_of, closure, measure.ID.KEY, lever.ID.KEY, group.NAME.KEY "
            "or another key"
        )
    else:
        _put(draft.data, parts, value)
        draft.places[(parts[0],)] = f"--set {key}"


def _put(table: Raw, parts: list[str], value: object) -> None:
    """Set a nested key; a number that has bounds is replaced as a whole."""
    for part in parts[:-1]:
        table[part] = dict(_table(table.get(part)))
        table = table[part]
    table[parts[-1]] = value


# Where a key stands


def _entry_name(draft: _Draft, kind: str, index: int) -> str | None:
    """Return the id of the measure or lever at a position, where it has one."""
    name = _entry_at(draft, kind, index).get("id")
    return name if isinstance(name, str) else None


def _entry_at(draft: _Draft, kind: str, index: int) -> Raw:
    """Return the measure or lever at a position; an empty table where there is none."""
    entries = draft.data.get(kind)
    listed = cast("list[object]", entries) if isinstance(entries, list) else []
    return _table(listed[index]) if index < len(listed) else {}


def _dotted(draft: _Draft, key: tuple[str | int, ...]) -> str:
    """Spell a key as ``--set`` takes it; list positions count from 1."""
    out = ""
    for position, part in enumerate(key):
        if isinstance(part, str):
            out += f".{part}" if out else part
        else:
            kind = str(key[0]) if position == 1 and key[0] in _NAMED else None
            name = None if kind is None else _entry_name(draft, kind, part)
            count = part + 1 if kind is None else draft.ordinals.get(id(_entry_at(draft, kind, part)), part + 1)
            out += f".{name}" if name else f"[{count}]"
    return out


def _told(draft: _Draft, finding: Finding) -> str:
    """Say where a mistake stands and what it is."""
    return f"{_place(draft, finding.key)}: {_worded(draft, finding)}"


def _worded(draft: _Draft, finding: Finding) -> str:
    """Spell the key of a mistake and say what is wrong with it."""
    link = " " if finding.words.startswith(("is ", "has ", "names ", "selects ")) else ": "
    return f"{_dotted(draft, finding.key)}{link}{finding.words}"


def _place(draft: _Draft, key: tuple[str | int, ...]) -> str:
    """Name the file (or option) that a key came from."""
    words = tuple(
        (_entry_name(draft, str(key[0]), part) or "") if position == 1 and isinstance(part, int) else str(part)
        for position, part in enumerate(key)
    )
    for length in range(min(len(words), 3), 0, -1):
        if words[:length] in draft.places:
            return draft.places[words[:length]]
    return draft.name
