"""Everything that is wrong with a scenario file, in plain words and all at once.

Two passes over the same raw data: the types of `counterpoise.scenario.schema` (reworded, since a validator's own words
help nobody), and what types cannot say. Neither stops at its first find, and neither repeats the other.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from counterpoise.core.choice import TECHNOLOGIES, choice_problems, closure_problem
from counterpoise.core.errors import did_you_mean
from counterpoise.scenario import schema
from counterpoise.scenario.schema import MAX_RATE, Scenario, hs_codes

__all__ = ["Finding", "Vocabulary", "check", "respelt"]

_KINDS: dict[str, type[BaseModel]] = {
    "tariff": schema.Tariff,
    "obstacle": schema.Obstacle,
    "purchase": schema.Purchase,
    "export_tax": schema.ExportTax,
    "quota": schema.Quota,
    "embargo": schema.Embargo,
    "opening": schema.Opening,
    "productivity": schema.Productivity,
    "labour": schema.Labour,
    "demand": schema.Demand,
}
_NESTED: dict[str, type[BaseModel]] = {
    "ave": schema.Range,
    "subsidy_rate": schema.Range,
    "rates": schema.RateRow,
    "pair": schema.Pair,
    "model": schema.Model,
    "target": schema.Target,
    "lever": schema.Lever,
    "cost": schema.LeverCost,
    "milestone": schema.Milestone,
    "exemptions": schema.ExemptionList,
    "partial": schema.PartialExemption,
}
_COUNTRY_KEYS = ("origins", "destinations", "buyer", "seller", "countries", "origin", "destination", "payer")
_CODE_KEYS = ("products", "except", "hs")
_NUMBER_OR_TABLE = ("scale_elasticity", "margin_rate")
_SELECTION = ("products", "sectors", "rates")
_SELECTS_NOTHING = ("productivity", "labour", "demand", "opening")

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The labels a scenario may use: those of the world it is about.

    ``members`` maps a region to the ISO3 codes inside it, so that a country that lies in a region can be told so.
    """

    countries: tuple[str, ...]
    sectors: tuple[str, ...]
    members: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake: the dotted key (as in ``--set``), and what is wrong with it and how to mend it."""

    key: tuple[str | int, ...]
    words: str


def check(raw: Raw, vocabulary: Vocabulary) -> tuple[Scenario | None, list[Finding]]:
    """Validate the raw data of a scenario.

    Parameters
    ----------
    raw
        The merged TOML data.
    vocabulary
        Labels of the world.

    Returns
    -------
    The scenario, or None where there are mistakes; and every mistake.
    """
    scenario: Scenario | None = None
    found: list[Finding] = []
    try:
        scenario = Scenario.model_validate(dict(raw))
    except ValidationError as error:
        found = list(_structural(error))
    meant = {(*f.key[:-1], word) for f in found if (word := _meant(f)) is not None}
    found = [f for f in found if not (f.words.startswith(_MISSING) and f.key in meant)]
    found += _semantic(raw, vocabulary, meant)
    return (None if found else scenario), sorted(found, key=lambda f: _order(f.key))


def respelt(raw: Raw) -> tuple[dict[str, Any], list[Finding]]:
    """Read a misspelt top-level key as the one it was probably meant to be, so that what it holds is checked as well.

    Parameters
    ----------
    raw
        The data of one TOML file.

    Returns
    -------
    The data under the keys that were meant, and a mistake for each key that was read so.
    """
    known = _known(Scenario)
    data = dict(raw)
    slips: list[Finding] = []
    for key in raw:
        if key in known:
            continue
        finding = Finding((key,), _unknown_key(key, Scenario))
        word = _meant(finding)
        if word is not None and word not in data:
            data[word] = data.pop(key)
            slips.append(finding)
    return data, slips


def _order(key: tuple[str | int, ...]) -> tuple[tuple[int, int, str], ...]:
    return tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in key)


_MISSING = "is missing"
_UNKNOWN = "is no key of "


def _meant(finding: Finding) -> str | None:
    """Return the key that an unknown one was probably meant to be."""
    if not finding.words.startswith(_UNKNOWN):
        return None
    hint = finding.words.partition("did you mean '")[2]
    return hint.partition("'")[0] or None


# Structure: the validator's findings in our words.


def _structural(error: ValidationError) -> Iterator[Finding]:
    for item in error.errors(include_url=False):
        raw_loc = item["loc"]
        model, field, key = _walk(raw_loc)
        words = _WORDS.get(item["type"])
        seen = item.get("input")
        if item["type"] == "extra_forbidden":
            yield Finding(key, _unknown_key(str(key[-1]), model))
        elif item["type"] == "missing":
            yield Finding(key, f"{_MISSING}; expected: {_describe(model, str(key[-1]))}")
        elif item["type"] == "string_type" and field in _CODE_KEYS:
            yield Finding(key, _code_as_number(seen))
        elif item["type"] == "string_pattern_mismatch":
            yield Finding(key, _bad_pattern(seen, field))
        elif item["type"] == "union_tag_invalid":
            tag = item.get("ctx", {}).get("tag", "")
            hint = did_you_mean(str(tag), _KINDS)
            yield Finding((*key, "kind"), f"{tag!r} is no kind of measure{hint}; expected one of {', '.join(_KINDS)}")
        elif item["type"] == "union_tag_not_found":
            yield Finding((*key, "kind"), f"{_MISSING}; expected one of {', '.join(_KINDS)}")
        elif item["type"] in ("less_than_equal", "greater_than", "greater_than_equal", "less_than"):
            yield Finding(key, _out_of_range(seen, field, item.get("ctx", {})))
        elif item["type"] == "literal_error":
            yield Finding(key, _not_a_choice(seen, str(item.get("ctx", {}).get("expected", ""))))
        else:
            expected = words or _describe(model, field)
            yield Finding(key, f"{_show(seen)}; expected {expected}")


_WORDS: dict[str, str] = {
    "string_type": 'a string in quotes, as "IND"',
    "string_too_short": "a name, not an empty string",
    "float_type": "a number; 0.25 is 25 %",
    "finite_number": "a finite number; 0.25 is 25 %",
    "bool_type": "true or false, without quotes",
    "date_type": "a date without quotes, as 2025-10-03",
    "tuple_type": "a list in square brackets",
    "dict_type": "a table",
    "model_type": "a table, as { low = 0.02, central = 0.03, high = 0.12 }, or a number where the key takes one",
    "model_attributes_type": "a table with its own keys",
}


def _walk(loc: tuple[int | str, ...]) -> tuple[type[BaseModel], str, tuple[str | int, ...]]:
    """Return the model that holds the last key of a location, the nearest named key, and the location without tags."""
    model: type[BaseModel] = Scenario
    key: list[str | int] = []
    field, in_measures, named_entry = "", False, False
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        if in_measures and isinstance(part, str) and part in _KINDS and len(key) == 2:
            model = _KINDS[part]
            in_measures = False
            continue
        if part in ("number", "table") and field in _NUMBER_OR_TABLE:
            continue
        key.append(part)
        if isinstance(part, int) or named_entry:
            named_entry = False
            continue
        field = part
        in_measures = in_measures or (part == "measure" and position == 0)
        named_entry = part == "exemptions" and position == 0
        if not last and part in _NESTED:
            model = _NESTED[part]
    return model, field, tuple(key)


def _known(model: type[BaseModel]) -> dict[str, str]:
    return {f.alias or name: f.description or "" for name, f in model.model_fields.items()}


def _describe(model: type[BaseModel], key: str) -> str:
    return _known(model).get(key, "").rstrip(".") or "a value"


def _unknown_key(key: str, model: type[BaseModel]) -> str:
    known = _known(model)
    near = difflib.get_close_matches(key.casefold(), known, n=1, cutoff=0.6)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    what = "a scenario" if model is Scenario else f"a {model.__name__.lower()}"
    return f"{_UNKNOWN}{what}{hint} Known keys: {', '.join(known)}"


def _show(seen: object) -> str:
    """Say what was seen, with its type in the words of TOML."""
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "a truth value"),
        (str, "a string"),
        (int, "a number"),
        (float, "a number"),
        (date, "a date"),
        (Mapping, "a table"),
        (list, "a list"),
    )
    kind = next((words for cls, words in kinds if isinstance(seen, cls)), "this")
    plain = f"{seen}"
    text = plain.lower() if isinstance(seen, bool) else repr(plain) if isinstance(seen, str) else plain
    return f"{text if len(text) <= 60 else text[:57] + '...'} is {kind}"


def _code_as_number(seen: object) -> str:
    if not isinstance(seen, int) or isinstance(seen, bool):
        return f'{_show(seen)}; expected an HS code as a string, as "0306"'
    digits = str(seen)
    even = digits if len(digits) % 2 == 0 else f"0{digits}"
    return (
        f"{seen} is a number, expected an HS code as a string: a number loses its leading zero, so 306 may be 0306 or "
        f'a slip; write "{even}" in quotes'
    )


def _bad_pattern(seen: object, field: str) -> str:
    if field in _CODE_KEYS:
        return f'{seen!r} is no HS code; expected 2, 4 or 6 digits ("30", "0306", "271019"), a range ("72-76") or "all"'
    return (
        f"{seen!r} is no name; expected letters, digits, '-' and '_' only, since it becomes part of file names and keys"
    )


def _out_of_range(seen: object, field: str, bounds: Mapping[str, Any]) -> str:
    number = float(seen) if isinstance(seen, int | float) else float("nan")
    if (
        "le" in bounds
        and bounds["le"] == MAX_RATE
        and field in ("rate", "ave", "subsidy_rate", "central", "low", "high")
    ):
        return (
            f"{number:g} is {100 * number:g} %; rates are fractions, 0.5 is 50 %, and at most {MAX_RATE:g} "
            f"({100 * MAX_RATE:g} %) is taken for one; write {number / 100:g} for {number:g} %"
        )
    if "gt" in bounds and bounds["gt"] == -1:
        return f"{number:g} would make goods free or better; expected a rate above -1 (-0.1 takes 10 points away)"
    signs = {"le": "at most", "ge": "at least", "gt": "more than", "lt": "less than"}
    return f"{number:g} is out of range; expected " + " and ".join(f"{signs[k]} {v:g}" for k, v in bounds.items())


def _not_a_choice(seen: object, expected: str) -> str:
    choices = [word.strip().strip("'") for word in expected.replace(" or ", ", ").split(",")]
    hint = did_you_mean(seen, choices) if isinstance(seen, str) else ""
    return f"{seen!r} is not one of {', '.join(choices)}{hint}"


# Meaning: what the types cannot say. The data may be malformed anywhere, so that each check looks before it reads.


def _semantic(raw: Raw, vocabulary: Vocabulary, meant: set[tuple[str | int, ...]]) -> list[Finding]:
    found: list[Finding] = []
    exemptions = _table(raw.get("exemptions"))
    for name, entry in exemptions.items():
        found += _dates(("exemptions", name), _table(entry))
        found += _codes(("exemptions", name), _table(entry))
    found += _labels(("pair",), _table(raw.get("pair")), vocabulary)
    for sector in _table(raw.get("trade_elasticity")):
        found += _label(("trade_elasticity", sector), sector, vocabulary.sectors, "sector")
    found += _model(raw, vocabulary)
    seen: dict[str, int] = {}
    for index, entry in enumerate(_list(raw.get("measure"))):
        measure, at = _table(entry), ("measure", index)
        name = measure.get("id")
        if isinstance(name, str):
            if name in seen:
                found.append(
                    Finding((*at, "id"), f"'{name}' is also the id of measure {seen[name] + 1}; ids must differ")
                )
            seen.setdefault(name, index)
        present = set(measure) | {str(m[-1]) for m in meant if m[:-1] == at}
        found += _labels(at, measure, vocabulary)
        found += _dates(at, measure)
        found += _codes(at, measure)
        found += _selection(at, measure, present)
        found += _kind_rules(at, measure, present)
        for name in _names(measure.get("exempt")):
            if name not in exemptions:
                known = ", ".join(exemptions) or "none; add [exemptions.NAME]"
                found.append(
                    Finding(
                        (*at, "exempt"), f"no exemption list '{name}'{did_you_mean(name, exemptions)} Known: {known}"
                    )
                )
    return found + list(_levers(raw, vocabulary))


def _model(raw: Raw, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Find what is wrong with the model: parts that do not go together, labels, and a closure that does not fit."""
    given = _table(raw.get("model"))
    for key, words in choice_problems(given):
        if key not in (("technology",), ("rebate",)) or given.get(key[0]) in (*TECHNOLOGIES, "income_tax_relief"):
            yield Finding(("model", *key), words)
    for key, known, kind in (
        ("scale_elasticity", vocabulary.sectors, "sector"),
        ("margin_rate", vocabulary.countries, "country"),
    ):
        for name in _table(given.get(key)):
            yield from _label(("model", key, name), name, known, kind)
    closure = raw.get("closure", "fixed_world_share")
    if given.get("technology") in TECHNOLOGIES and closure in schema.CLOSURES:
        unfit = closure_problem(str(given["technology"]), str(closure))
        if unfit is not None:
            yield Finding(("closure",), unfit)
    if "trade_elasticity" in given and "horizon_years" in raw:
        yield Finding(
            ("model", "trade_elasticity"),
            "given beside horizon_years; write the elasticity of that year here, and leave horizon_years out",
        )


