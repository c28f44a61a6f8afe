"""Computes the cost of the coupling networks' convolutions, nearly all of Glow's arithmetic."""

from zoo.benchmarks.job import CHANNELS, Job

# A training step is the forward pass, the gradient by the inputs and the gradient by the weights.
# To run a network again, in order to save memory, is a method's own cost and is not counted: the
# percentage of peak is of useful arithmetic.
PASSES = {'train': 3, 'log_prob': 1, 'sample': 1}


def level_shapes(job: Job) -> list[tuple[int, int]]:
    """Returns (pixels, channels) of the steps of each level, the finest first."""
    size, channels, shapes = job.size, CHANNELS, []
    for _ in range(job.levels):
        size, channels = size // 2, channels * 4
        shapes.append((size * size, channels))
        channels //= 2
    return shapes


def _kernels(channels: int, width: int) -> tuple[tuple[int, int, int], ...]:
    """Returns (taps, inputs, outputs) of a coupling network's three convolutions."""
    half = channels // 2
    return (9, half, width), (1, width, width), (9, width, 2 * half)


def forward_flops(job: Job) -> int:
    """Returns the number of floating-point operations of one image's pass through all networks.

    A multiply-add counts as 2, also where a tap falls on padding. Biases are left out.
    """
    return sum(2 * job.steps_per_level * pixels * taps * inputs * outputs
               for pixels, channels in level_shapes(job)
               for taps, inputs, outputs in _kernels(channels, job.width))


def flops(job: Job) -> int:
    """Returns the number of floating-point operations per image of what `job` measures."""
    return PASSES[job.what] * forward_flops(job)


def network_parameters(job: Job) -> int:
    """Returns the number of weights and biases of all coupling networks.

    A peer that trains fewer parameters does not train them all.
    """
    return sum(job.steps_per_level * (taps * inputs + 1) * outputs
               for _, channels in level_shapes(job)
               for taps, inputs, outputs in _kernels(channels, job.width))
