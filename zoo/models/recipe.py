"""Defines hyper-parameters, frozen dataclasses whose fields become flags, and sets of them."""

import dataclasses
import math
import typing
from collections.abc import Callable, Mapping
from typing import Any

from zoo.cli import errors, ranges

# The values of other fields that a field needs to have a use: `{'coupling': ('affine',)}`.
Values = tuple[Any, ...] | ranges.Range
UsedWith = Mapping[str, Values]


def field(default: Any, help_text: str, limits: ranges.Range | None = None,
          choices: tuple[str, ...] | None = None, check: Callable[[str], Any] | None = None,
          used_with: UsedWith | None = None, images_only: bool = False) -> Any:
    """Returns a dataclass field with all that its flag needs to know.

    Args:
        default: The value without a recipe. If it is None, the field takes None too.
        help_text: What `--help` says of the flag.
        limits: The numbers that it takes; the default is `ranges.COUNT` for an integer and
            `ranges.NOT_NEGATIVE` for a float.
        choices: The texts that it takes, if it does not take any text.
        check: A function that is called with a text; it raises a `ValueError`, 'must be ...', if
            the field does not take the text.
        used_with: The values of other fields without which this one has no use.
        images_only: Whether the field has no use for vectors.
    """
    return dataclasses.field(default=default, metadata={
        'help': help_text, 'limits': limits, 'choices': choices, 'check': check,
        'used_with': used_with or {}, 'images_only': images_only})


def types(config: Any) -> dict[str, type]:
    """Returns the type of each field of a dataclass of hyper-parameters, apart from None."""
    hints = typing.get_type_hints(config if isinstance(config, type) else type(config))
    return {f.name: next((kind for kind in typing.get_args(hints[f.name])
                          if kind is not type(None)), hints[f.name])
            for f in dataclasses.fields(config)}


def limits_of(field_: dataclasses.Field, kind: type) -> ranges.Range | None:
    """Returns the numbers that a field takes; None for a field of texts or truth values."""
    default = {int: ranges.COUNT, float: ranges.NOT_NEGATIVE}.get(kind)
    return field_.metadata.get('limits') or default


@dataclasses.dataclass(frozen=True)
class Hyperparameters:
    """The base of all hyper-parameters; it refuses a value that its field does not take.

    Raises:
        UsageError: If a value has another type than its field, or is not among those that the field
            takes. The message names the flag.
    """

    def __post_init__(self) -> None:
        """Checks all values."""
        kinds = types(self)
        for f in dataclasses.fields(self):
            rule = _broken_rule(f, kinds[f.name], getattr(self, f.name))
            if rule:
                raise errors.UsageError(f'--{f.name} {rule}; got {getattr(self, f.name)!r}.')

    def unused(self, name: str) -> str | None:
        """Returns why the field `name` has no use beside the values of the others, or None."""
        own = next(f for f in dataclasses.fields(self) if f.name == name)
        for other, values in own.metadata['used_with'].items():
            if getattr(self, other) not in values:
                return (f'must be left out with --{other}={getattr(self, other)}: it is used with '
                        f'{_condition(other, values)} only')
        return None


def conditions(field_: dataclasses.Field) -> str:
    """Returns with which other flags a field is used: '--coupling=affine', or ''."""
    return ' and '.join(_condition(*pair) for pair in field_.metadata['used_with'].items())


def _condition(name: str, values: Values) -> str:
    if isinstance(values, ranges.Range):
        return f'--{name} {values}'
    if values == (True,):
        return f'--{name}'
    if values == (False,):
        return f'--no{name}'
    return ' or '.join(f'--{name}={value}' if value else f"--{name}=''" for value in values)


def _broken_rule(f: dataclasses.Field, kind: type, value: Any) -> str | None:
    """Returns the rule that a value breaks, 'must be ...', or None."""
    if value is None and f.default is None:
        return None
    if kind is bool or isinstance(value, bool):
        return None if kind is bool and isinstance(value, bool) else f'must be {_name(kind)}'
    if kind is str:
        return _broken_rule_of_text(f, value)
    if not isinstance(value, int if kind is int else (int, float)):
        return f'must be {_name(kind)}'
    limits = limits_of(f, kind)
    return None if limits is None or value in limits else limits.rule(value)


def _broken_rule_of_text(f: dataclasses.Field, value: Any) -> str | None:
    if not isinstance(value, str):
        return 'must be a text'
    choices, check = f.metadata['choices'], f.metadata['check']
    if choices and value not in choices:
        return f'must be one of {", ".join(c or "nothing" for c in choices)}'
    try:
        if check:
            check(value)
    except ValueError as error:
        return str(error)
    return None


def _name(kind: type) -> str:
    return {bool: 'true or false', int: 'an integer', float: 'a number', str: 'a text'}[kind]


