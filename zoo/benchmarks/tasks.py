"""Inference, sampling and density of five flows against the dimension: parallel or serial.

Which is which is read from the traced graph, not from a clock. `chain.longest_chain` counts the
operations that wait for each other, loops by their iterations. A task is serial if that number
grows with the dimension D, its slope against D on logarithmic axes above 1/2: in the serial
direction of MAF and IAF it is nearly 1, for each dimension waits for the one before; in the others
it is 0, for a larger image makes operations larger but no more of them (Glow's loop runs over the
steps of a level). The time's own slope cannot tell: with more dimensions than cores a parallel
task, too, takes the longer the more there is to compute.
"""

import statistics

import numpy as np
import tensorflow as tf

from tfp_glow import flows
from zoo.benchmarks import chain, load, rows

_UNITS_PER_CHANNEL = 8  # Dense layers have so many times the width of the convolutions.
# Model -> its builder: `(event_shape, levels, steps, width) -> flow`.
MODELS = {
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


def run(sides, levels, steps, width, batch, rounds, seconds, progress):
    """Times the tasks of all `MODELS`, which take turns, at each side, in this process.

    Args:
      sides: of square images of one channel, of D = side * side dimensions, ascending.
      levels: of RealNVP and Glow; 2**levels must divide the sides.
      steps: of each level of Glow, layers of MAF and IAF, couplings of NICE, residual blocks of
        each coupling's network of RealNVP.
      width: units of the hidden layers of NICE, MAF and IAF; RealNVP and Glow have an eighth of it
        in channels.
      batch: images per call.
      rounds: turns of each.
      seconds: least length of one turn.
      progress: function of a line of text.

    Returns:
      dict with 'dimensions' and 'rows', one per model and task.
    """
    dimensions = [side * side for side in sides]
    found = {(model, task): {'milliseconds': [], 'chains': [], 'loads': []}
             for model in MODELS for task in TASKS}
    for side, size in zip(sides, dimensions):
        calls = {}
        for model, build in MODELS.items():
            progress(f'D={size}: {model}')
            for task, (function, value) in functions(
                    build((side, side, 1), levels, steps, width), batch).items():
                found[model, task]['chains'].append(
                    chain.longest_chain(function.get_concrete_function(value)))
                calls[model, task] = lambda function=function, value=value: tf.nest.map_structure(
                    lambda part: part.numpy(), function(value))
                calls[model, task]()
        times = {key: [] for key in calls}
        for number in range(rounds):
            progress(f'D={size}: round {number + 1} of {rounds}')
            for key, call in calls.items():
                duration, others = load.timed(call, seconds)
                times[key].append(1e3 * duration)
                found[key]['loads'].append(others)
        for key, durations in times.items():
            found[key]['milliseconds'].append(statistics.median(durations))
    return {'dimensions': dimensions,
            'rows': [_row(*key, dimensions, **values) for key, values in found.items()]}


def functions(flow, batch):
    """Task -> its `tf.function` of one argument, and such an argument.

    Within a `tf.function` the argument is a symbol, so that no bijector's cache, which knows a
    value by its tensor, can answer for it.
    """
    shape = [batch, *flow.event_shape]
    image = tf.random.stateless_uniform(shape, [0, 1], -.5, .5)
    latent = flow.distribution.sample(batch, seed=[0, 2])
    return {'inference': (tf.function(flow.bijector.inverse, autograph=False), image),
            'sampling': (tf.function(flow.bijector.forward, autograph=False), latent),
            'density': (tf.function(flow.log_prob, autograph=False), image)}


def verdict(dimensions, chains):
    """'serial' or 'parallel', of the lengths of a task's longest chain at the dimensions."""
    return 'serial' if _slope(dimensions, chains) > _SERIAL_SLOPE else 'parallel'


def text(report):
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


def plot(report, path):
    """Draws `figure(report)` into the PNG file `path`."""
    figure(report).savefig(path, dpi=150)


def figure(report):
    """Milliseconds against D, a panel per task, a line per model, dashed where it is serial."""
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
    for line in legend.get_lines():  # A model's colour; its dashes differ from panel to panel.
        line.set_linestyle('-')
    return drawn


def _channels(width):
    return max(1, width // _UNITS_PER_CHANNEL)


def _row(model, task, dimensions, milliseconds, chains, loads):
    return {'model': model, 'task': task, 'milliseconds': milliseconds, 'chains': chains,
            'time_slope': _slope(dimensions, milliseconds),
            'chain_slope': _slope(dimensions, chains),
            'verdict': verdict(dimensions, chains), 'other_cores': rows.median_load(loads)}


def _slope(dimensions, values):
    return float(np.polyfit(np.log(dimensions), np.log(values), 1)[0])
