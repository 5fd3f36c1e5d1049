"""Figures of the book: the house style here, drawings, sliders and whole figures in the modules below."""

from alexnet.figures.style import COLOURS, Shown, grid, image, line, new, show, signed, stretched
from alexnet.figures.tables import table

__all__ = ["COLOURS", "Shown", "grid", "line", "new", "image", "show", "signed", "stretched", "table"]