@dataclasses.dataclass(frozen=True)
class Training(Hyperparameters):
    """Hyper-parameters of the training; they are the same for every model."""

    optimizer: str = field('adam', 'Optimizer, by its name in Keras.',
                           choices=('adam', 'adamax', 'rmsprop'))
    learning_rate: float = field(1e-3, 'Learning rate after the warm-up, its greatest value.',
                                 ranges.POSITIVE)
    schedule: str = field(
        'cosine', 'Learning rate after the warm-up: falling to zero at the end of the run as half '
        'a cosine, or constant.', choices=('cosine', 'constant'))
    decay: float = field(
        1., 'Factor by which the learning rate is multiplied after each epoch, besides the '
        'schedule.', ranges.Range(0, 1, open_below=True))
    warmup_epochs: float = field(
        .25, 'Number of epochs over which the learning rate rises from zero.',
        ranges.EPOCHS)
    batch_size: int = field(64, 'Number of examples in each step.')
    epochs: int = field(10, 'Number of passes over the training split.',
                        ranges.Range(1, 1_000_000))
    clip_norm: float = field(
        0., 'Norm of all gradients together above which they are scaled down to it; 0 for no '
        'clipping.')
    ema: float = field(
        .999, 'Decay, in each step, of the moving averages of the weights, which are what is '
        'evaluated; 0 for the weights themselves.', ranges.PART)
    weight_prior: float = field(
        0., 'Standard deviation of a Gaussian prior of all weights, whose density joins the '
        'objective; 0 for maximum likelihood.')
    bits: int = field(
        8, 'Number of bits that are kept of each colour channel of data of 256 levels.',
        ranges.Range(1, 8))
    binarize: str = field(
        '', 'Draw black and white pixels, white as often as their grey levels say: anew in each '
        'epoch (dynamic) or once (static). By default the grey levels stay.',
        choices=('', 'dynamic', 'static'))
    shifts: float = field(
        0., 'Share of the sides by which training images are moved at most, at random; edges are '
        'repeated.', ranges.PART)
    upside_down: bool = field(False, 'Mirror half of the training images top to bottom.')
    size: int = field(
        0, 'Side of the square images that pictures of any sizes become: the shorter side of a '
        'picture is shrunk to it, and the rest is cropped. 0: the size of the pictures, if all '
        'have one.', ranges.Range(0, 8192))
    crop: str = field(
        'center', 'What remains of a picture that is no square: its centre or, in each epoch of '
        'training, another part.', choices=('center', 'random'), used_with={'tiles': (False,)})
    tiles: bool = field(
        False, 'Cut each picture of a folder into all squares of --size that it holds, in place '
        'of shrinking it.')
    shrink: str = field(
        '1', 'Factors, with commas between, by which pictures are shrunk before they are cut into '
        'tiles; each gives tiles of its own.', check=lambda text: shrink_factors(text),
        used_with={'tiles': (True,)})
    channels: str = field(
        'auto', 'Channels of the images of a folder: 1 for grey, 3 for RGB, auto for what most '
        'pictures have.', choices=('auto', '1', '3'))
    skip_unreadable: bool = field(
        False, 'Leave out the files of a folder that are no whole pictures, and list them. '
        'Otherwise they are an error.')
    skip_small: bool = field(
        False, 'Leave out the pictures of a folder that are smaller than an image, and list them. '
        'Otherwise they are an error.')
    header: str = field(
        'auto', 'Whether the first line of a CSV file holds names: yes, no, or auto, which tells '
        'unless it is a row of years or the like.', choices=('auto', 'yes', 'no'))
    early_stopping: int = field(
        0, 'Stop after so many epochs without a better figure on the validation split; 0 for '
        'never.', ranges.WHOLE)
    jit_compile: bool = field(
        False, 'Compile with XLA, which suits GPUs; on CPUs loops become slow.')
    seed: int = field(
        0, 'Seed of the initial weights, of the order of the data and of the dequantization noise.',
        ranges.WHOLE)


# The fields that may change within a run: they bear on the steps to come only.
CHANGEABLE = ('learning_rate', 'schedule', 'decay', 'warmup_epochs', 'epochs', 'clip_norm',
              'early_stopping')
# The fields that change the data; those of pictures say how they become images of one size.
PICTURE_FIELDS = ('size', 'crop', 'tiles', 'shrink', 'channels', 'skip_unreadable', 'skip_small')
DATA_FIELDS = ('bits', 'binarize', 'shifts', 'upside_down', *PICTURE_FIELDS)


def shrink_factors(text: str) -> tuple[int, ...]:
    """Returns the factors of `Training.shrink`.

    Raises:
        ValueError: If they are no integers from 1, with commas between, or one is there twice.
    """
    factors = tuple(int(part) if part.strip().isdecimal() else 0 for part in text.split(','))
    if not 1 <= min(factors) <= max(factors) <= 1024 or len(set(factors)) < len(factors):
        raise ValueError('must be different integers from 1 to 1024, with commas between')
    return factors


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A named set of hyper-parameters of a model.

    Attributes:
        config: The hyper-parameters of the model.
        training: The hyper-parameters of its training.
        steps: The number of steps that the training should take, or None. If it is given, `epochs`
            is fitted to the number of training examples, and `batch_size` is the largest one.
        name: The name of the recipe, once it was looked up.
        towers: Whether its training was seen to gain by a tower on each core of a processor.
    """

    config: Any
    training: Training
    steps: int | None = None
    name: str = ''
    towers: bool = False

    def fitted(self, examples: int, batch_size: int | None = None) -> 'Recipe':
        """Returns the recipe for so many training examples: itself if `steps` is None.

        There are at least one and at most 200 epochs.

        Args:
            examples: The number of training examples.
            batch_size: The number of examples in each step. The default is the recipe's or, if
                there are less than eight such batches, the largest power of two of which there are
                eight.
        """
        if self.steps is None:
            return self
        batch = batch_size or self.training.batch_size
        if batch_size is None and examples < 8 * batch:
            batch = 2**int(math.log2(max(1, examples / 8)))
        epochs = min(max(1, round(self.steps / max(1, examples // batch))), _MOST_EPOCHS)
        return dataclasses.replace(self, training=dataclasses.replace(
            self.training, batch_size=batch, epochs=epochs))


_MOST_EPOCHS = 200
