"""Measurements of speed, and their comparison."""
