"""Compare two results of `benchmarks/run`, case by case: `python benchmarks/compare.py OLD NEW [--allow 1.25]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["compare", "main"]


def compare(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], allow: float) -> tuple[list[str], bool]:
    """Return one line per case, and whether any takes more than ``allow`` times the processor time it took.

    Parameters
    ----------
    old, new
        Rows of `counterpoise bench --json`.
    allow
        Ratio of processor times up to which a case counts as no slower.
    """
    before, after = ({row["case"]: row for row in rows} for rows in (old, new))
    lines: list[str] = []
    machines = {str(row["machine"]).split(" cores")[0] + " cores" for row in (*old, *new)}
    if len(machines) > 1:
        lines.append(f"the machines differ, so ratios say little: {'; '.join(sorted(machines))}")
    slower = False
    for case in dict.fromkeys((*before, *after)):
        if case not in before or case not in after:
            lines.append(f"{case}: only in the {'new' if case in after else 'old'} result")
            continue
        ratio = after[case]["processor_ms"] / before[case]["processor_ms"]
        worse = ratio > allow
        slower |= worse
        lines.append(
            f"{case}: {before[case]['processor_ms']:.1f} to {after[case]['processor_ms']:.1f} ms, "
            f"{ratio:.2f} times{'  SLOWER' if worse else ''}"
        )
    return lines, slower


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison; return 1 where a case became slower."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--allow", type=float, default=1.25, help="ratio that still counts as no slower")
    given = parser.parse_args(arguments)
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (given.old, given.new))
    lines, slower = compare(old, new, given.allow)
    sys.stdout.write("\n".join(lines) + "\n")
    return int(slower)


if __name__ == "__main__":
    raise SystemExit(main())
