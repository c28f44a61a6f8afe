"""What a training makes of this machine: the number of towers, their threads, and the precision.

A tower computes a share of each batch with one thread. TensorFlow takes the numbers of threads
before its first computation only, so a program calls `start` before it loads data.
"""

import dataclasses
import os
from typing import Any

import tensorflow as tf

from zoo.cli import errors, processor
from zoo.models import options
from zoo.models.recipe import Training
from zoo.runs.run import Run
from zoo.runs.settings import Settings

_INTER, _INTRA = 'TF_NUM_INTEROP_THREADS', 'TF_NUM_INTRAOP_THREADS'
# Wider networks have convolutions that are large enough for several threads.
_WIDEST = 256


def resolved(config: Any, training: Training, settings: Settings,
             gains: bool, is_given: bool) -> tuple[Any, Settings]:
    """Returns hyper-parameters and settings in which 'auto' is replaced by what suits this machine.

    `towers` is one for each core if the recipe gains by it, but not beside a GPU or on several
    devices, with BatchNorm, which normalises by whole batches, or if the networks are wide.
    `network_dtype` is bfloat16 where that is computed in hardware.

    Args:
        config: The hyper-parameters of the model.
        training: Those of its training.
        settings: How the run is kept and computed.
        gains: Whether the recipe is known to gain by towers.
        is_given: Whether the user asked for the number of towers. Otherwise it is that of the run
            that is resumed, and becomes 1 where there can be no others.

    Raises:
        UsageError: If the user asked for towers that cannot be.
    """
    has_gpu = bool(tf.config.list_physical_devices('GPU'))
    asked = settings.towers
    if asked == 'auto':
        gains = (gains and settings.strategy == 'none' and getattr(config, 'width', 0) <= _WIDEST
                 and not _obstacle(config, training, settings, has_gpu))
        count = min(processor.cores(), training.batch_size) if gains else 1
    else:
        count, obstacle = int(asked), _obstacle(config, training, settings, has_gpu)
        if count > 1 and obstacle:
            if is_given:
                raise errors.UsageError(f'--towers must be 1 {obstacle}; got {asked}.')
            print(f'towers: 1 in place of {count}, {obstacle}.', flush=True)
            count = 1
    if hasattr(config, 'network_dtype'):
        config = dataclasses.replace(
            config, network_dtype=options.precision(config.network_dtype))
    return config, dataclasses.replace(settings, towers=str(count))


def fitted(run: Run, is_given: bool) -> Run:
    """Returns a run that has no more towers than its batches have examples.

    Args:
        run: The run; its batches have been fitted to the data.
        is_given: Whether the user asked for the number of towers.

    Raises:
        UsageError: If the user asked for more.
    """
    count, batch_size = int(run.settings.towers), run.training.batch_size
    if count <= batch_size:
        return run
    if is_given:
        raise errors.UsageError(f'--towers must be at most --batch_size={batch_size}; got {count}.')
    print(f'towers: {batch_size}, as a batch has no more examples.', flush=True)
    return dataclasses.replace(run, settings=dataclasses.replace(
        run.settings, towers=str(batch_size)))


def for_evaluation(asked: str) -> int:
    """Returns the number of towers of an evaluation, whose threads are started.

    Args:
        asked: A number, or 'auto' for one on each core, or a single one beside a GPU.

    Raises:
        UsageError: If several are asked for beside a GPU.
    """
    has_gpu = bool(tf.config.list_physical_devices('GPU'))
    count = int(asked) if asked != 'auto' else 1 if has_gpu else processor.cores()
    if has_gpu and count > 1:
        raise errors.UsageError(f'--towers must be 1 beside a GPU; got {asked}.')
    start(count, verbose=asked != 'auto')
    return count


def start(count: int, verbose: bool = True) -> None:
    """Gives each tower one thread; threads that the environment sets stay, which it says.

    With one tower nothing is changed: it computes with all cores.

    Args:
        count: The number of towers.
        verbose: Whether to say how many there are.
    """
    if count == 1:
        return
    fixed = [f'{name}={os.environ[name]}' for name in (_INTRA, _INTER) if os.environ.get(name)]
    if fixed:
        print(f'towers: {count}; the threads are those of the environment, {" and ".join(fixed)}.',
              flush=True)
        return
    cores = processor.cores()
    threads = 'each with one thread'
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(min(count, cores))
    except RuntimeError:  # As in a notebook or a test.
        threads = 'with the threads that TensorFlow has started with'
    if verbose:
        print(f'towers: {count} on {cores} cores, {threads}.', flush=True)


def _obstacle(config: Any, training: Training, settings: Settings, has_gpu: bool) -> str | None:
    """Returns beside what there can be one tower only: 'beside a GPU'; None if there is nothing."""
    obstacles = {'with --jit_compile': training.jit_compile, 'beside a GPU': has_gpu,
                 'with --batch_norm': getattr(config, 'batch_norm', False),
                 'with --strategy=mirrored': settings.strategy == 'mirrored'}
    return next((words for words, there in obstacles.items() if there), None)
