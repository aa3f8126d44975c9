"""One equilibrium system in exact hats; closures and labour supply as swappable parts. No loader, no solver."""

from counterpoise.model.equilibrium import (
    Baseline,
    Outcome,
    State,
    Terms,
    Trade,
    initial_state,
    outcome,
    residuals,
    sweep,
    trade_maps,
)
from counterpoise.model.parts import (
    CLOSURES,
    Closure,
    ElasticLabour,
    FixedLabour,
    FixedNominal,
    FixedWorldShare,
    Labour,
    ZeroDeficit,
    closure_named,
)
from counterpoise.model.prepare import baseline_of, terms_along, terms_of, unsupplied

__all__ = [
    "CLOSURES",
    "Baseline",
    "Closure",
    "ElasticLabour",
    "FixedLabour",
    "FixedNominal",
    "FixedWorldShare",
    "Labour",
    "Outcome",
    "State",
    "Terms",
    "Trade",
    "ZeroDeficit",
    "baseline_of",
    "closure_named",
    "initial_state",
    "outcome",
    "residuals",
    "sweep",
    "terms_along",
    "terms_of",
    "trade_maps",
    "unsupplied",
]
