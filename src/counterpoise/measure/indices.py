"""Indices of specialisation, fit and concentration: pure functions of arrays.

Axes are (country, product) throughout. An index whose denominator is zero is NaN: it does not apply there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.core.errors import InputError, raise_all

__all__ = [
    "balassa_rca",
    "complementarity_index",
    "density_of",
    "export_potential",
    "grubel_lloyd",
    "herfindahl",
    "proximity",
    "relatedness_density",
]

Numbers = NDArray[np.float64]


def balassa_rca(exports_usd: ArrayLike, world_usd: ArrayLike | None = None) -> Numbers:
    r"""Return revealed comparative advantage.

    Parameters
    ----------
    exports_usd
        Exports, shape (country, product) or (product,) for one country; USD, 0 or more.
    world_usd
        World trade by product, (product,); by default the sum of ``exports_usd`` over countries.

    Returns
    -------
    Index, same shape as ``exports_usd``, unit 1; NaN for a product that nobody trades and a country that sells nothing.

    Raises
    ------
    InputError
        If a number is negative or not finite, shapes differ, or one country comes without ``world_usd``.

    Notes
    -----
    RCA_ik = (x_ik / x_i) / (w_k / w), with x = exports_usd, w = world_usd.

    References
    ----------
    Balassa (1965), The Manchester School 33(2), 99-123.

    Examples
    --------
    >>> balassa_rca([[60.0, 40.0], [0.0, 100.0]])[0]
    array([2.        , 0.57142857])
    """
    x = _amounts("exports_usd", exports_usd)
    if world_usd is None and x.ndim == 1:
        raise InputError("exports_usd holds one country; pass world_usd, the world's trade by product, too")
    w = x.sum(axis=0) if world_usd is None else _amounts("world_usd", world_usd)
    _same_length(x, w)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (x / x.sum(axis=-1, keepdims=True)) / (w / w.sum())


def complementarity_index(exports_usd: ArrayLike, imports_usd: ArrayLike) -> float:
    r"""Return how well what one country sells to the world fits what another buys from it, 0 to 100.

    Parameters
    ----------
    exports_usd, imports_usd
        (product,) each, the same products in the same order; USD, 0 or more.

    Raises
    ------
    InputError
        If a number is negative or not finite, lengths differ, or a side sums to zero.

    Notes
    -----
    100 (1 - sum_k |m_k - x_k| / 2), with x and m the shares of product k in all exports and in all imports. The finer
    the products, the lower the index: compare only what was computed at one level.

    References
    ----------
    Michaely (1996), World Bank Policy Research Working Paper 1583.

    Examples
    --------
    >>> complementarity_index([60.0, 40.0], [30.0, 70.0])
    70.0
    """
    x, m = _amounts("exports_usd", exports_usd), _amounts("imports_usd", imports_usd)
    _same_length(x, m)
    if x.sum() <= 0 or m.sum() <= 0:
        raise InputError("complementarity needs trade on both sides; one of them sums to zero")
    return float(100.0 * (1.0 - np.abs(m / m.sum() - x / x.sum()).sum() / 2.0))


def proximity(advantage: ArrayLike) -> Numbers:
    r"""Return how often two products are exported with advantage by the same countries.

    Parameters
    ----------
    advantage
        (country, product), True where RCA is 1 or more.

    Returns
    -------
    (product, product), symmetric, 0 to 1; the diagonal is 1 where anyone has the advantage. A product without any such
    country is near to none.

    Notes
    -----
    phi_kl = sum_c R_ck R_cl / max(u_k, u_l), with R = advantage, u_k = sum_c R_ck: the smaller of the two conditional
    probabilities.

    References
    ----------
    Hidalgo, Klinger, Barabási and Hausmann (2007), Science 317, 482-487; Hausmann and Klinger (2007), CID Working
    Paper 146.

    Examples
    --------
    >>> proximity([[True, True], [True, False]])
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    r = np.asarray(advantage, dtype=np.float64)
    together = r.T @ r
    ubiquity = r.sum(axis=0)
    most = np.maximum(ubiquity[:, None], ubiquity[None, :])
    return np.divide(together, most, out=np.zeros_like(together), where=most > 0)


