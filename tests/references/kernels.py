"""Slow formulas of what kernels look like, written with loops from the formulas that the book prints."""

import cmath
import math


def colourfulness(kernel):
    """Equation (12.1) of one kernel, a list [colour][row][column]."""
    depends = total = 0.0
    for u in range(len(kernel[0])):
        for v in range(len(kernel[0][0])):
            grey = sum(colour[u][v] for colour in kernel) / 3
            for colour in kernel:
                depends += (colour[u][v] - grey) ** 2
                total += colour[u][v] ** 2
    return depends / total


def power(kernel, f_y, f_x):
    """P of equation (12.2) at one frequency, in cycles a pixel."""
    found = 0.0
    for colour in kernel:
        places = [(u, v, value) for u, row in enumerate(colour) for v, value in enumerate(row)]
        mean = sum(value for _, _, value in places) / len(places)
        wave = sum((value - mean) * cmath.exp(-2j * math.pi * (f_y * u + f_x * v)) for u, v, value in places)
        found += abs(wave) ** 2
    return found


def selectivity(kernel, frequencies):
    """Equation (12.3) of one kernel, over all pairs of frequencies."""
    above, below = 0j, 0.0
    for f_y in frequencies:
        for f_x in frequencies:
            strength = power(kernel, f_y, f_x)
            if (f_y, f_x) != (0, 0):
                direction = complex(f_x, f_y) / abs(complex(f_x, f_y))
                above += strength * direction**2
                below += strength
    return abs(above) / below
