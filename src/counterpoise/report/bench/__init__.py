"""Speed, measured beside opponents in the same run, after the answers have been shown to agree.

A case (`cases`) says what is solved, how the answer is checked and who solves it too (`opponents`); nothing is timed
before its answer was checked (`timing`).
"""

from counterpoise.report.bench.cases import BENCHMARKS
from counterpoise.report.bench.opponents import nested_loops, scipy_root
from counterpoise.report.bench.prepared import Prepared
from counterpoise.report.bench.timing import bandwidth, markdown, measure

__all__ = ["BENCHMARKS", "Prepared", "bandwidth", "markdown", "measure", "nested_loops", "scipy_root"]
