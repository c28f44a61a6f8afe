"""Analytic cost of the coupling networks' convolutions, nearly all of Glow's arithmetic."""

from zoo.benchmarks.job import CHANNELS

# A training step is the forward pass, the gradient by the inputs and the gradient by the weights.
# Running a network again to save memory is a method's own cost and not counted: the percentage of
# peak is of useful arithmetic.
PASSES = {'train': 3, 'log_prob': 1, 'sample': 1}


def level_shapes(job):
    """(pixels, channels) of the steps of each level, the finest first."""
    size, channels, shapes = job.size, CHANNELS, []
    for _ in range(job.levels):
        size, channels = size // 2, channels * 4
        shapes.append((size * size, channels))
        channels //= 2
    return shapes


def _kernels(channels, width):
    """(taps, inputs, outputs) of a coupling network's three convolutions."""
    half = channels // 2
    return (9, half, width), (1, width, width), (9, width, 2 * half)


def forward_flops(job):
    """Floating-point operations of one image's pass through all networks.

    2 per multiply-add, also where a tap falls on padding; biases are left out.
    """
    return sum(2 * job.steps_per_level * pixels * taps * inputs * outputs
               for pixels, channels in level_shapes(job)
               for taps, inputs, outputs in _kernels(channels, job.width))


def flops(job):
    """Floating-point operations per image of what `job` measures."""
    return PASSES[job.what] * forward_flops(job)


def network_parameters(job):
    """Weights and biases of all coupling networks: who trains fewer does not train them all."""
    return sum(job.steps_per_level * (taps * inputs + 1) * outputs
               for _, channels in level_shapes(job)
               for taps, inputs, outputs in _kernels(channels, job.width))
