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
from zoo.cli import errors
from zoo.models import recipe, registry
from zoo.runs import preset

FORMAT = 1  # Of config.json.


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
        return dict(dataclasses.asdict(self), format=FORMAT, tfp_glow_version=tfp_glow.__version__)

    @classmethod
    def from_json(cls, values):
        """The inverse of `to_json`.

        Raises:
            ValueError: a newer version wrote it, or it is none.
        """
        if values.get('format', 1) > FORMAT:
            raise ValueError(f'it has format {values["format"]}, of tfp_glow '
                             f'{values.get("tfp_glow_version")}; this version reads up to {FORMAT}')
        values = {k: v for k, v in values.items() if k not in ('format', 'tfp_glow_version')}
        config = registry.model(values['model']).Config(**values.pop('config'))
        training = recipe.Training(**values.pop('training'))
        return cls(config=config, training=training, **values)

    def load_data(self, data_dir=None):
        """The run's `ImageData`, or `VectorData`."""
        module = registry.model(self.model)
        if zoo_data.is_vectors(self.dataset):
            if not getattr(module, 'VECTORS', False):
                raise errors.UsageError(f'--dataset must be one of images for '
                                        f'--model={self.model}; got {self.dataset!r}.')
            for name in ('binarize', 'shifts', 'upside_down'):
                if getattr(self.training, name):
                    raise errors.UsageError(f'--{name} must be left out for vectors; '
                                            f'got {getattr(self.training, name)!r}.')
            return zoo_data.load_vectors(self.dataset)
        return zoo_data.load(self.dataset, data_dir, pad=self.pad, flips=self.flips,
                             divisor=module.divisor(self.config),
                             binarize=self.training.binarize, shifts=self.training.shifts,
                             upside_down=self.training.upside_down)

    @property
    def conditional(self):
        """Whether the model is one of images given their labels."""
        return getattr(self.config, 'conditional', False)

    @property
    def is_vae(self):
        """Whether the model is a VAE; a flow otherwise."""
        return registry.is_vae(self.model)

    @property
    def discrete(self):
        """Whether the model is a flow of integers, which `build` makes for so many levels."""
        return getattr(registry.model(self.model), 'DISCRETE', False)

    def build(self, data, training=True):
        """The run's compiled `FlowModel` or `VAEModel`, with fresh weights.

        Mixed precision is for training: otherwise the networks compute in float32, so that the
        inverse is as exact as it can be.
        """
        model = self.assemble(data.event_shape, self._bins(data), data.num_classes, data.dims,
                              data.sizes['train'], training)
        model.compile(self._optimizer(data.steps_per_epoch(self.training.batch_size)),
                      jit_compile=self.training.jit_compile)
        if model.objective.has_statistics:
            count = min(model.reference_examples, data.sizes['train'])
            examples = self.examples(data, 'train', count)
            model.set_reference(*examples)
        return model

    def assemble(self, event_shape, bins, classes, dims, examples, training=True):
        """The `FlowModel` or `VAEModel`, not compiled, of data so described."""
        config = self.config
        if not training and hasattr(config, 'network_dtype'):
            config = dataclasses.replace(config, network_dtype='float32')
        module, options, seed = registry.model(self.model), {}, self.training.seed
        if self.is_vae:
            if self.training.weight_prior:
                raise errors.UsageError(f'--weight_prior must be 0 for --model={self.model}; '
                                        f'got {self.training.weight_prior}.')
            vae = module.build(config, event_shape, bins, seed)
            steps = (examples or 0) // self.training.batch_size
            return tfp_glow.vaes.VAEModel(vae, counted_dims=dims, seed=seed,
                                          **module.objective(config, steps))
        if self.conditional:
            if classes is None:
                raise errors.UsageError(f'--conditional needs data with labels; {self.dataset} has '
                                        'none.')
            options['classes'] = classes
        if self.discrete:
            options['bins'] = bins
        flow = module.build(config, event_shape, seed, **options)
        noise = module.noise(config, event_shape, seed) if hasattr(module, 'noise') else None
        classifier, weight = (module.classifier(config, flow, classes) if self.conditional
                              else (None, 0.))
        return tfp_glow.FlowModel(
            flow, bins=bins, counted_dims=dims, seed=seed, noise=noise, classifier=classifier,
            classification_weight=weight, weight_prior=self.training.weight_prior or None,
            examples=examples)

    def _bins(self, data):
        if self.training.bits == 8:
            return data.bins
        if data.bins != 256:
            raise errors.UsageError(f'--bits needs data of 256 levels; {data.name} has '
                                    f'{data.bins}; got {self.training.bits}.')
        return 2**self.training.bits

    def prepare(self, examples, *labels):
        """Drops the bits that the run does not model; labels come back as they are."""
        if self.training.bits != 8:
            examples = examples // 2**(8 - self.training.bits)
        return (examples, *labels) if labels else examples

    def examples(self, data, split, count):
        """`(examples, labels or None)`: the first `count` of a split as a model takes them."""
        batches = data.evaluation(split, count, limit=count, labels=self.conditional)
        found = next(batches.map(self.prepare).as_numpy_iterator())
        return found if self.conditional else (found, None)

    def _optimizer(self, steps_per_epoch):
        training = self.training
        warmup = max(1, math.ceil(training.warmup_epochs * steps_per_epoch))
        total = max(1, training.epochs * steps_per_epoch - warmup)
        alpha = 0. if training.schedule == 'cosine' else 1.
        schedule = keras.optimizers.schedules.CosineDecay(
            0., total, alpha=alpha, warmup_target=training.learning_rate, warmup_steps=warmup)
        if training.decay < 1:
            schedule = _Decayed(schedule, training.decay, steps_per_epoch)
        make = {'adam': keras.optimizers.Adam, 'adamax': keras.optimizers.Adamax,
                'rmsprop': keras.optimizers.RMSprop}
        return make[training.optimizer](
            schedule, global_clipnorm=training.clip_norm or None, use_ema=training.ema > 0,
            ema_momentum=training.ema or .99)


