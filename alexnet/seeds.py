"""Random generators by seed, step and use: nothing random depends on what was drawn before."""

import numpy as np
import torch


def make_generator(*numbers: int) -> torch.Generator:
    """Return a generator for a combination of whole numbers, such as (seed, epoch).

    Raises:
        ValueError: a number is not from 0 to 2**64 - 1.
    """
    for number in numbers:
        if not 0 <= number < 2**64:
            raise ValueError(f"a seed must be a whole number from 0 to 2**64 - 1, got {number}")
    # Mixed by numpy, as torch's CPU generator takes the lower 32 bits of its seed alone; every number as two
    # words, or (2**32,) and (0, 1) would be the same.
    words = [word for number in numbers for word in divmod(number, 2**32)]
    (seed,) = np.random.SeedSequence(words).generate_state(1)
    return torch.Generator().manual_seed(int(seed))


DROPOUT = 1  # tells the generator of the masks from others of the same seed and step


def mask_generator(
    seed: int, step: int, data_rank: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Return the generator that draws a step's dropout masks for `alexnet.models.alexnet.draw_masks`.

    It is the same on all towers of a network, so that dropout is what it is on one device, and another for
    networks that read other images; and it depends on the step alone, so that a resumed training draws the
    same.

    Args:
        seed: of the training.
        step: updates done.
        data_rank: along the mesh's "data".
        device: where the masks are drawn; each kind of device draws its own numbers.
    """
    key = make_generator(seed, step, data_rank, DROPOUT).initial_seed()
    return torch.Generator(device).manual_seed(key)


# They tell generators of one seed apart; 1 is that of the dropout masks. The last of the numbers from which a
# generator is made is not 0, as numpy takes (a, b) and (a, b, 0) for the same. (The order of the images is
# drawn by (seed, epoch): that of epoch 3 comes from the numbers of the initial weights, which does no harm.)
AUGMENTATION = 2
WEIGHTS = 3
