"""The network during training: one training step, and its state as a checkpoint holds it."""

import functools
import sys
from collections.abc import Callable

import torch
from torch import Tensor

from alexnet.config import Recipe
from alexnet.data.first_pass import obtain_statistics
from alexnet.data.loader import Batch
from alexnet.data.statistics import Statistics
from alexnet.distributed.parallel import ParallelAlexNet, data_parallel, gather_state, scatter_state
from alexnet.distributed.ranks import Ranks
from alexnet.models.alexnet import AlexNet, Masks, draw_masks
from alexnet.models.blocks import in_blocks
from alexnet.optim.schedule import Rates, apply_rates
from alexnet.optim.sgd import PaperSGD, load_velocities, param_groups, velocities
from alexnet.optim.step import StepResult, train_step
from alexnet.seeds import AUGMENTATION, WEIGHTS, make_generator, mask_generator
from alexnet.shown import Unfailing
from alexnet.training.plan import Plan
from alexnet.training.signals import end_if_asked
from alexnet.transforms.training import prepare_training

State = dict[str, Tensor]


class Learner:
    """A network, or this process's part of it, with its optimizer and the statistics of its images.

    Attributes:
        net: called with images, returns logits; all processes of a network must call it.
        parameters: this process's, by the names of the network on one device, the first layer first.

    Args:
        recipe: what to train and how.
        statistics: of the training images.
        ranks: which part of the training this process has.
        seed: of all random draws.
        precision: "float32" or "bfloat16".
        channels_last: store images and feature maps in channels-last memory format on a GPU; on the CPU they
            always are.
        compiled: fuse by ``torch.compile``.
    """

    def __init__(
        self,
        recipe: Recipe,
        statistics: Statistics,
        ranks: Ranks,
        *,
        seed: int,
        precision: str = "float32",
        channels_last: bool = False,
        compiled: bool = False,
    ):
        self.recipe, self.ranks, self.seed, self.precision = recipe, ranks, seed, precision
        self.statistics = statistics.to(ranks.device)
        last = channels_last or ranks.device.type == "cpu"
        self.memory_format = torch.channels_last if last else torch.contiguous_format
        generator = make_generator(seed, WEIGHTS)
        net: AlexNet | ParallelAlexNet
        if ranks.mesh is None:
            net = AlexNet(recipe.net, generator=generator)
        else:
            net = ParallelAlexNet(recipe.net, ranks.mesh, generator=generator)
        self.net = net.to(ranks.device).to(memory_format=self.memory_format)
        self.share = self.net.tower if isinstance(self.net, ParallelAlexNet) else self.net
        self.parameters = dict(self.share.named_parameters())
        self.optimizer = PaperSGD(param_groups(self.share, recipe.learning))
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:  # what is frozen all along needs no gradients
                parameter.requires_grad_(group["factor"] != 0)
        self.in_blocks = ranks.device.type == "cpu" and not compiled
        if compiled:
            self.net.compile()
        self.copy = data_parallel(self.net) if isinstance(self.net, ParallelAlexNet) else self.net

    def step(self, batch: Batch, step: int, rates: Rates) -> StepResult:
        """Do one update.

        Args:
            batch: this process's images, on its device.
            step: updates done before; it and the seed decide all that is random.
            rates: learning rates of the schedule, and whether there is PCA colour augmentation.
        """
        position = (self.seed, step, self.ranks.data_rank)
        images = prepare_training(
            batch.images,
            config=self.recipe.augment,
            statistics=self.statistics,
            generator=make_generator(*position, AUGMENTATION),
            colour_noise=rates.colour_noise,
        )
        device = self.ranks.device
        generator = mask_generator(*position, device=device)
        masks = draw_masks(self.recipe.net, len(images), generator=generator, device=device)
        apply_rates(self.optimizer, rates)
        self.copy.train()
        model = functools.partial(self.logits, masks=masks)
        return train_step(model, self.optimizer, images, batch.labels)

    def logits(self, images: Tensor, masks: Masks) -> Tensor:
        """Return logits (N, num_classes) of prepared images (N, 3, S, S), in the precision of training."""
        images = images.contiguous(memory_format=self.memory_format)
        half = self.precision == "bfloat16"
        with torch.autocast(self.ranks.device.type, torch.bfloat16, enabled=half):
            if self.in_blocks and isinstance(self.net, AlexNet):
                return in_blocks(self.net, images, masks)
            return self.copy(images, masks)

    @property
    def trained(self) -> list[str]:
        """The names of this process's parameters but for those of frozen layers, the first layer first."""
        return [name for name, p in self.parameters.items() if p.requires_grad]

    @torch.no_grad()
    def gradient_norms(self) -> Tensor:
        """Return the length of each trained parameter's last gradient, not finite if any of it is not."""
        gradients = [p.grad for p in self.parameters.values() if p.grad is not None]  # of ``trained``
        return torch.stack(torch._foreach_norm(gradients))

    @torch.no_grad()
    def not_finite(self) -> list[str]:
        """Return the names of this process's parameters that hold a NaN or an infinity."""
        finite = torch.stack([p.isfinite().all() for p in self.parameters.values()]).tolist()
        return [name for name, whole in zip(self.parameters, finite, strict=True) if not whole]

    def state(self) -> tuple[State, State]:
        """Return weights and velocities as on one device, in the first process; all must call this."""
        own = self.share.state_dict(), velocities(self.share, self.optimizer)
        if isinstance(self.net, AlexNet):
            return own
        weights, velocity = (gather_state(values, self.net) or {} for values in own)
        return weights, velocity

    def load(self, weights: State, velocity: State) -> None:
        """Load weights and velocities of the network on one device; only the first process needs them."""
        if isinstance(self.net, ParallelAlexNet):
            weights, velocity = (scatter_state(values, self.net) for values in (weights, velocity))
        self.share.load_state_dict(weights)
        load_velocities(self.share, self.optimizer, velocity)


def make_learner(
    plan: Plan,
    ranks: Ranks,
    tell: Callable[[str], None] = lambda sentence: None,
    stop_signal: Callable[[], int] = lambda: 0,
) -> Learner:
    """Return the network of a plan with its initial weights; all processes must call this.

    Args:
        plan: the training.
        ranks: the processes of the training.
        tell: called with a sentence if the statistics of the images cannot be kept.
        stop_signal: asked while these are computed; the number of a signal breaks that off.
    Raises:
        Stopped: by a signal.
    """
    statistics = obtain_statistics(
        plan.dataset,
        progress=ranks.is_first and Unfailing(sys.stderr).isatty(),
        ranks=ranks,
        spare=plan.settings.folder.absolute(),
        tell=tell,
        between=lambda: end_if_asked(ranks, stop_signal),
    )
    return Learner(
        plan.recipe,
        statistics,
        ranks,
        seed=plan.settings.seed,
        precision=plan.settings.precision,
        channels_last=plan.settings.channels_last,
        compiled=plan.settings.compile,
    )
