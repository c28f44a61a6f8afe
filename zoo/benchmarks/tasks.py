"""Measures inference, sampling and density of five flows against the dimension.

The report says whether a task is parallel or serial. It reads this from the traced graph, not from
a clock. `chain.longest_chain` counts the operations that wait for each other, and counts loops by
their iterations. A task is serial if that number grows with the dimension D: if its slope against D
on logarithmic axes is above 1/2. In the serial direction of MAF and IAF the slope is nearly 1, as
each dimension waits for the one before. In the other tasks it is 0, as a larger image makes
operations larger but does not add any (Glow's loop runs over the steps of a level). The slope of
the time itself cannot tell: with more dimensions than cores, a parallel task also takes longer the
more there is to compute.
"""

import functools
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow import flows
from zoo.benchmarks import chain, load, rows

_UNITS_PER_CHANNEL = 8  # Dense layers have so many times the width of the convolutions.
# Model -> its builder: `(event_shape, levels, steps, width) -> flow`.
MODELS: dict[str, Callable[[tuple[int, ...], int, int, int], tfd.Distribution]] = {
    'NICE': lambda shape, levels, steps, width: flows.nice(shape, steps, (width, width)),
    'RealNVP': lambda shape, levels, steps, width: flows.real_nvp(
        shape, levels, _channels(width), steps),
    'Glow': lambda shape, levels, steps, width: flows.glow(shape, levels, steps, _channels(width)),
    'MAF': lambda shape, levels, steps, width: flows.maf(
        shape, steps, (width, width), batch_norm=False),
    'IAF': lambda shape, levels, steps, width: flows.iaf(
        shape, steps, (width, width), batch_norm=False),
}
TASKS = {'inference': 'z = f(x)', 'sampling': 'x = g(z)', 'density': 'log p(x)'}
_SERIAL_SLOPE = .5


def run(sides: Sequence[int], levels: int, steps: int, width: int, batch: int, rounds: int,
        seconds: float, progress: Callable[[str], object]) -> dict[str, Any]:
    """Times the tasks of all `MODELS`, which take turns, at each side, in this process.

    Args:
        sides: The sides of square images of one channel, ascending. An image has D = side * side
            dimensions.
        levels: The number of levels of RealNVP and Glow. 2**levels must divide the sides.
        steps: The number of steps of each level of Glow, of layers of MAF and IAF, of couplings of
            NICE, and of residual blocks of each coupling's network of RealNVP.
        width: The units of the hidden layers of NICE, MAF and IAF. RealNVP and Glow have an eighth
            of it in channels.
        batch: The number of images per call.
        rounds: The number of turns of each task.
        seconds: The least length of one turn.
        progress: A function of a line of text.

    Returns:
        A dict with 'dimensions' and 'rows', one row per model and task.
    """
    dimensions = [side * side for side in sides]
    figures: dict[tuple[str, str], dict[str, list[Any]]] = {
        (model, task): {'milliseconds': [], 'chains': [], 'loads': []}
        for model in MODELS for task in TASKS}
    for side, size in zip(sides, dimensions):
        calls: dict[tuple[str, str], Callable[[], object]] = {}
        for model, build in MODELS.items():
            progress(f'D={size}: {model}')
            for task, (function, value) in functions(
                    build((side, side, 1), levels, steps, width), batch).items():
                figures[model, task]['chains'].append(
                    chain.longest_chain(function.get_concrete_function(value)))
                calls[model, task] = functools.partial(_called, function, value)
                calls[model, task]()
        times: dict[tuple[str, str], list[float]] = {key: [] for key in calls}
        for number in range(rounds):
            progress(f'D={size}: round {number + 1} of {rounds}')
            for key, call in calls.items():
                duration, others = load.timed(call, seconds)
                times[key].append(1e3 * duration)
                figures[key]['loads'].append(others)
        for key, durations in times.items():
            figures[key]['milliseconds'].append(statistics.median(durations))
    return {'dimensions': dimensions,
            'rows': [_row(*key, dimensions, values['milliseconds'], values['chains'],
                          values['loads']) for key, values in figures.items()]}


