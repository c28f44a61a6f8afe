"""Makes a run of five steps on the digits, for tests of programs that read runs or presets."""

import contextlib
import importlib
import io
import runpy
import subprocess
import sys
from unittest import mock

from absl import flags
from absl.testing import flagsaver

from zoo.cli import parsing
from zoo.models import glow, recipe
from zoo.runs import snapshot
from zoo.runs.directory import Directory
from zoo.runs.run import Run
from zoo.runs.state import State


def train(folder):
    """Trains a tiny Glow in this process; returns its directory, in `folder` beside its data."""
    config = glow.Config(levels=2, steps_per_level=1, width=8, reversible=False)
    run = Run('glow', 'digits', 'digits', False, None, config,
              recipe.Training(learning_rate=.01, batch_size=256, epochs=1, ema=.5))
    data = run.load_data(folder / 'data')
    model = run.build(data)
    model.prepare(data.train(256, seed=0))
    for batch in data.train(256, seed=0):
        logs = model.train_on_batch(batch, return_dict=True)
    return keep(run, model, folder / 'run', logs['bits_per_dim'])


def keep(run, model, path, bits=0.):
    """Makes a run directory as zoo.train leaves it after an epoch; returns its path."""
    directory, state = Directory(path), State(step=5, seconds=2.)
    with directory.create(run):
        state.end_epoch({'epoch': 1, 'seconds': 2., 'loss': 1., 'bits_per_dim': bits,
                         'val_bits_per_dim': bits})
        directory.checkpoints().save(state, snapshot.take(model))
        directory.write_metrics(state)
    return directory.path


@contextlib.contextmanager
def imported(name):
    """Yields the program `zoo.<name>` as a module, and removes its flags afterwards."""
    with _only_program(name):
        yield importlib.import_module(f'zoo.{name}')


def _define_of(module):
    """Returns what defines the flags of zoo.train, which depend on the model; None otherwise."""
    return module.training_flags.define if hasattr(module, 'training_flags') else None


@contextlib.contextmanager
def program(name):
    """Yields `run(**flags)`, which runs a program of the zoo in this process."""
    with imported(name) as module:
        def run(**given):
            with flagsaver.flagsaver():
                arguments = [f'--{key}={value}' for key, value in given.items()]
                parsing.parse([name, *arguments],
                                    define=_define_of(module))
                module.main([])
        yield run


def finish(name, *given):
    """Runs `python -m zoo.<name>` with the flags `given` as `subprocess.run`, but in this process.

    Errors that are not mistakes of the user are raised as they are.
    """
    arguments = [f'zoo.{name}', *map(str, given)]
    with (_only_program(name), flagsaver.flagsaver(), mock.patch.object(sys, 'argv', arguments),
          contextlib.redirect_stdout(io.StringIO()) as output,
          contextlib.redirect_stderr(io.StringIO()) as complaints):
        try:
            runpy.run_module(f'zoo.{name}', run_name='__main__')
        except SystemExit as end:
            status = end.code or 0
    return subprocess.CompletedProcess(arguments, status, output.getvalue(), complaints.getvalue())


@contextlib.contextmanager
def _only_program(name):
    """Puts aside the flags of all programs, since some share names, and forgets the module."""
    aside = _flags()
    _remove(aside)
    try:
        yield
    finally:
        _remove(_flags())  # Other modules than the program's may define flags.
        sys.modules.pop(f'zoo.{name}', None)
        for module, flag in aside:
            flags.FLAGS[flag.name] = flag
            flags.FLAGS.register_flag_by_module(module, flag)


def _flags():
    """Returns `(module, flag)` of all flags that the zoo has defined."""
    return [(module, flag) for module, module_flags in flags.FLAGS.flags_by_module_dict().items()
            if module.startswith('zoo.') for flag in list(module_flags)]


def _remove(pairs):
    for name in {flag.name for _, flag in pairs}:
        delattr(flags.FLAGS, name)