_LEVER_NEEDS: dict[str, tuple[str, ...]] = {
    "tariff_cut": ("destination",),
    "purchase": ("destination",),
    "obstacle_removal": ("destination", "ave"),
    "export_support": ("destination",),
    "opened_line": ("destination", "potential_usd"),
    "restraint": ("destination",),
    "fund": ("gain", "scale_usd"),
}
_LEVER_MOST: dict[str, tuple[float, str]] = {
    "tariff_cut": (1.0, "1, the whole duty"),
    "obstacle_removal": (1.0, "1, the whole obstacle"),
    "opened_line": (1.0, "1, the whole potential"),
    "purchase": (0.95, "0.95 of the price"),
    "export_support": (0.95, "0.95 of the price"),
}


def _levers(raw: Raw, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Find what is wrong with levers: names, bounds, labels, dates, and keys that a kind needs."""
    seen: dict[str, int] = {}
    for index, entry in enumerate(_list(raw.get("lever"))):
        lever, at = _table(entry), ("lever", index)
        name, kind = lever.get("id"), lever.get("kind")
        if isinstance(name, str):
            if name in seen:
                yield Finding((*at, "id"), f"'{name}' is also the id of lever {seen[name] + 1}; ids must differ")
            seen.setdefault(name, index)
        yield from _labels(at, lever, vocabulary)
        low, high = lever.get("lower", 0.0), lever.get("upper")
        if "upper" not in lever:
            yield Finding(
                (*at, "upper"), "is missing: a lever without an upper bound could grow without limit; give upper = ..."
            )
        elif isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            yield Finding((*at, "upper"), f"{high:g} is below lower = {low:g}; expected lower <= upper")
        if isinstance(kind, str) and kind in _LEVER_NEEDS:
            for key in ("origin", *_LEVER_NEEDS[kind]):
                if key not in lever:
                    yield Finding((*at, key), f"{_MISSING}; a lever of kind {kind} needs it")
            most = _LEVER_MOST.get(kind)
            if most is not None and isinstance(high, int | float) and high > most[0]:
                yield Finding((*at, "upper"), f"{high:g} is out of range; expected at most {most[1]}")
        start, full = lever.get("available_from"), lever.get("full_by")
        if type(start) is date and type(full) is date and full < start:
            yield Finding((*at, "full_by"), f"{full} is before available_from {start}; swap them or mend one")
        if "full_by" in lever and "available_from" not in lever:
            yield Finding((*at, "available_from"), f"{_MISSING}; full_by says when a ramp ends, not when it begins")


def _table(value: object) -> Raw:
    return cast("Raw", value) if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return list(cast("Sequence[Any]", value)) if isinstance(value, list | tuple) else []


def _names(value: object) -> list[str]:
    """Return the strings of a value that is one name or a list of them."""
    return [value] if isinstance(value, str) else [v for v in _list(value) if isinstance(v, str)]


def _label(key: tuple[str | int, ...], seen: str, known: Sequence[str], kind: str) -> Iterator[Finding]:
    if seen not in known:
        yield Finding(key, f"unknown {kind} '{seen}'{did_you_mean(seen, known) or ';'} Known: {', '.join(known)}")


def _country(key: tuple[str | int, ...], seen: str, vocabulary: Vocabulary) -> Iterator[Finding]:
    inside = [region for region, members in vocabulary.members.items() if seen in members and region != seen]
    if seen in vocabulary.countries or not inside:
        yield from _label(key, seen, vocabulary.countries, "country")
    else:
        yield Finding(key, f"'{seen}' lies inside the region '{inside[0]}' of this world; write '{inside[0]}'")


def _labels(at: tuple[str | int, ...], entry: Raw, vocabulary: Vocabulary) -> Iterator[Finding]:
    for field in _COUNTRY_KEYS:
        for name in _names(entry.get(field)):
            if not (name == "all" and field in ("origins", "destinations", "countries")):
                yield from _country((*at, field), name, vocabulary)
    for name in _names(entry.get("sectors")):
        if name != "all":
            yield from _label((*at, "sectors"), name, vocabulary.sectors, "sector")
    for name in _names(entry.get("sector")):
        yield from _label((*at, "sector"), name, vocabulary.sectors, "sector")
    for row, value in enumerate(_list(entry.get("rates"))):
        for name in _names(_table(value).get("sector")):
            yield from _label((*at, "rates", row, "sector"), name, vocabulary.sectors, "sector")


def _dates(at: tuple[str | int, ...], entry: Raw) -> Iterator[Finding]:
    start, end = entry.get("valid_from"), entry.get("valid_until")
    if type(start) is date and type(end) is date and end <= start:
        yield Finding(
            (*at, "valid_until"),
            f"{end} is not after valid_from {start}; valid_until is the first day no longer in force: "
            "swap them or mend one",
        )


def _codes(at: tuple[str | int, ...], entry: Raw) -> Iterator[Finding]:
    """Find ranges that run backwards, wherever codes may stand."""
    places: list[tuple[tuple[str | int, ...], object]] = [((*at, key), entry.get(key)) for key in _CODE_KEYS]
    for key in ("rates", "partial"):
        places += [((*at, key, n, "hs"), _table(row).get("hs")) for n, row in enumerate(_list(entry.get(key)))]
    for where, value in places:
        for code in _names(value):
            ends = hs_codes(code)
            if ends is not None and ends[1] < ends[0]:
                yield Finding(where, f"the range '{code}' runs backwards; write '{ends[1]}-{ends[0]}'")


def _selection(at: tuple[str | int, ...], measure: Raw, present: set[str]) -> Iterator[Finding]:
    kind = measure.get("kind")
    if kind not in _KINDS or kind in _SELECTS_NOTHING:
        return
    if "products" in present and "sectors" in present:
        yield Finding((*at, "sectors"), "both products and sectors are given; keep the one that says what is meant")
    choices = _SELECTION if kind == "tariff" else _SELECTION[:2]
    if not present.intersection(choices):
        yield Finding(at, f"selects nothing; give {' or '.join(choices)} ('all' means all)")
    for key in (*choices, "origins", "destinations"):
        if key in measure and isinstance(measure[key], list) and not measure[key]:
            yield Finding((*at, key), "is an empty list, which selects nothing; name something or write 'all'")


def _kind_rules(at: tuple[str | int, ...], measure: Raw, present: set[str]) -> Iterator[Finding]:
    rules: dict[str, Callable[[tuple[str | int, ...], Raw, set[str]], Iterator[Finding]]] = {
        "tariff": _tariff_rules,
        "obstacle": _obstacle_rules,
        "purchase": _purchase_rules,
        "quota": _quota_rules,
        "opening": _opening_rules,
    }
    kind = measure.get("kind")
    if isinstance(kind, str) and kind in rules:
        yield from rules[kind](at, measure, present)
    for key in ("ave", "subsidy_rate"):
        bounds = _table(measure.get(key))
        values = [bounds.get("low"), bounds.get("central"), bounds.get("high")]
        given = [v for v in values if isinstance(v, int | float)]
        if given != sorted(given):
            yield Finding((*at, key), f"low, central, high are {given}; expected them in rising order")


def _tariff_rules(at: tuple[str | int, ...], measure: Raw, present: set[str]) -> Iterator[Finding]:
    if not present.intersection(("rate", "rates")):
        yield Finding((*at, "rate"), f"{_MISSING}; expected a rate for the whole selection, or rates by HS code")
    if "rate" in present and "rates" in present and not present.intersection(("products", "sectors")):
        yield Finding((*at, "rate"), "has nothing to apply to beside rates; add products or sectors, or drop it")
    if present.intersection(("products", "sectors")) and "rate" not in present and "rates" in present:
        yield Finding(
            (*at, "rate"),
            f"{_MISSING} for the products or sectors that rates does not name; give it, or drop the selection",
        )
    for row, value in enumerate(_list(measure.get("rates"))):
        if isinstance(value, Mapping) and ("hs" in value) == ("sector" in value):
            yield Finding(
                (*at, "rates", row),
                "names " + ("both" if "hs" in value else "neither") + " hs and sector; expected one",
            )


def _obstacle_rules(at: tuple[str | int, ...], measure: Raw, present: set[str]) -> Iterator[Finding]:
    if measure.get("removed") is True and measure.get("added") is True:
        yield Finding((*at, "added"), "an obstacle is removed or added, not both; set one of them to false")


def _quota_rules(at: tuple[str | int, ...], measure: Raw, present: set[str]) -> Iterator[Finding]:
    given = sorted(present.intersection(("limit_share", "limit_usd")))
    if len(given) != 1:
        seen = "both limit_share and limit_usd are" if given else "neither limit_share nor limit_usd is"
        yield Finding((*at, "limit_share"), f"{seen} given; expected one, as limit_share = 0.8 for a fifth less")


def _opening_rules(at: tuple[str | int, ...], measure: Raw, present: set[str]) -> Iterator[Finding]:
    if isinstance(measure.get("origin"), str) and measure.get("origin") == measure.get("destination"):
        yield Finding((*at, "destination"), f"'{measure['origin']}' is the origin too; a line runs to another country")


def _purchase_rules(at: tuple[str | int, ...], measure: Raw, present: set[str]) -> Iterator[Finding]:
    if isinstance(measure.get("buyer"), str) and measure.get("buyer") == measure.get("seller"):
        yield Finding((*at, "seller"), f"'{measure['seller']}' is the buyer too; a programme buys from another country")
    rate = measure.get("subsidy_rate")
    values = [rate] if isinstance(rate, int | float) else list(_table(rate).values())
    for value in values:
        if isinstance(value, int | float) and 1 <= value <= MAX_RATE:
            yield Finding(
                (*at, "subsidy_rate"),
                f"{value:g} would pay the whole price or more; expected a share below 1 (0.2 is 20 %)",
            )
