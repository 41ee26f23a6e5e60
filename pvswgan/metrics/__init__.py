"""Measures of generated clips against real ones."""
