"""Obligations among many parties, and what remains when they are netted: in pairs, or by novation to one counterparty.

Amounts are whole smallest units. No way of netting moves any party's net position: `NettingResult.check` compares
integers.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.settle.money import EXACT_LIMIT, Minor

__all__ = ["NettingResult", "Obligations", "amount_in_minor_units", "net_bilaterally", "novate", "read_obligations"]

_COLUMNS = ("debtor", "creditor", "amount")


@dataclass(frozen=True, slots=True, eq=False)
class Obligations:
    """Who owes whom how much.

    Attributes
    ----------
    parties
        Names.
    debtor, creditor
        Index into ``parties``, shape (obligations,).
    amount
        Whole smallest units, zero or more, shape (obligations,).

    Raises
    ------
    InputError
        If a party is unknown or owes itself, or an amount is negative or too large to be exact; every problem is
        listed.
    """

    parties: tuple[str, ...]
    debtor: NDArray[np.int64]
    creditor: NDArray[np.int64]
    amount: Minor

    def __post_init__(self) -> None:
        """Check everything at once, then own read-only copies."""
        arrays = {name: np.array(getattr(self, name), dtype=np.int64) for name in _COLUMNS}
        problems: list[str] = []
        if len({values.shape for values in arrays.values()}) != 1 or arrays["amount"].ndim != 1:
            problems.append("debtor, creditor and amount differ in length; expected one entry of each per obligation")
        else:
            for name in ("debtor", "creditor"):
                wrong = np.flatnonzero((arrays[name] < 0) | (arrays[name] >= len(self.parties)))
                problems += [
                    (
                        f"obligation {k}: {name} {arrays[name][k]} is no party; there are {len(self.parties)}, "
                        "counted from 0"
                    )
                    for k in wrong
                ]
            problems += [
                f"obligation {k}: amount {arrays['amount'][k]:,} is negative; swap debtor and creditor"
                for k in np.flatnonzero(arrays["amount"] < 0)
            ]
            problems += [
                f"obligation {k}: {_name(self.parties, arrays['debtor'][k])} owes itself; leave it out"
                for k in np.flatnonzero(arrays["debtor"] == arrays["creditor"])
            ]
            if arrays["amount"].size and float(arrays["amount"].astype(np.float64).sum()) >= EXACT_LIMIT:
                problems.append(
                    f"amounts add up to {EXACT_LIMIT:,} smallest units or more, beyond which they are no "
                    "longer exact; use a larger unit"
                )
        problems += [f"party '{p}' is named {self.parties.count(p)} times" for p in _repeated(self.parties)]
        raise_all(InputError, "these obligations cannot be netted", problems)
        for name, values in arrays.items():
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    @classmethod
    def from_rows(cls, rows: Iterable[tuple[str, str, int]], *, parties: Sequence[str] | None = None) -> Obligations:
        """Make obligations from rows (debtor, creditor, amount in smallest units).

        Parameters
        ----------
        rows
            Obligations by name.
        parties
            The only names allowed; by default all that occur, in order of appearance.

        Raises
        ------
        InputError
            If a name is not among ``parties``, and as for the class; every problem is listed.
        """
        listed = list(rows)
        names = tuple(parties) if parties is not None else tuple(dict.fromkeys(n for d, c, _ in listed for n in (d, c)))
        index = {name: k for k, name in enumerate(names)}
        unknown = list(dict.fromkeys(n for d, c, _ in listed for n in (d, c) if n not in index))
        problems = [
            f"unknown party '{n}'{did_you_mean(n, names) or ';'} expected one of {', '.join(names[:12])}"
            for n in unknown
        ]
        problems += [
            f"obligation {k}: amount {a:,} is negative; swap debtor and creditor"
            for k, (_, _, a) in enumerate(listed)
            if a < 0 and unknown
        ]
        raise_all(InputError, "these obligations cannot be netted", problems)
        return cls(
            names,
            np.array([index[d] for d, _, _ in listed], dtype=np.int64),
            np.array([index[c] for _, c, _ in listed], dtype=np.int64),
            np.array([a for _, _, a in listed], dtype=np.int64),
        )

    @property
    def gross(self) -> int:
        """Sum of all obligations."""
        return int(self.amount.sum())

    def net_positions(self, amount: Minor | None = None) -> Minor:
        """Return what each party is owed minus what it owes, shape (parties,); sums to zero.

        Parameters
        ----------
        amount
            Other amounts on the same obligations.
        """
        values = self.amount if amount is None else amount
        net = np.zeros(len(self.parties), dtype=np.int64)
        np.add.at(net, self.creditor, values)
        np.subtract.at(net, self.debtor, values)
        return net

    def frame(self, amount: Minor | None = None) -> pd.DataFrame:
        """Return the obligations as a table (debtor, creditor, amount_minor), those of zero left out."""
        values = self.amount if amount is None else amount
        keep = np.flatnonzero(values)
        names = np.array(self.parties, dtype=object)
        return pd.DataFrame(
            {"debtor": names[self.debtor[keep]], "creditor": names[self.creditor[keep]], "amount_minor": values[keep]}
        )


@dataclass(frozen=True, slots=True, eq=False)
class NettingResult:
    """What remains to be paid.

    Attributes
    ----------
    method
        Words for how it was netted.
    before, after
        Obligations before and after. After novation the counterparty is a further party.
    """

    method: str
    before: Obligations
    after: Obligations

    @property
    def gross_minor(self) -> int:
        """Sum of obligations before."""
        return self.before.gross

    @property
    def settled_minor(self) -> int:
        """Money that still has to move: what debtors pay in."""
        hub = len(self.after.parties) - len(self.before.parties)
        return (
            int(self.after.amount[self.after.creditor == len(self.after.parties) - 1].sum())
            if hub
            else self.after.gross
        )

    @property
    def efficiency(self) -> float:
        """Part of the obligations that needs no money: 1 - settled / gross; 0 where there are none."""
        return 1 - self.settled_minor / self.gross_minor if self.gross_minor else 0.0

    def check(self) -> tuple[str, ...]:
        """Return the parties whose net position moved; empty when none did."""
        count = len(self.before.parties)
        old, new = self.before.net_positions(), self.after.net_positions()
        moved = np.flatnonzero(old != new[:count])
        words = [f"{self.before.parties[k]} had {old[k]:+,}, now {new[k]:+,}" for k in moved]
        if (new[count:] != 0).any():
            words.append(f"the counterparty is left with {int(new[count:].sum()):+,}")
        return tuple(words)


def novate(obligations: Obligations, *, counterparty: str = "clearing house") -> NettingResult:
    """Replace all obligations by one net position of each party against a central counterparty.

    Parameters
    ----------
    obligations
        Before.
    counterparty
        Name of the clearing house, which no party may bear.

    Returns
    -------
    Debtors pay the counterparty, which pays the creditors.

    Notes
    -----
    net_i = sum_j a_ji - sum_j a_ij; settled = sum of net_i over creditors; efficiency = 1 - settled / gross.
    """
    net = obligations.net_positions()
    hub = len(obligations.parties)
    owing, owed = np.flatnonzero(net < 0), np.flatnonzero(net > 0)
    after = Obligations(
        (*obligations.parties, counterparty),
        np.concatenate([owing, np.full(owed.size, hub)]),
        np.concatenate([np.full(owing.size, hub), owed]),
        np.abs(np.concatenate([net[owing], net[owed]])),
    )
    return NettingResult("multilateral novation", obligations, after)


def net_bilaterally(obligations: Obligations) -> NettingResult:
    """Offset what two parties owe each other; one obligation remains per pair at most."""
    count = len(obligations.parties)
    low, high = (
        np.minimum(obligations.debtor, obligations.creditor),
        np.maximum(obligations.debtor, obligations.creditor),
    )
    signed = np.where(obligations.debtor == low, obligations.amount, -obligations.amount)
    pairs, at = np.unique(low * count + high, return_inverse=True)
    net = np.zeros(pairs.size, dtype=np.int64)
    np.add.at(net, at, signed)
    keep = np.flatnonzero(net)
    first, second = pairs[keep] // count, pairs[keep] % count
    forward = net[keep] > 0
    after = Obligations(
        obligations.parties, np.where(forward, first, second), np.where(forward, second, first), np.abs(net[keep])
    )
    return NettingResult("bilateral netting", obligations, after)


def read_obligations(path: Path | str, *, minor_digits: int = 2) -> Obligations:
    """Read a CSV file with columns debtor, creditor and amount.

    Parameters
    ----------
    path
        File; amounts are decimal numbers without thousands separators.
    minor_digits
        Digits of the smallest unit: 2 for cents.

    Raises
    ------
    InputError
        If the file cannot be used; every problem is listed with its line.
    """
    source = Path(path)
    if not source.is_file():
        raise InputError(f"no file {source}; expected a CSV file with the columns {', '.join(_COLUMNS)}")
    with source.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        seen = [name.strip().casefold() for name in reader.fieldnames or ()]
        lacking = [
            f"column '{name}' is missing; the header has {', '.join(seen) or 'nothing'}"
            for name in _COLUMNS
            if name not in seen
        ]
        raise_all(InputError, f"{source.name} cannot be read", lacking)
        reader.fieldnames = seen
        rows: list[tuple[str, str, int]] = []
        problems: list[str] = []
        for row in reader:
            cells = {name: (row.get(name) or "").strip() for name in _COLUMNS}
            amount, fault = amount_in_minor_units(cells["amount"], minor_digits)
            found = [f"{name} is empty" for name in ("debtor", "creditor") if not cells[name]] + (
                [fault] if fault else []
            )
            if cells["debtor"] and cells["debtor"] == cells["creditor"]:
                found.append(f"{cells['debtor']} owes itself; leave it out")
            problems += [f"line {reader.line_num}: {words}" for words in found]
            rows.append((cells["debtor"], cells["creditor"], amount))
    if not rows:
        problems.append("there is no obligation; expected at least one line below the header")
    raise_all(InputError, f"{source.name} cannot be read", problems)
    return Obligations.from_rows(rows)


def amount_in_minor_units(cell: str, digits: int) -> tuple[int, str]:
    """Return a decimal text in whole smallest units, and what is wrong with it, if anything.

    Parameters
    ----------
    cell
        Decimal number without thousands separators, zero or more.
    digits
        Digits of the smallest unit.
    """
    try:
        value = Decimal(cell)
    except InvalidOperation:
        return 0, f"amount '{cell}' is no number; expected one such as 1250.50"
    if not value.is_finite():
        return 0, f"amount '{cell}' is not finite"
    scaled = value.scaleb(digits)
    if scaled != scaled.to_integral_value():
        return 0, f"amount {cell} has more than {digits} decimals; round it to the smallest unit"
    return (int(scaled), "") if scaled >= 0 else (0, f"amount {cell} is negative; swap debtor and creditor")


def _name(parties: Sequence[str], index: int) -> str:
    return parties[index] if 0 <= index < len(parties) else f"party {index}"


def _repeated(names: Sequence[str]) -> list[str]:
    if len(set(names)) == len(names):
        return []
    return sorted({name for name in names if names.count(name) > 1})