def functions(flow: tfd.Distribution, batch: int) -> dict[str, tuple[Any, Any]]:
    """Returns a dict from each task to its `tf.function` of one argument, and such an argument.

    Within a `tf.function` the argument is a symbol. Therefore no bijector's cache, which knows a
    value by its tensor, can answer for the bijector.
    """
    shape = [batch, *flow.event_shape]
    image = tf.random.stateless_uniform(shape, [0, 1], -.5, .5)
    latent = flow.distribution.sample(batch, seed=[0, 2])
    return {'inference': (tf.function(flow.bijector.inverse, autograph=False), image),
            'sampling': (tf.function(flow.bijector.forward, autograph=False), latent),
            'density': (tf.function(flow.log_prob, autograph=False), image)}


def verdict(dimensions: Sequence[int], chains: Sequence[int]) -> str:
    """Returns 'serial' or 'parallel' by the lengths of a task's longest chain at the dimensions."""
    return 'serial' if _slope(dimensions, chains) > _SERIAL_SLOPE else 'parallel'


def text(report: dict[str, Any]) -> str:
    """Returns the report as text."""
    sizes = report['dimensions']
    columns = {
        'model': ('model', '{}'),
        'task': ('task', '{}'),
        **{f'D={size}': ('milliseconds', f'{{0[{k}]:.2f}} ms') for k, size in enumerate(sizes)},
        'time': ('time_slope', 'D^{:.2f}'),
        'chain': ('chains', f'{{0[0]}} .. {{0[{len(sizes) - 1}]}}'),
        'is': ('verdict', '{}'),
    }
    return '\n'.join([
        rows.table(report['rows'], columns), '',
        ', '.join(f'{task}: {formula}' for task, formula in TASKS.items()),
        'time: grows as this power of D; chain: operations that wait for each other, at the least '
        'and the largest D',
        'serial: the chain grows with D, so that more cores do not help',
        rows.busy_warning(report['rows'])]).strip()


def plot(report: dict[str, Any], path: str) -> None:
    """Draws `figure(report)` into the PNG file `path`."""
    figure(report).savefig(path, dpi=150)


def figure(report: dict[str, Any]) -> Any:
    """Returns a figure of milliseconds against D.

    It has a panel per task and a line per model, which is dashed where the task is serial.
    """
    from matplotlib.figure import Figure  # pylint: disable=g-import-not-at-top

    drawn = Figure(figsize=(12, 4), layout='constrained')
    panels = drawn.subplots(1, len(TASKS), sharey=True)
    for axes, (task, formula) in zip(panels, TASKS.items()):
        for row in report['rows']:
            if row['task'] == task:
                axes.plot(report['dimensions'], row['milliseconds'], marker='o', label=row['model'],
                          linestyle='--' if row['verdict'] == 'serial' else '-')
        axes.set_xscale('log')
        axes.set_yscale('log')
        axes.set_xticks(report['dimensions'], map(str, report['dimensions']))
        axes.minorticks_off()
        axes.set_xlabel('dimension D')
        axes.set_title(f'{task}: {formula}')
    panels[0].set_ylabel('milliseconds per batch')
    legend = drawn.legend(*panels[0].get_legend_handles_labels(), loc='outside right center',
                          title='dashed: serial')
    # A line of the legend shows a model's colour. Its dashes differ from panel to panel.
    for line in legend.get_lines():
        line.set_linestyle('-')
    return drawn


def _called(function: Callable[[Any], Any], value: Any) -> Any:
    """Returns the function's values as arrays, so that they are computed by then."""
    return tf.nest.map_structure(lambda part: part.numpy(), function(value))


def _channels(width: int) -> int:
    return max(1, width // _UNITS_PER_CHANNEL)


def _row(model: str, task: str, dimensions: Sequence[int], milliseconds: Sequence[float],
         chains: Sequence[int], loads: Sequence[float | None]) -> dict[str, Any]:
    return {'model': model, 'task': task, 'milliseconds': milliseconds, 'chains': chains,
            'time_slope': _slope(dimensions, milliseconds),
            'chain_slope': _slope(dimensions, chains),
            'verdict': verdict(dimensions, chains), 'other_cores': rows.median_load(loads)}


def _slope(dimensions: Sequence[int], values: Sequence[float]) -> float:
    return float(np.polyfit(np.log(dimensions), np.log(values), 1)[0])