def relatedness_density(advantage: ArrayLike, near: ArrayLike, *, with_itself: bool = False) -> Numbers:
    r"""Return how much of what is near to a product a country already exports with advantage.

    Parameters
    ----------
    advantage
        (country, product) or (product,), True where RCA is 1 or more.
    near
        (product, product) from `proximity`.
    with_itself
        Count a product as near to itself. Left out by default, so that the density of a product does not depend on
        whether the country has it already; some packages count it.

    Returns
    -------
    Density, same shape as ``advantage``, 0 to 1; NaN for a product that is near to none.

    Notes
    -----
    d_ck = sum_l R_cl phi_kl / sum_l phi_kl, with R = advantage, phi = near.

    References
    ----------
    Hausmann and Klinger (2007), CID Working Paper 146.
    """
    r, phi = np.asarray(advantage, dtype=np.float64), np.array(near, dtype=np.float64)
    if not with_itself:
        np.fill_diagonal(phi, 0.0)
    whole = phi.sum(axis=0)
    return np.divide(r @ phi, whole, out=np.full(r.shape, np.nan), where=whole > 0)


def density_of(own: ArrayLike, advantage: ArrayLike, *, with_itself: bool = False, block: int = 512) -> Numbers:
    """Return what ``relatedness_density(own, proximity(advantage))`` returns, without holding the proximities.

    Parameters
    ----------
    own
        (product,), True where the country's RCA is 1 or more.
    advantage
        (country, product) of all countries.
    with_itself
        As in `relatedness_density`.
    block
        Products whose proximities are held at once: memory is ``block`` times the number of products.
    """
    r = np.asarray(advantage, dtype=np.float32)
    mine = np.asarray(own, dtype=np.float64)
    ubiquity = r.sum(axis=0, dtype=np.float64)
    density = np.full(r.shape[1], np.nan)
    for start in range(0, r.shape[1], block):
        here = np.arange(start, min(start + block, r.shape[1]))
        # Counts of countries are whole numbers, exact in single precision.
        together = (r.T @ r[:, here]).astype(np.float64)
        most = np.maximum(ubiquity[:, None], ubiquity[None, here])
        near = np.divide(together, most, out=np.zeros_like(together), where=most > 0)
        if not with_itself:
            near[here, here - start] = 0.0
        whole = near.sum(axis=0)
        density[here] = np.divide(mine @ near, whole, out=np.full(len(here), np.nan), where=whole > 0)
    return density


