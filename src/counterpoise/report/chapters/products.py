"""The products that can carry the order: where the potential lies, who sells it now, what the duty pushes out."""

from __future__ import annotations

from counterpoise.core.errors import DataError
from counterpoise.data.concordance import regions
from counterpoise.data.product_tables import embedded_products
from counterpoise.measure.products import ProductStudy, product_opportunities
from counterpoise.report.chapters.words import bn, name, share
from counterpoise.report.document import Section
from counterpoise.report.products import products_section
from counterpoise.report.story import Story
from counterpoise.scenario.opportunities import duties_by_product, obstacles_by_product
from counterpoise.scenario.schema import Purchase

__all__ = ["products_chapter", "story_products"]

ROWS = 20


def products_chapter(story: Story) -> Section | None:
    """Return the chapter on the products of the order; None for a world whose products are not known."""
    study = story_products(story)
    if study is None:
        return None
    section = products_section(study, top=ROWS, id="products")
    wanted = [p for m in story.scenario.measure if isinstance(m, Purchase) for p in m.products or ()]
    if not wanted or "all" in wanted or not study.summary["unrealised_usd"]:
        return section
    ranges = ",".join(wanted)
    inside = product_opportunities(embedded_products(study.seller, study.buyer), hs=wanted).summary
    part = inside["selected_unrealised_usd"] / study.summary["unrealised_usd"]
    covered = (
        f"The order names HS {ranges}: there {name(study.buyer)} imports {bn(inside['selected_imports_usd'])} and buys"
        f" {bn(inside['selected_bought_usd'], 2)} of it from {name(study.seller)}. Of the unused potential"
        f" **{share(part, 0)}** lies in these goods; the rest is in goods that the order does not name."
    )
    return Section(
        id=section.id,
        title=section.title,
        prose=(*section.prose[:1], covered, *section.prose[1:]),
        figures=section.figures,
        tables=section.tables,
        callout=section.callout,
    )


def story_products(story: Story) -> ProductStudy | None:
    """Return the products that the seller of the gap might buy more of, from the embedded tables.

    None where the world is another than the embedded one, or nothing is recorded for the pair.
    """
    if story.world.countries != regions():
        return None
    seller, buyer = story.buyer, story.seller
    third = story.third if story.third not in (None, seller, buyer) and story.target == seller else None
    try:
        tables = embedded_products(seller, buyer, third=third)
    except DataError:
        return None
    codes = tables.lines["hs"].astype(str).tolist()
    duties = None
    if third is not None:
        found = duties_by_product(third, seller, codes, scenario=story.scenario, as_of=story.scenario.as_of)
        duties = found.table
    obstacles = obstacles_by_product(story.scenario, seller, buyer, codes)
    return product_opportunities(
        tables, rank="unrealised", duties=duties, obstacles=obstacles or None, world=story.world
    )
