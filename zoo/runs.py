"""A run directory: its config, its data, its model, its checkpoints, its metrics."""

import csv
import dataclasses
import json
import math
import os
import pathlib

import keras
import tensorflow as tf

import tfp_glow
from zoo import data as zoo_data
from zoo import errors, recipe, registry


@dataclasses.dataclass(frozen=True)
class Run:
    """Everything that determines a run, apart from where it is kept."""

    model: str
    dataset: str
    recipe: str
    pad: bool
    flips: bool | None
    config: object
    training: recipe.Training

    def to_json(self):
        """The run as nested dictionaries."""
        return dict(dataclasses.asdict(self), tfp_glow_version=tfp_glow.__version__)

    @classmethod
    def from_json(cls, values):
        """The inverse of `to_json`."""
        values = {k: v for k, v in values.items() if k != 'tfp_glow_version'}
        config = registry.model(values['model']).Config(**values.pop('config'))
        training = recipe.Training(**values.pop('training'))
        return cls(config=config, training=training, **values)

    def load_data(self, data_dir=None):
        """The run's `ImageData`."""
        return zoo_data.load(self.dataset, data_dir, pad=self.pad, flips=self.flips,
                             divisor=registry.model(self.model).divisor(self.config))

    def build(self, data, training=True):
        """The run's compiled `FlowModel`, with fresh weights.

        Mixed precision is for training: otherwise the networks compute in float32, so that the
        inverse is as exact as it can be.
        """
        config = self.config if training else dataclasses.replace(
            self.config, network_dtype='float32')
        flow = registry.model(self.model).build(config, data.image_shape, self.training.seed)
        bins = data.bins
        if self.training.bits < 8:
            if bins != 256:
                raise errors.UsageError(f'--bits needs data of 256 levels; {data.name} has {bins}; '
                                        f'got {self.training.bits}.')
            bins = 2**self.training.bits
        model = tfp_glow.FlowModel(flow, bins=bins, counted_dims=data.dims,
                                   seed=self.training.seed)
        model.compile(self._optimizer(data.steps_per_epoch(self.training.batch_size)),
                      jit_compile=self.training.jit_compile)
        return model

    def prepare(self, images):
        """Drops the bits that the run does not model."""
        return images if self.training.bits == 8 else images // 2**(8 - self.training.bits)

    def _optimizer(self, steps_per_epoch):
        training = self.training
        warmup = max(1, math.ceil(training.warmup_epochs * steps_per_epoch))
        total = max(1, training.epochs * steps_per_epoch - warmup)
        alpha = 0. if training.schedule == 'cosine' else 1.
        schedule = keras.optimizers.schedules.CosineDecay(
            0., total, alpha=alpha, warmup_target=training.learning_rate, warmup_steps=warmup)
        make = {'adam': keras.optimizers.Adam, 'adamax': keras.optimizers.Adamax}
        return make[training.optimizer](
            schedule, global_clipnorm=training.clip_norm or None, use_ema=training.ema > 0,
            ema_momentum=training.ema or .99)


class Directory:
    """A run's directory on disk."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def read(self):
        """The `Run` that it holds."""
        try:
            return Run.from_json(json.loads((self.path / 'config.json').read_text()))
        except FileNotFoundError:
            raise errors.UsageError(f'--workdir must be a run directory with a config.json; '
                                    f'got {str(self.path)!r}.') from None
        except (ValueError, TypeError, KeyError) as error:
            raise errors.UsageError(f'--workdir holds a config.json that cannot be read '
                                    f'({error}); got {str(self.path)!r}.') from None

    def claim(self, run, resume):
        """Makes the directory the run's own; refuses one that holds something else."""
        if (self.path / 'config.json').exists():
            old = self.read()
            if old != run:
                raise errors.UsageError(
                    f'--workdir must be new or hold the same config; {str(self.path)!r} differs '
                    f'in {_differences(old.to_json(), run.to_json())}.')
            if not resume:
                raise errors.UsageError(f'--workdir must be new, or give --resume to go on with '
                                        f'it; {str(self.path)!r} holds a run.')
            return
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise errors.UsageError(f'--workdir must be new or empty; got {str(self.path)!r}.')
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path / 'config.json', json.dumps(run.to_json(), indent=2) + '\n')

    def checkpoints(self, model):
        """A manager of checkpoints that hold weights, optimizer, averages and the epoch."""
        model.optimizer.build(model.trainable_variables)
        epoch = tf.Variable(0, trainable=False, dtype=tf.int64, name='epoch')
        seconds = tf.Variable(0., trainable=False, dtype=tf.float64, name='seconds')
        checkpoint = tf.train.Checkpoint(
            flow=model.flow, epoch=epoch, seconds=seconds,
            optimizer={str(i): v.value for i, v in enumerate(model.optimizer.variables)})
        return tf.train.CheckpointManager(checkpoint, str(self.path / 'checkpoints'),
                                          max_to_keep=2)

    def keep_metrics(self, epochs):
        """Drops from metrics.csv what an interrupted run wrote after its last checkpoint."""
        path = self.path / 'metrics.csv'
        if path.exists():
            with path.open(newline='') as file:
                header, *rows = list(csv.reader(file))
            rows = [row for row in rows if len(row) == len(header) and int(row[0]) <= epochs]
            write_atomically(path, '\n'.join(','.join(row) for row in [header, *rows]) + '\n')

    def add_metrics(self, row):
        """Appends one epoch's figures to metrics.csv."""
        path = self.path / 'metrics.csv'
        new = not path.exists()
        with path.open('a', newline='') as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)


def restore(manager, directory):
    """Restores the newest checkpoint if there is one; the number of finished epochs."""
    if manager.latest_checkpoint is None:
        return 0
    try:
        manager.checkpoint.restore(manager.latest_checkpoint).assert_consumed()
    except (AssertionError, tf.errors.OpError, ValueError) as error:
        raise errors.Failure(f'the checkpoint in {str(directory.path)!r} cannot be read: '
                             f'{str(error).splitlines()[0]}') from None
    return int(manager.checkpoint.epoch)


def load(workdir, data_dir=None):
    """`(run, data, model)` of a run directory, with the weights of its newest checkpoint.

    The model computes in float32; its averaged weights are in its optimizer, as after training.
    """
    directory = Directory(workdir)
    run = directory.read()
    data = run.load_data(data_dir)
    model = run.build(data, training=False)
    if not restore(directory.checkpoints(model), directory):
        raise errors.UsageError(f'--workdir must hold a checkpoint; {str(workdir)!r} has none.')
    return run, data, model


def write_atomically(path, text):
    """Writes a text file so that it is there whole or not at all."""
    path = pathlib.Path(path)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}')
    temporary.write_text(text)
    temporary.replace(path)


def _differences(old, new, prefix=''):
    found = []
    for key in new:
        if isinstance(new[key], dict):
            found.append(_differences(old.get(key, {}), new[key]))
        elif old.get(key) != new[key] and key != 'tfp_glow_version':
            found.append(f'{prefix}{key} ({old.get(key)} there, {new[key]} asked for)')
    return ', '.join(f for f in found if f)
