"""RCA and density of the R package economiccomplexity 2.0.0: what its printed values imply holds for ours, too.

The trade table behind the vectors (world trade by SITC, mean of 1998 to 2000) is not among the sources, so the values
themselves cannot be computed here. What they imply can be checked: the package counts a product as near to itself, the
other column leaves it out, and the two differ by exactly that.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from counterpoise.measure.indices import balassa_rca, density_of, proximity, relatedness_density


@pytest.fixture
def vectors(sources: Path) -> pd.DataFrame:
    return pd.read_csv(sources / "facts" / "rca_density_testvector.csv", dtype={"product_sitc4": str})


def test_advantage_is_rca_of_one_and_more(vectors: pd.DataFrame) -> None:
    assert len(vectors) == 24
    assert ((vectors["rca_balassa"] >= 1) == (vectors["rca_binary_published"] == 1)).all()


def test_the_two_densities_differ_by_the_product_itself(vectors: pd.DataFrame) -> None:
    # With N and D the sums over other products: d0 = N / D and d1 = (N + R) / (D + 1), so D = (R - d1) / (d1 - d0),
    # which must be one number for each product, whatever the country.
    r = vectors["rca_binary_published"].to_numpy(dtype=np.float64)
    d0 = vectors["density_diag0"].to_numpy(dtype=np.float64)
    d1 = vectors["density_diag1_as_in_package"].to_numpy(dtype=np.float64)
    implied = (r - d1) / (d1 - d0)
    # Values are printed with six decimals: the difference is known to 1e-6, and D to this relative error.
    uncertain = 1e-6 / np.abs(d1 - d0) * implied
    for _, rows in vectors.groupby("product_sitc4").indices.items():
        assert np.ptp(implied[rows]) <= 2 * uncertain[rows].max()
        assert implied[rows].min() > 50


def test_ours_differ_by_the_product_itself_too(rng: np.random.Generator) -> None:
    exports = rng.lognormal(0.0, 2.0, (30, 60))
    has = balassa_rca(exports) >= 1
    near = proximity(has)
    others = near.sum(axis=0) - np.diag(near)
    d0, d1 = relatedness_density(has, near), relatedness_density(has, near, with_itself=True)
    itself = np.diag(near)
    for c in range(30):
        assert d1[c] * (others + itself) == pytest.approx(d0[c] * others + has[c] * itself, rel=1e-12)
        assert density_of(has[c], has) == pytest.approx(d0[c])