class _Decayed(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule times `factor` for each epoch, of so many steps, that is over."""

    def __init__(self, schedule, factor, steps_per_epoch):
        super().__init__()
        self._schedule, self._factor, self._steps = schedule, factor, steps_per_epoch

    def __call__(self, step):
        epochs = keras.ops.cast(step // self._steps, 'float32')
        return self._schedule(step) * self._factor**epochs

    def get_config(self):
        return {'schedule': self._schedule, 'factor': self._factor,
                'steps_per_epoch': self._steps}


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
            **_parts(model), epoch=epoch, seconds=seconds,
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


def _parts(model):
    """`{name: module}` of all that a model trains."""
    if isinstance(model, tfp_glow.vaes.VAEModel):
        return {'vae': model.vae}
    parts = {'flow': model.flow, 'noise': model.noise, 'classifier': model.objective.classifier}
    return {name: part for name, part in parts.items() if part is not None}


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
    return run, data, restored(run, data, directory)


def opened(workdir, preset_name, data_dir=None):
    """`(run, data, model)` of exactly one of a run directory and a preset, as `load` gives them.

    Raises:
        UsageError: both are given, or neither, or what is given cannot be read.
    """
    if bool(workdir) == bool(preset_name):
        raise errors.UsageError('give --workdir=RUN, a run directory of zoo.train, or '
                                f'--preset=NAME; got {"both" if workdir else "neither"}.')
    if workdir:
        return load(workdir, data_dir)
    found = preset.read(preset_name)
    return found.run, found.run.load_data(data_dir), found.model


def restored(run, data, directory):
    """The model of a run as `load` returns it, of data that are at hand."""
    model = run.build(data, training=False)
    if not restore(directory.checkpoints(model), directory):
        raise errors.UsageError(f'--workdir must hold a checkpoint; {str(directory.path)!r} has '
                                'none.')
    return model


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
        elif old.get(key) != new[key] and key not in ('format', 'tfp_glow_version'):
            found.append(f'{prefix}{key} ({old.get(key)} there, {new[key]} asked for)')
    return ', '.join(f for f in found if f)
