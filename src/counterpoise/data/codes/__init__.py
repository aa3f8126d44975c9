"""Codes: countries and their groups, the Harmonized System and its revisions, BEC and ISIC; tables of our own."""

from __future__ import annotations

from counterpoise.data.codes.concord import (
    CLASSIFICATIONS,
    Concorded,
    bec_categories,
    bec_end_use,
    concord,
    hs_bec,
    hs_icio,
    hs_isic4,
    hs_wiod,
    isic4_divisions,
)
from counterpoise.data.codes.countries import (
    Country,
    Group,
    countries,
    country,
    country_of_name,
    group,
    group_members,
    groups,
    members_on,
    resolve,
)
from counterpoise.data.codes.products import (
    HsRevision,
    hs_code,
    hs_revision,
    hs_revisions,
    hs_section,
    hs_sections,
    section_of,
    sniff_hs_revision,
)

__all__ = [
    "CLASSIFICATIONS",
    "Concorded",
    "Country",
    "Group",
    "HsRevision",
    "bec_categories",
    "bec_end_use",
    "concord",
    "countries",
    "country",
    "country_of_name",
    "group",
    "group_members",
    "groups",
    "hs_bec",
    "hs_code",
    "hs_icio",
    "hs_isic4",
    "hs_revision",
    "hs_revisions",
    "hs_section",
    "hs_sections",
    "hs_wiod",
    "isic4_divisions",
    "members_on",
    "resolve",
    "section_of",
    "sniff_hs_revision",
]
