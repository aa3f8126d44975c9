"""The chapters of a report: each turns a part of a `Story` into a `Section`; `compose` puts the document together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from counterpoise.report.chapters.closures import closures_chapter
from counterpoise.report.chapters.duty import duty_chapter, duty_sentence
from counterpoise.report.chapters.gap import gap_chapter, gap_sentences
from counterpoise.report.chapters.method import method_chapter
from counterpoise.report.chapters.order import bound_sentence, order_chapter, order_sentence
from counterpoise.report.chapters.products import products_chapter
from counterpoise.report.chapters.stop import stop_case, stop_chapter, stop_sentence
from counterpoise.report.chapters.studies import headlines_of, study_chapters
from counterpoise.report.chapters.words import bn, name, share
from counterpoise.report.document import Document
from counterpoise.report.story import Story

__all__ = ["compose", "headlines_of", "sentences_of"]


_WHOLE_PERCENT = 0.02
"""Share from which on the headline gives it in whole percent."""


def compose(story: Story, manifest: Mapping[str, Any]) -> Document:
    """Return the whole report of a story.

    Parameters
    ----------
    story
        Everything solved.
    manifest
        How the run was made; shown at the end.
    """
    stop = stop_case(story)
    sections = [gap_chapter(story)]
    if "duty" in story.cases:
        sections.append(duty_chapter(story))
    if "order" in story.cases:
        sections.append(order_chapter(story))
        products = products_chapter(story)
        if products is not None:
            sections.append(products)
    sections += study_chapters(story.studies)
    if stop is not None:
        sections.append(stop_chapter(story, stop))
    sections += [closures_chapter(story), method_chapter(story)]
    return Document(
        title=_headline(story),
        dek=f"{story.scenario.title}. Computed on {story.world.meta.name}.",
        sentences=sentences_of(story),
        sections=tuple(sections),
        manifest=manifest,
    )


def sentences_of(story: Story) -> tuple[str, ...]:
    """Return the answer, in five sentences for the flagship; a scenario that asks less gets fewer."""
    stop = stop_case(story)
    found = [gap_sentences(story)]
    if "duty" in story.cases:
        found.append(duty_sentence(story))
    if "order" in story.cases:
        found.append(order_sentence(story))
        found.append(bound_sentence(story) or "")
    if stop is not None:
        found.append(stop_sentence(story, stop))
    if len(found) == 1:
        closed = story.headline.closed_share(story.seller, story.buyer)
        found.append(f"The measures of this scenario close **{share(closed.central)}** of it.")
    return tuple(sentence for sentence in found if sentence)


def _headline(story: Story) -> str:
    """Return the answer as a headline."""
    seller, buyer = name(story.seller), name(story.buyer)
    gap = bn(story.world.gap_usd(story.seller, story.buyer), 0)
    best = story.cases.get("order_and_obstacles") or story.cases.get("order")
    if best is None:
        return f"{seller} and {buyer}: a gap of {gap}, and what moves it"
    closed = best.closed_share(story.seller, story.buyer).central
    said = share(closed, 0 if closed >= _WHOLE_PERCENT else 1)
    return f"{buyer} can close {said} of its {gap} gap with {seller} by selling more, not all of it"
