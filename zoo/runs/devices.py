"""`Devices`: where a model is trained: on one device, on several, or on those of several machines.

The zoo trains by `strategy.run`. Each batch is divided into equal parts, one for each device.
`make` finds the devices that a run asks for.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tensorflow as tf

from zoo.cli import errors
from zoo.models.assembly import Model
from zoo.models.recipe import Training
from zoo.runs import cluster, machine
from zoo.runs.settings import Settings


class Devices:
    """The devices of a training.

    Args:
        strategy: The strategy of TensorFlow that knows them.
    """

    is_chief = True  # Whether this process writes the run's files.
    workers = 1  # The number of processes that train together.

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy
        # `distributed` gives each device a part of every batch. Otherwise TensorFlow would have all
        # processes exchange before each batch which of them has one.
        strategy.extended.experimental_enable_get_next_as_optional = False

    @property
    def replicas(self) -> int:
        """The number of devices, each with a copy of the model."""
        return self._strategy.num_replicas_in_sync

    def scope(self) -> contextlib.AbstractContextManager:
        """Returns the context within which a model and its optimizer must be made."""
        return self._strategy.scope()

    def check(self, training: Training) -> None:
        """Checks that a training suits the devices.

        Raises:
            UsageError: If they do not divide its batches, or if several are to be compiled for.
        """
        if training.batch_size % self.replicas:
            raise errors.UsageError(f'--batch_size must be divisible by the {self.replicas} '
                                    f'devices; got {training.batch_size}.')
        if training.jit_compile and self.replicas > 1:
            raise errors.UsageError('--jit_compile must be left out with several devices, whose '
                                    'exchanges XLA cannot compile; got True.')

    def distributed(self, batches: tf.data.Dataset) -> Iterable[Any]:
        """Returns batches, each divided into a part for each device; the last may be unequal."""
        if self.replicas == 1:
            return batches
        return self._strategy.distribute_datasets_from_function(
            lambda context: _parts(batches, self.replicas, context))

    def agree(self, *asked: bool) -> tuple[bool, ...]:
        """Returns, for each of some requests, whether any of the processes makes it."""
        return asked

    def together(self) -> contextlib.AbstractContextManager:
        """Returns a context that all processes leave, or none: a failure of one ends all.

        Nothing within it may exchange anything with the other processes.

        Raises:
            Failure: If another process failed within it.
        """
        return contextlib.nullcontext()

    def check_equal(self, rule: str, values: Mapping[str, Any]) -> None:
        """Checks that all processes have the same values.

        Args:
            rule: What all workers must do: 'be given the same flags'.
            values: What `json.dumps` takes.

        Raises:
            UsageError: If they have not, on all of them. It names the values that differ.
        """

    def step(self, model: Model, one: Callable[[Any], Any],
             result: Callable[[], Any]) -> Callable[[Any], Any]:
        """Returns a graph that takes one step on a batch.

        Args:
            model: The model.
            one: A function that takes the step on the part of one device.
            result: A function that returns what the step left.
        """
        compiled = tf.function(one, jit_compile=True, autograph=False) if model.jit_compile else one

        @tf.function(reduce_retracing=True, autograph=False)
        def step(batch: Any) -> Any:
            self._strategy.run(compiled, args=(batch,))
            return result()
        return step


def make(settings: Settings) -> Devices:
    """Returns the devices that the settings ask for, once the threads of towers are set.

    Raises:
        UsageError: If this machine does not have them.
    """
    if settings.towers != 'auto':
        machine.start(int(settings.towers))
    if settings.strategy == 'none':
        return Devices(tf.distribute.get_strategy())
    if settings.strategy == 'mirrored':
        return Devices(tf.distribute.MirroredStrategy(_mirrored(settings.replicas)))
    from zoo.runs.workers import Workers  # It imports this module.
    return Workers(cluster.read(), settings.peer_seconds)


def _mirrored(replicas: int) -> list[str]:
    """Returns the names of so many devices of this machine.

    TensorFlow divides the processor only before it has listed its own devices.
    """
    gpus = len(tf.config.list_physical_devices('GPU'))
    if gpus:
        if replicas > gpus:
            raise errors.UsageError(f'--replicas must be at most the {gpus} GPUs of this machine; '
                                    f'got {replicas}.')
        return [f'GPU:{i}' for i in range(replicas or gpus)]
    if replicas < 2:
        raise errors.UsageError('--strategy=mirrored needs GPUs, of which this machine has none, '
                                'or --replicas of at least 2, which divide the processor; '
                                f'got --replicas={replicas}.')
    processor, *_ = tf.config.list_physical_devices('CPU')
    try:
        tf.config.set_logical_device_configuration(
            processor, replicas * [tf.config.LogicalDeviceConfiguration()])
    except RuntimeError:  # TensorFlow has started, as in a notebook or a test.
        parts = len(tf.config.list_logical_devices('CPU'))
        if parts < replicas:
            raise errors.UsageError(
                f'--replicas must be at most {parts}, into which the processor was divided when '
                f'TensorFlow started; got {replicas}.') from None
    return [f'CPU:{i}' for i in range(replicas)]


def _parts(batches: tf.data.Dataset, replicas: int,
           context: tf.distribute.InputContext) -> tf.data.Dataset:
    """Returns the parts of each batch that the devices of one process get, one after the other."""
    own = replicas // context.num_input_pipelines
    first = context.input_pipeline_id * own

    def divided(*batch: Any) -> tf.data.Dataset:
        rows = tf.shape(tf.nest.flatten(batch)[0])[0]
        size = -(-rows // replicas)
        parts = tf.data.Dataset.range(first, first + own)

        def part(i: tf.Tensor) -> Any:
            begin = tf.cast(i, tf.int32) * size
            return tf.nest.map_structure(lambda x: x[begin:begin + size], batch)
        return parts.map(lambda i: part(i) if len(batch) > 1 else part(i)[0])
    return batches.flat_map(divided).prefetch(2 * own)
