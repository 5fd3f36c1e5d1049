"""Slow references for the update rule and the plateau, one weight and one error at a time; numpy alone."""

import numpy as np


def printed_update(weight, velocity, gradient, *, rate, momentum, decay):
    """The two lines of section 5, weight by weight: (new weight, new velocity)."""
    weight, velocity = weight.copy(), velocity.copy()
    for i in np.ndindex(weight.shape):
        velocity[i] = momentum * velocity[i] - decay * rate * weight[i] - rate * gradient[i]
        weight[i] = weight[i] + velocity[i]
    return weight, velocity


def lead_after_a_cut(velocity, *, before, after, momentum, decay, num_steps):
    """How far the printed rule is ahead of torch's, in weights, so many steps after a cut of the rate.

    At the cut torch's rule scales the velocity by after / before, the printed one keeps it. From there on the
    gap e between the velocities and the gap d between the weights follow the rule without its gradient,

        e <- momentum * e - decay * after * d,    d <- d + e,

    so they are a power of one 2x2 matrix times (e, d) = ((1 - after / before) * velocity, 0).
    """
    gap = np.array([[momentum, -decay * after], [momentum, 1 - decay * after]])
    return np.linalg.matrix_power(gap, num_steps)[1, 0] * (1 - after / before) * velocity


def stalls_by_the_rule(errors, patience, threshold):
    """At which validations the error had stalled: `patience` of them since the last stall or new lowest."""
    stalls, lowest, last_event = [], None, -1
    for number, error in enumerate(errors):
        if lowest is None or lowest - error > threshold:
            lowest, last_event = error, number
        elif number - last_event == patience:
            stalls.append(number)
            last_event = number
    return stalls
