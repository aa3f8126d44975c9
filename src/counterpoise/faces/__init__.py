"""Faces: parse, call, render. No economics lives here."""
