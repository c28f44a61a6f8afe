"""Defines `Run`, which determines a training, and `Trained`, a run with its data and model."""

import contextlib
import dataclasses
import os
from typing import Any

import tfp_glow
from zoo import data as zoo_data
from zoo.cli import errors
from zoo.data import tables
from zoo.data.picture_options import PictureOptions
from zoo.models import assembly, recipe, registry
from zoo.models.options import Events
from zoo.models.recipe import Training
from zoo.models.spec import Kind, ModelSpec
from zoo.runs import config_file, optimizer
from zoo.runs.config_file import FORMAT
from zoo.runs.settings import Settings


@dataclasses.dataclass(frozen=True)
class Run:
    """Everything that determines a training, apart from where the run is kept.

    Attributes:
        model: The name of the model.
        dataset: The name or path of the data set.
        recipe: The name of the recipe.
        pad: Whether images are padded.
        flips: Whether training mirrors images; None for the default of the data set.
        config: The hyper-parameters of the model.
        training: The hyper-parameters of the training.
        data_dir: The folder where TFDS keeps the data set. Runs that differ in it, or in what
            follows, are equal.
        settings: How the run is kept, where it is computed, and what is left of it.
        changes: What was changed while it went on, in order: dictionaries of `epoch`, after which
            it was, and of `{name: [old value, new value]}`.
        start: Where its first weights came from; None for fresh ones.
        folder: The folder that a relative path of a table is relative to.
    """

    model: str
    dataset: str
    recipe: str
    pad: bool
    flips: bool | None
    config: Any
    training: Training
    data_dir: str | None = dataclasses.field(default=None, compare=False)
    settings: Settings = dataclasses.field(default=Settings(), compare=False)
    changes: tuple[dict[str, Any], ...] = dataclasses.field(default=(), compare=False)
    start: dict[str, Any] | None = dataclasses.field(default=None, compare=False)
    folder: str | None = dataclasses.field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Checks the types of what config.json may hold."""
        for name, kinds in (('model', str), ('dataset', str), ('recipe', str), ('pad', bool),
                            ('flips', (bool, type(None))), ('data_dir', (str, type(None))),
                            ('start', (dict, type(None))), ('folder', (str, type(None)))):
            if not isinstance(getattr(self, name), kinds):
                raise ValueError(f'{name} must not be {getattr(self, name)!r}')
        if not all(isinstance(change, dict) for change in self.changes):
            raise ValueError(f'changes must not be {self.changes!r}')

    def to_json(self) -> dict[str, Any]:
        """Returns the run as nested dictionaries."""
        return dict(dataclasses.asdict(self), format=FORMAT, tfp_glow_version=tfp_glow.__version__)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> 'Run':
        """Returns the run of which `values` is the `to_json`.

        Raises:
            ValueError: If a newer version wrote `values`, or if they describe no run.
        """
        config_file.check_format(values)
        older = values.get('format', 1) < 3  # Their last epoch was what counted.
        values = {k: v for k, v in values.items() if k not in ('format', 'tfp_glow_version')}
        config = registry.spec(values['model']).config(**values.pop('config'))
        training = Training(**values.pop('training'))
        settings = Settings(**{'towers': '1', **values.pop(  # Older runs had one tower.
            'settings', {'select': 'last'} if older else {})})
        changes = tuple(values.pop('changes', ()))
        return cls(config=config, training=training, settings=settings, changes=changes, **values)

    def portable(self) -> 'Run':
        """Returns the run without the folders of this machine, which are no part of it."""
        changes = tuple({name: value for name, value in change.items() if name != 'data_dir'}
                        for change in self.changes)
        return dataclasses.replace(self, data_dir=None, folder=None, changes=changes)

    @property
    def spec(self) -> ModelSpec:
        """What the zoo knows of the model."""
        return registry.spec(self.model)

    @property
    def conditional(self) -> bool:
        """Whether the model is one of images given their labels."""
        return assembly.is_conditional(self.config)

    def load_data(self, data_dir: str | None = None) -> Any:
        """Returns the run's `ImageData` or `VectorData`.

        Args:
            data_dir: The folder where TFDS keeps the data set; the default is the run's own.

        Raises:
            UsageError: If there is no such data set, or if it does not suit the model or the run.
        """
        name = self._place()
        if zoo_data.is_vectors(name):
            self._check_vectors()
            return zoo_data.load_vectors(name, header=self.training.header)
        training = self.training
        if training.header != 'auto':
            raise errors.UsageError('--header must be left out for images; got '
                                    f'{training.header}.')
        data = zoo_data.load(
            name, data_dir or self.data_dir, pad=self.pad, flips=self.flips,
            divisor=self.spec.divisor(self.config), binarize=training.binarize,
            shifts=training.shifts, upside_down=training.upside_down, bits=training.bits,
            pictures=self._pictures())
        return dataclasses.replace(data, name=self.dataset)

    def _pictures(self) -> PictureOptions:
        """Returns how pictures of any sizes become images."""
        values = {name: getattr(self.training, name) for name in recipe.PICTURE_FIELDS}
        return PictureOptions(**{**values, 'size': values['size'] or None,
                                 'shrink': recipe.shrink_factors(values['shrink'])})

    def _place(self) -> str:
        """Returns the data set; a path is relative to where the run was started."""
        path = os.path.abspath(os.path.join(
            self.folder or '', os.path.expanduser(self.dataset)))
        is_path = self.dataset.endswith(tables.SUFFIXES) or os.sep in self.dataset or (
            os.path.isdir(path))
        if not is_path or not os.path.exists(path) or path == os.path.abspath(self.dataset):
            return self.dataset
        return path

    def _check_vectors(self) -> None:
        if not self.spec.vectors:
            raise errors.UsageError(f'--dataset must be one of images for --model={self.model}; '
                                    f'got {self.dataset!r}.')
        plain = Training()
        given = {'pad': self.pad, 'flips': self.flips is not None,
                 **{name: getattr(self.training, name) for name in recipe.DATA_FIELDS
                    if getattr(self.training, name) != getattr(plain, name)}}
        for name, value in given.items():
            if value:
                raise errors.UsageError(f'--{name} must be left out for vectors; got {value!r}.')

    def assemble(self, events: Events, for_training: bool = True) -> assembly.Model:
        """Returns the model of data like `events`, not compiled; see `assembly.assemble`."""
        return assembly.assemble(self.spec, self.config, self.training, events, for_training)

    def build(self, data: Any, for_training: bool = True) -> assembly.Model:
        """Returns the compiled model of `data`, with fresh weights; see `assembly.assemble`."""
        model = self.assemble(self.events(data), for_training)
        steps_per_epoch = data.steps_per_epoch(self.training.batch_size)
        model.compile(optimizer.make(self.training, steps_per_epoch),
                      jit_compile=self.training.jit_compile)
        if model.objective.has_statistics:
            count = min(model.reference_examples, data.sizes['train'])
            model.set_reference(*Trained(self, data, model).examples('train', count))
        return model

    def events(self, data: Any) -> Events:
        """Returns what the model is told of `data`."""
        return Events(tuple(data.event_shape), tuple(data.original_shape), data.bins, data.dims,
                      data.num_classes if self.conditional else None, data.sizes['train'])


@dataclasses.dataclass(frozen=True)
class Trained:
    """A run with its data and its model, which has trained weights.

    Attributes:
        run: The run.
        data: The `ImageData` or `VectorData` of the run.
        model: The `FlowModel` or `VAEModel` of the run.
        epoch: The number of epochs that made its weights; None if it is not known.
    """

    run: Run
    data: Any
    model: Any
    epoch: int | None = None

    @property
    def kind(self) -> Kind:
        """The kind of the model."""
        return self.run.spec.kind_of(tuple(self.data.event_shape))

    @property
    def classes(self) -> int | None:
        """The number of classes that the model is conditioned on; None without a condition."""
        return self.data.num_classes if self.run.conditional else None

    def examples(self, split: str, count: int) -> tuple[Any, Any]:
        """Returns the first `count` examples of a split and their labels.

        The labels are None if the model does not take them.
        """
        batches = self.data.evaluation(split, count, limit=count, labels=self.run.conditional)
        batch = next(batches.as_numpy_iterator())
        return batch if self.run.conditional else (batch, None)

    def averaged_weights(self) -> contextlib.AbstractContextManager:
        """Returns a context within which the model has its averaged weights."""
        return self.model.averaged_weights()
