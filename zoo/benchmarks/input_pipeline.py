"""Measures which share of a training step waits for data, with the pipeline that training uses."""

import dataclasses
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.benchmarks import load, rows
from zoo.data import dataset_names, splits
from zoo.data.image_data import ImageData
from zoo.data.vector_data import VectorData
from zoo.models import registry
from zoo.runs.run import Run

Data = ImageData | VectorData
GOAL = .03  # A larger share is worth a look.
_BUFFERED = splits.MOST_AHEAD + 2  # The pipeline holds less batches ready.
_PIPELINE, _CONSTANT = 'training on the pipeline', 'training on one batch again'
_COLUMNS = {
    'measured': ('what', '{}'),
    'a batch': ('milliseconds', '{:.1f} ms'),
    'examples/s': ('examples_per_second', '{:,.0f}'),
    'waits for data': ('wait_milliseconds', '{:.2f} ms'),
    'share': ('share', '{:.2%}'),
    'longest wait': ('longest_wait_milliseconds', '{:.1f} ms'),
}


def run(model_name: str, dataset: str, data_dir: str | None, rounds: int, seconds: float,
        progress: Callable[[str], object]) -> dict[str, Any]:
    """Trains a model by its default recipe for the data, and times steps and waits.

    Args:
        model_name: The name of the model.
        dataset: The name or path of the data set.
        data_dir: The folder where TFDS keeps it. Default: TFDS's own.
        rounds: The number of turns of each kind of batches.
        seconds: The least length of one turn.
        progress: A function of a line of text.

    Returns:
        A dict with 'rows', one for batches of the pipeline, one for a batch that stays the same,
        and one for the pipeline without training; 'share', the share of the first that waits;
        'first_seconds', the time to the first batch; and what was trained.
    """
    made, data = _prepared(model_name, dataset, data_dir)
    size = made.training.batch_size
    progress('the first batch is read')
    start = time.perf_counter()
    pipeline = data.train(size, made.training.seed, repeat=True, labels=made.conditional)
    batches = iter(pipeline)
    constant = next(batches)
    first_seconds = time.perf_counter() - start
    progress('the first steps')
    model = made.build(data)
    model.fit(pipeline.take(2), verbose=0, shuffle=False)  # It initializes the model too.
    step = tf.function(model.train_step, jit_compile=made.training.jit_compile, autograph=False)

    def trained(batch: Any) -> None:
        np.asarray(step(batch)['loss'])  # The step ends here, also on a GPU.
    trained(constant)
    table = measure(batches, constant, trained, size, rounds, seconds, progress)
    progress('the pipeline without training')
    alone = data.train(size, made.training.seed, epoch=1, repeat=True, labels=made.conditional)
    table.append(_alone(iter(alone), size, data.steps_per_epoch(size), seconds))
    return {'model': model_name, 'recipe': made.recipe, 'dataset': dataset, 'batch': size,
            'about': data.describe(), 'rows': table, 'share': table[0]['share'],
            'first_seconds': first_seconds}


def measure(batches: Iterator[Any], constant: Any, step: Callable[[Any], object], size: int,
            rounds: int, seconds: float, progress: Callable[[str], object],
            clock: Callable[[], float] = time.perf_counter) -> list[dict[str, Any]]:
    """Times steps on batches of a pipeline and on one constant batch, in turns.

    The pipeline fills its buffers while it is not asked, so they are emptied before each turn.

    Args:
        batches: The pipeline. What its `next` takes is the wait.
        constant: A batch.
        step: A function of a batch, which ends when the step has.
        size: The number of examples in a batch.
        rounds: The number of turns of each.
        seconds: The least length of one turn.
        progress: A function of a line of text.
        clock: A function that returns the time in seconds.
    """
    sources = {_PIPELINE: batches, _CONSTANT: itertools.repeat(constant)}
    steps: dict[str, list[list[float]]] = {what: [] for what in sources}
    waits: list[float] = []
    loads = []
    for number in range(rounds):
        progress(f'round {number + 1} of {rounds}')
        others = load.OtherLoad()
        for what, source in sources.items():
            if source is batches:
                for _ in range(_BUFFERED):
                    next(source)
            step(next(source))
            times: list[float] = []
            begin = before = clock()
            while not times or before - begin < seconds:
                batch = next(source)
                ready = clock()
                step(batch)
                after = clock()
                times.append(after - before)
                if source is batches:
                    waits.append(ready - before)
                before = after
            steps[what].append(times)
        loads.append(others.cores())
    table = [_row(what, [t for times in turns for t in times], size)
             for what, turns in steps.items()]
    every = sum(t for times in steps[_PIPELINE] for t in times)
    table[0].update(wait_milliseconds=1e3 * statistics.fmean(waits), share=sum(waits) / every,
                    longest_wait_milliseconds=1e3 * max(waits))
    for row in table:
        row['other_cores'] = rows.median_load(loads)
    return table


def _alone(batches: Iterator[Any], size: int, per_epoch: int, seconds: float) -> dict[str, Any]:
    """Times the batches of one epoch, or of a number of seconds, of a pipeline that is new."""
    times: list[float] = []
    begin = before = time.perf_counter()
    while len(times) < per_epoch and before - begin < max(seconds, 5.):
        next(batches)
        after = time.perf_counter()
        times.append(after - before)
        before = after
    row = _row('the pipeline alone', times, size)
    return {**row, 'wait_milliseconds': row['milliseconds'],
            'longest_wait_milliseconds': 1e3 * max(times)}


def _row(what: str, times: list[float], size: int) -> dict[str, Any]:
    mean = statistics.fmean(times)
    return {'what': what, 'steps': len(times), 'milliseconds': 1e3 * mean,
            'examples_per_second': size / mean}


def text(report: dict[str, Any]) -> str:
    """Returns the report as text."""
    pipeline, constant, alone = report['rows']
    lines = [
        rows.table(report['rows'], _COLUMNS), '',
        f'{report["share"]:.2%} of a training step waits for data; the goal is at most {GOAL:.0%}',
        f'timed: {pipeline["steps"]} steps on the pipeline and {constant["steps"]} on one batch '
        'again;', f'{alone["steps"]} batches of the pipeline alone, with the start of an epoch',
        f'the first batch came after {report["first_seconds"]:.1f} s: data that fit in memory are '
        'decoded once']
    if report['share'] > GOAL:
        slow = alone['milliseconds'] > constant['milliseconds']
        lines.append(
            'the pipeline alone is slower than the model: larger data are decoded in every epoch'
            if slow else 'the pipeline alone is faster than the model: what is left is the cost of '
            'asking for a batch, or other work of the processor')
    warning = rows.busy_warning(report['rows']).removesuffix(' PyTorch suffers most.')
    return '\n'.join([*lines, warning]).strip()


def _prepared(model_name: str, dataset: str, data_dir: str | None) -> tuple[Run, Data]:
    """Returns the run of the default recipe, and its data."""
    vectors = dataset_names.is_vectors(dataset)
    chosen = registry.recipe(model_name, None, dataset, vectors)
    made = Run(model=model_name, dataset=dataset, recipe=chosen.name, pad=not vectors, flips=None,
               config=chosen.config, training=chosen.training, data_dir=data_dir)
    data = made.load_data()
    fitted = chosen.fitted(data.sizes['train'])
    return dataclasses.replace(made, training=fitted.training), data
