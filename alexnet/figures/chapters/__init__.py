"""Figures that belong to one chapter each."""
