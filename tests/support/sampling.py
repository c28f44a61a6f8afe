"""Runs `zoo.sample` with a bundle that is loaded already."""

import contextlib
from unittest import mock

import tiny_run
from absl.testing import flagsaver

from zoo.bundles import reading
from zoo.cli import parsing


@contextlib.contextmanager
def program_of(folder, monkeypatch):
    """Yields `run(path, model, *flags)`: the program in `folder`, with `model` already loaded."""
    monkeypatch.chdir(folder)
    with tiny_run.imported('sample') as module:
        def run(path, model, *given):
            with (flagsaver.flagsaver(),
                  mock.patch.object(reading.Bundle, 'load', lambda self: model)):
                parsing.parse(['sample', f'--saved_model={path}', *given])
                module.main([])
        yield run
