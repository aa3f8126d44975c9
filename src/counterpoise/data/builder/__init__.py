"""The world builder: map, split, fill, balance, check; each step a small pure function."""

from __future__ import annotations