def export_potential(
    seller_exports_usd: ArrayLike,
    world_usd: ArrayLike,
    buyer_imports_usd: ArrayLike,
    bought_usd: ArrayLike,
    *,
    ease: float | None = None,
) -> tuple[Numbers, float]:
    r"""Return the static export potential of each product, and the ease of trade of the pair.

    Parameters
    ----------
    seller_exports_usd, world_usd, buyer_imports_usd
        What the seller sells to the world, what the world trades, what the buyer buys from the world; (product,) each,
        USD, 0 or more.
    bought_usd
        What the buyer buys from the seller today, (product,).
    ease
        Ease of trade to use instead of the pair's own; 1 is a pair that trades as its shares would have it.

    Returns
    -------
    Potential (product,), USD a year; and the ease.

    Raises
    ------
    InputError
        If a number is negative or not finite, lengths differ, the seller sells a product the world does not trade, or
        the ease cannot be found because nothing the seller sells is bought by the buyer, or nothing is traded today.

    Notes
    -----
    potential_k = (v_ik / v_k) v_jk beta, beta = v_ij / sum_k (v_ik / v_k) v_jk, with v_ik = seller_exports_usd,
    v_k = world_usd, v_jk = buyer_imports_usd, v_ij = sum of bought_usd, beta = ease. Static: supply and demand are of
    one year, without projections of growth and tariffs. With the pair's own ease the potentials add up to what is
    traded today: they say where the trade would be, not how much more there could be in all.

    References
    ----------
    Decreux and Spies (2016), Export Potential Assessments, International Trade Centre.

    Examples
    --------
    >>> potential, ease = export_potential([60.0, 20.0], [100.0, 100.0], [30.0, 50.0], [20.0, 0.0])
    >>> potential.round(6), round(ease, 6)
    (array([12.857143,  7.142857]), 0.714286)
    """
    sold, world, wanted, bought = (
        _amounts(name, values)
        for name, values in (
            ("seller_exports_usd", seller_exports_usd),
            ("world_usd", world_usd),
            ("buyer_imports_usd", buyer_imports_usd),
            ("bought_usd", bought_usd),
        )
    )
    for other in (world, wanted, bought):
        _same_length(sold, other)
    if np.any((world == 0) & (sold > 0)):
        raise InputError(
            f"{int(((world == 0) & (sold > 0)).sum())} products are sold by the seller and traded by nobody; "
            "world_usd must include the seller's exports"
        )
    neutral = np.divide(sold, world, out=np.zeros_like(sold), where=world > 0) * wanted
    if ease is None:
        if neutral.sum() <= 0:
            raise InputError("nothing the seller sells is bought by the buyer from anyone: there is no potential")
        ease = float(bought.sum() / neutral.sum())
        if ease == 0:
            raise InputError(
                "the pair does not trade today, so its ease of trade is zero and every potential with it; "
                "give an ease of your own (1: as the shares would have it)"
            )
    elif not (np.isfinite(ease) and ease > 0):
        raise InputError(f"ease is {ease}; expected a number above zero, 1 being neutral")
    return neutral * ease, float(ease)


def herfindahl(amounts: ArrayLike) -> float:
    """Return the Herfindahl-Hirschman index of amounts, the sum of squared shares, above 0 to 1; NaN of nothing.

    Examples
    --------
    >>> herfindahl([50.0, 25.0, 25.0])
    0.375
    """
    x = _amounts("amounts", amounts)
    total = x.sum()
    return float(((x / total) ** 2).sum()) if total > 0 else float("nan")


def grubel_lloyd(there_usd: ArrayLike, back_usd: ArrayLike) -> Numbers:
    """Return the Grubel-Lloyd index 1 - |a - b| / (a + b) of each product: 0 one way, 1 balanced; NaN without trade.

    References
    ----------
    Grubel and Lloyd (1975), Intra-Industry Trade, Macmillan.

    Examples
    --------
    >>> grubel_lloyd([30.0, 0.0], [10.0, 5.0])
    array([0.5, 0. ])
    """
    a, b = _amounts("there_usd", there_usd), _amounts("back_usd", back_usd)
    _same_length(a, b)
    both = a + b
    return 1.0 - np.divide(np.abs(a - b), both, out=np.full(both.shape, np.nan), where=both > 0)


def _amounts(name: str, values: ArrayLike) -> Numbers:
    """Return amounts as floats.

    Raises
    ------
    InputError
        If one is negative or not finite; absent is not zero.
    """
    x = np.array(values, dtype=np.float64)
    wrong = np.argwhere(~(np.isfinite(x) & (x >= 0)))
    raise_all(
        InputError,
        f"{name} cannot be used; expected finite amounts of zero or more",
        [f"{x[tuple(at)]} at {tuple(int(k) for k in at)}" for at in wrong],
    )
    return x


def _same_length(a: Numbers, b: Numbers) -> None:
    if a.shape[-1] != b.shape[-1]:
        raise InputError(f"{a.shape[-1]} products on one side and {b.shape[-1]} on the other; expected the same ones")
