"""The Solution: what follows from a Shock, with the parts it was solved with and how well it was solved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from counterpoise.core.errors import InputError
from counterpoise.core.labels import coordinates, dim_labels, index_of
from counterpoise.core.shock import Shock
from counterpoise.core.variables import variable
from counterpoise.core.world import World

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CONVERGED", "Solution"]

CONVERGED = "converged"
"""The one status of a Solution that is an equilibrium."""


class LabourPart(Protocol):
    """The labour supply a solution was found with; `counterpoise.model.Labour` holds the ones there are."""

    @property
    def name(self) -> str:
        """Registered name."""
        ...

    @property
    def elasticity(self) -> float:
        """Elasticity of labour supply to the real wage."""
        ...

    @property
    def mobility(self) -> float:
        """Mobility between sectors, infinite where labour is mobile."""
        ...


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Solution:
    """A solved counterfactual, every quantity a labelled array of the vocabulary ``core/variables.csv``.

    Attributes
    ----------
    world, shock
        What was asked.
    status
        ``"converged"``, ``"max_steps"``, ``"not_finite"`` or ``"negative_income"``; only the first is an equilibrium.
    closure, solver, technology
        Registered names of the parts used; the solver with what helped it.
    numeraire
        What nominal values are measured in.
    residuals
        Largest relative violation by equilibrium condition (price_index, goods_market, labour_market,
        labour_supply, budget; export_revenue and quota where the shock has such parts).
    iterations, seconds
        Sweeps of the equilibrium map, and wall time of the solve.
    values
        Bare arrays by vocabulary name; read them labelled as attributes, such as ``solution.welfare_hat``.
    labour
        The labour supply part; None means fixed and mobile.
    """

    world: World
    shock: Shock
    status: str
    closure: str
    solver: str
    technology: str
    numeraire: str
    residuals: Mapping[str, float]
    iterations: int
    seconds: float
    values: Mapping[str, NDArray[np.float64]]
    labour: LabourPart | None = None

    @property
    def converged(self) -> bool:
        """True when this is an equilibrium."""
        return self.status == CONVERGED

    @property
    def max_residual(self) -> float:
        """Largest relative violation over all equilibrium conditions."""
        return max(self.residuals.values())

    def array(self, name: str) -> xr.DataArray:
        """Return one quantity with its labels.

        Raises
        ------
        KeyError
            If the Solution does not hold it.
        """
        row = variable(name)
        labels = dim_labels(self.world.countries, self.world.sectors)
        values = self.values[name].view()
        values.flags.writeable = False
        coords = coordinates(row.dims, labels)
        return xr.DataArray(values, dims=row.dims, coords=coords, name=name, attrs={"unit": row.unit})

    @property
    def wage_hat(self) -> xr.DataArray:
        """Wage, counterfactual over baseline (country,)."""
        return self.array("wage_hat")

    @property
    def price_index_hat(self) -> xr.DataArray:
        """Tariff-inclusive sector price index, counterfactual over baseline (country, sector)."""
        return self.array("price_index_hat")

    @property
    def consumer_price_hat(self) -> xr.DataArray:
        """Price of final consumption, counterfactual over baseline (country,)."""
        return self.array("consumer_price_hat")

    @property
    def unit_cost_hat(self) -> xr.DataArray:
        """Unit cost, counterfactual over baseline (country, sector)."""
        return self.array("unit_cost_hat")

    @property
    def flow_cf(self) -> xr.DataArray:
        """Counterfactual flow (origin, destination, sector), USD at customs value."""
        return self.array("flow_cf")

    @property
    def gross_output_cf(self) -> xr.DataArray:
        """Counterfactual gross output (country, sector), USD."""
        return self.array("gross_output_cf")

    @property
    def expenditure_cf(self) -> xr.DataArray:
        """Counterfactual tariff-inclusive spending (destination, sector), USD."""
        return self.array("expenditure_cf")

    @property
    def tariff_revenue_cf(self) -> xr.DataArray:
        """Counterfactual tariff revenue net of purchase programmes (country,), USD."""
        return self.array("tariff_revenue_cf")

    @property
    def purchase_cost_cf(self) -> xr.DataArray:
        """What purchase programmes cost the destination's budget (country,), USD."""
        return self.array("purchase_cost_cf")

    @property
    def export_tax_revenue_cf(self) -> xr.DataArray:
        """Counterfactual revenue of export taxes, subsidies counted negative (country,), USD."""
        return self.array("export_tax_revenue_cf")

    @property
    def quota_rent_cf(self) -> xr.DataArray:
        """Rents of quotas that a country's importers and exporters earn (country,), USD."""
        return self.array("quota_rent_cf")

    @property
    def quota_wedge_rate(self) -> xr.DataArray:
        """What a binding quota adds to the price (origin, destination, sector); 0 where none binds."""
        return self.array("quota_wedge_rate")

    @property
    def sector_wage_hat(self) -> xr.DataArray:
        """Wage of each sector, counterfactual over baseline (country, sector)."""
        return self.array("sector_wage_hat")

    @property
    def income_cf(self) -> xr.DataArray:
        """Counterfactual income (country,), USD."""
        return self.array("income_cf")

    @property
    def labour_hat(self) -> xr.DataArray:
        """Labour, counterfactual over baseline (country,)."""
        return self.array("labour_hat")

    @property
    def real_wage_hat(self) -> xr.DataArray:
        """Real wage, counterfactual over baseline (country,)."""
        return self.array("real_wage_hat")

    @property
    def welfare_hat(self) -> xr.DataArray:
        """Exact real income, counterfactual over baseline (country,)."""
        return self.array("welfare_hat")

    @property
    def equivalent_variation_usd(self) -> xr.DataArray:
        """Equivalent variation (country,), USD: baseline income times (welfare_hat - 1)."""
        values = self.world.income * (self.welfare_hat - 1.0)
        return values.rename("equivalent_variation_usd").assign_attrs(unit="USD")

    @property
    def exports_cf(self) -> xr.DataArray:
        """Counterfactual exports (country,), USD at customs value."""
        return _foreign_sum(self.flow_cf, "destination", "origin")

    @property
    def imports_cf(self) -> xr.DataArray:
        """Counterfactual imports (country,), USD at customs value."""
        return _foreign_sum(self.flow_cf, "origin", "destination")

    @property
    def deficit_cf(self) -> xr.DataArray:
        """Counterfactual imports minus exports (country,), USD at customs value."""
        return (self.imports_cf - self.exports_cf).rename("deficit_cf").assign_attrs(unit="USD")

    def gap_cf_usd(self, origin: str, destination: str) -> float:
        """Return what ``origin`` sells to ``destination`` minus what it buys from it, counterfactual, USD."""
        i, j = (index_of(self.world.countries, c, "country") for c in (origin, destination))
        flow = self.values["flow_cf"]
        return float(flow[i, j].sum() - flow[j, i].sum())

    def resistances_table(self, reference: str | None = None) -> pd.DataFrame:
        r"""Return the change of structural gravity's resistances, one row per country and sector.

        Flows obey X_ij = Y_i E_j / Y_w (kappa_ij / (Pi_i P_j))^-theta (Anderson and van Wincoop 2003), here with Y what
        producers get and E what buyers pay. So, counterfactual over baseline::

            inward P_js = price index,    outward Pi_is = (Y_is / Y_ws)^(-1/theta_s) / c_is

        Only products Pi_i P_j are determined: every inward resistance is divided by that of the reference, and every
        outward one multiplied by it.

        Parameters
        ----------
        reference
            Country whose inward resistance is 1 in every sector; by default the first that buys all sectors.

        Returns
        -------
        Columns country, sector, inward_resistance_hat, outward_resistance_hat (NaN where a country makes none), and
        factory_price_hat, the unit cost.

        Raises
        ------
        LabelError
            If the reference is unknown.
        InputError
            If the reference buys nothing of a sector.
        """
        import pandas as pd

        world, values = self.world, self.values
        spent = world.expenditure.to_numpy()
        able = np.flatnonzero((spent > 0).all(axis=1))
        j = (
            index_of(world.countries, reference, "country")
            if reference is not None
            else int(able[0])
            if len(able)
            else 0
        )
        if not (spent[j] > 0).all():
            names = ", ".join(np.asarray(world.sectors)[spent[j] <= 0].tolist())
            raise InputError(f"{world.countries[j]} buys no {names}; name another reference country")
        theta = world.trade_elasticity.to_numpy()
        price, cost, output = values["price_index_hat"], values["unit_cost_hat"], world.gross_output.to_numpy()
        after = values["gross_output_cf"]
        with np.errstate(divide="ignore", invalid="ignore"):
            grown = (after / output) / (after.sum(axis=0) / output.sum(axis=0))
            outward = np.where(output > 0, grown ** (-1.0 / theta) / cost, np.nan)
        n, s = price.shape
        return pd.DataFrame(
            {
                "country": np.repeat(np.asarray(world.countries, dtype=object), s),
                "sector": np.tile(np.asarray(world.sectors, dtype=object), n),
                "inward_resistance_hat": (price / price[j]).reshape(-1),
                "outward_resistance_hat": (outward * price[j]).reshape(-1),
                "factory_price_hat": cost.reshape(-1),
            }
        )

    def quotas_table(self) -> pd.DataFrame:
        """Return one row per quota: limit and volume in USD at base-year producer prices, wedge and rents."""
        import pandas as pd

        world, shock, wedge = self.world, self.shock, self.values["quota_wedge_rate"]
        limit, part = shock.quota_limit.to_numpy(), shock.quota_exporter_share.to_numpy()
        duty, tax = shock.tariff_rate_cf.to_numpy(), shock.export_tax_rate.to_numpy()
        rent = wedge / (part + (1.0 - part) / (1.0 + duty))
        sent = self.values["flow_cf"] / ((1.0 + tax) * (1.0 + part * rent))
        rows: list[dict[str, object]] = []
        for i, j, s in np.argwhere(np.isfinite(limit)).tolist():
            taxed = sent[i, j, s] * (1.0 + tax[i, j, s]) * rent[i, j, s]
            rows.append(
                {
                    "origin": world.countries[i],
                    "destination": world.countries[j],
                    "sector": world.sectors[s],
                    "limit_usd": limit[i, j, s],
                    "volume_usd": sent[i, j, s] / self.values["unit_cost_hat"][i, s],
                    "binds": bool(wedge[i, j, s] > 0 or limit[i, j, s] == 0),
                    "wedge_pct": 100.0 * wedge[i, j, s],
                    "importer_rent_usd": (1.0 - part[i, j, s]) * taxed,
                    "exporter_rent_usd": part[i, j, s] * taxed,
                }
            )
        columns = ["origin", "destination", "sector", "limit_usd", "volume_usd", "binds", "wedge_pct"]
        return pd.DataFrame(rows, columns=[*columns, "importer_rent_usd", "exporter_rent_usd"])

    def countries_table(self) -> pd.DataFrame:
        """Return one row per country: welfare, real wage, trade, deficit and revenue before and after, EV."""
        import pandas as pd

        world = self.world
        return pd.DataFrame(
            {
                "country": list(world.countries),
                "welfare_pct": 100.0 * (self.welfare_hat.to_numpy() - 1.0),
                "real_wage_pct": 100.0 * (self.real_wage_hat.to_numpy() - 1.0),
                "exports_usd": world.exports.to_numpy(),
                "exports_cf_usd": self.exports_cf.to_numpy(),
                "imports_usd": world.imports.to_numpy(),
                "imports_cf_usd": self.imports_cf.to_numpy(),
                "deficit_usd": world.deficit.to_numpy(),
                "deficit_cf_usd": self.deficit_cf.to_numpy(),
                "tariff_revenue_usd": world.tariff_revenue.to_numpy(),
                "tariff_revenue_cf_usd": self.tariff_revenue_cf.to_numpy(),
                "equivalent_variation_usd": self.equivalent_variation_usd.to_numpy(),
            }
        )

    def levies_table(self) -> pd.DataFrame:
        """Return one row per country: what duties, programmes, export taxes and quota rents bring or cost, USD."""
        import pandas as pd

        return pd.DataFrame(
            {
                "country": list(self.world.countries),
                "tariff_revenue_cf_usd": self.tariff_revenue_cf.to_numpy(),
                "purchase_cost_cf_usd": self.purchase_cost_cf.to_numpy(),
                "export_tax_revenue_cf_usd": self.export_tax_revenue_cf.to_numpy(),
                "quota_rent_cf_usd": self.quota_rent_cf.to_numpy(),
            }
        )

    def pairs_table(self) -> pd.DataFrame:
        """Return one row per pair of different countries: flow before and after, USD at customs value."""
        return (
            self.flows_table()
            .groupby(["origin", "destination"], as_index=False, sort=False)[["flow_usd", "flow_cf_usd"]]
            .sum()
        )

    def flows_table(self) -> pd.DataFrame:
        """Return one row per pair of different countries and sector: flow before and after, USD at customs value."""
        import pandas as pd

        countries, sectors = self.world.countries, self.world.sectors
        n, s = len(countries), len(sectors)
        i, j, k = np.indices((n, n, s)).reshape(3, -1)
        keep = i != j
        return pd.DataFrame(
            {
                "origin": np.asarray(countries, dtype=object)[i[keep]],
                "destination": np.asarray(countries, dtype=object)[j[keep]],
                "sector": np.asarray(sectors, dtype=object)[k[keep]],
                "flow_usd": self.world.flow.to_numpy().reshape(-1)[keep],
                "flow_cf_usd": self.values["flow_cf"].reshape(-1)[keep],
            }
        )

    def to_dataset(self) -> xr.Dataset:
        """Return every counterfactual quantity as one labelled Dataset, the run's facts as attributes."""
        data = xr.Dataset({name: self.array(name) for name in self.values})
        return data.assign_attrs(**{k: v for k, v in self.facts().items() if not isinstance(v, dict)})

    def facts(self) -> dict[str, Any]:
        """Return how the solution was reached: status, parts, residuals, iterations, seconds."""
        return {
            "status": self.status,
            "closure": self.closure,
            "solver": self.solver,
            "technology": self.technology,
            "numeraire": self.numeraire,
            "max_residual": self.max_residual,
            "residuals": dict(self.residuals),
            "iterations": self.iterations,
            "seconds": self.seconds,
        }

    def __repr__(self) -> str:
        """Say how it was solved and who gains and loses most."""
        welfare = 100.0 * (self.values["welfare_hat"] - 1.0)
        order = np.argsort(welfare)
        name = self.world.countries

        def say(picked: NDArray[np.intp]) -> str:
            return ", ".join(f"{name[k]} {welfare[k]:+.3f} %" for k in picked)

        return "\n".join(
            [
                f"Solution: {self.status}, closure '{self.closure}', solver '{self.solver}', {self.iterations} sweeps, "
                f"{1000 * self.seconds:.1f} ms, largest residual {self.max_residual:.1e}",
                f"  welfare, largest losses: {say(order[:3])}",
                f"  welfare, largest gains:  {say(order[::-1][:3])}",
            ]
        )


def _foreign_sum(flow: xr.DataArray, over: str, keep: str) -> xr.DataArray:
    """Sum foreign flows over one side and all sectors; the result is on 'country'."""
    foreign = flow * xr.DataArray(1.0 - np.eye(flow.sizes[keep]), dims=("origin", "destination"))
    return foreign.sum([over, "sector"]).rename({keep: "country"}).assign_attrs(unit="USD")
