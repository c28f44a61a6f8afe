"""Hyper-parameters: frozen dataclasses whose fields become flags, and named sets of values."""

import dataclasses

from absl import flags

from zoo.cli import errors


def field(default, help):  # pylint: disable=redefined-builtin
    """A dataclass field with a default and the help text of its flag."""
    return dataclasses.field(default=default, metadata={'help': help})


@dataclasses.dataclass(frozen=True)
class Training:
    """Hyper-parameters of the training; the same for every model."""

    optimizer: str = field('adam', 'adam, adamax or rmsprop.')
    learning_rate: float = field(1e-3, 'Peak learning rate.')
    schedule: str = field('cosine', 'cosine (to zero over the run) or constant, after the warm-up.')
    decay: float = field(1., 'Factor on the learning rate after each epoch, besides the schedule.')
    warmup_epochs: float = field(.25, 'Epochs over which the learning rate rises from zero.')
    batch_size: int = field(64, 'Images per step.')
    epochs: int = field(10, 'Passes over the training split.')
    clip_norm: float = field(0., 'Clip the gradient to this global norm; 0 for no clipping.')
    ema: float = field(.999, 'Decay of the averaged weights that are evaluated; 0 for none.')
    weight_prior: float = field(
        0., 'Deviation of a Gaussian prior on all weights (MAP); 0 for maximum likelihood.')
    bits: int = field(8, 'Keep this many bits of each channel (256-level data only).')
    binarize: str = field(
        '', 'Draw black and white pixels, likely as their levels say: dynamic, anew in each epoch; '
        'static, once; none for the levels themselves.')
    shifts: float = field(
        0., 'Move training images by up to this share of their sides, edges repeated.')
    upside_down: bool = field(False, 'Turn half of the training images upside down, mirrored.')
    jit_compile: bool = field(False, 'Compile with XLA: for GPUs; loops crawl on CPUs.')
    seed: int = field(0, 'Initial weights, order of the data, dequantization noise.')

    def check(self):
        """Raises a `UsageError` that names the flag when a value is out of its range."""
        for name in ('batch_size', 'epochs'):
            if getattr(self, name) < 1:
                raise errors.UsageError(f'--{name} must be at least 1; got {getattr(self, name)}.')
        if self.learning_rate <= 0:
            raise errors.UsageError(f'--learning_rate must be positive; got {self.learning_rate}.')
        for name in ('warmup_epochs', 'clip_norm', 'weight_prior'):
            if getattr(self, name) < 0:
                raise errors.UsageError(f'--{name} must be at least 0; got {getattr(self, name)}.')
        if not 0 < self.decay <= 1:
            raise errors.UsageError(f'--decay must be in (0, 1]; got {self.decay}.')
        for name in ('ema', 'shifts'):
            if not 0 <= getattr(self, name) < 1:
                raise errors.UsageError(f'--{name} must be in [0, 1); got {getattr(self, name)}.')
        if not 1 <= self.bits <= 8:
            raise errors.UsageError(f'--bits must be in 1 .. 8; got {self.bits}.')
        for name, choices in (('optimizer', ('adam', 'adamax', 'rmsprop')),
                              ('schedule', ('cosine', 'constant'))):
            if getattr(self, name) not in choices:
                raise errors.UsageError(f'--{name} must be one of {", ".join(choices)}; '
                                        f'got {getattr(self, name)!r}.')


def define_flags(*configs):
    """One flag per field of the dataclasses; unset flags leave the recipe's value."""
    defined = set()
    for config in configs:
        for f in dataclasses.fields(config):
            if f.name in defined:
                continue
            defined.add(f.name)
            define = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer,
                      float: flags.DEFINE_float, str: flags.DEFINE_string}[f.type]
            define(f.name, None, f'{f.metadata["help"]} Default: the recipe\'s.')


def overridden(config):
    """`config` with the values of the flags that were given."""
    given = {f.name: flags.FLAGS[f.name].value for f in dataclasses.fields(config)
             if flags.FLAGS[f.name].value is not None}
    return dataclasses.replace(config, **given)
