"""Measures how long recipes train until their test bits/dim are down to marks.

Each model is trained by zoo.train in a process of its own. When the validation figure of an epoch
is down to the next mark, the training is stopped by SIGTERM, the test split is evaluated by
zoo.evaluate, and the training goes on. The seconds are those that the run counts: of its steps, its
validation and its samples, and of tracing its graphs, once more after each stop. They do not count
the evaluation of the test split.
"""

import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from zoo.benchmarks import rows
from zoo.cli import errors, files, subruns
from zoo.data import dataset_names
from zoo.models import registry
from zoo.models.spec import Kind
from zoo.runs import config_file, metrics_file
from zoo.runs.metrics_file import Epoch

_COLUMNS = {
    'model': ('model', '{}'),
    'mark': ('mark', '{:.2f}'),
    'after': ('seconds', '{:,.0f} s'),
    'epoch': ('epoch', '{}'),
    'test bits/dim': ('test', '{:.4f}'),
    'standard error': ('standard_error', '{:.4f}'),
}
_SECONDS_BETWEEN_LOOKS = .5


def check(models: Sequence[str], dataset: str, data_dir: str | None) -> None:
    """Checks what is to be trained.

    Raises:
        UsageError: If a model is no flow, or if the data are no images or are not there.
    """
    flows = [name for name, spec in registry.MODELS.items() if spec.kind is not Kind.VAE]
    for model in models:
        if model not in flows:
            raise errors.UsageError(f'--models must be of {", ".join(flows)}; got {model!r}.')
    if dataset_names.is_vectors(dataset):
        raise errors.UsageError(f'--dataset must be one of images with --quality; got {dataset!r}.')
    dataset_names.check(dataset, data_dir)


def run(models: Sequence[str], marks: Sequence[float], dataset: str, out: pathlib.Path,
        flags: Sequence[str], progress: Callable[[str], object]) -> dict[str, Any]:
    """Trains models until they reach all marks, or until their recipes end.

    Args:
        models: Their names.
        marks: Bits/dim.
        dataset: The name of the data set.
        out: A folder for the runs and for rows.json; what is there goes on.
        flags: More flags of zoo.train.
        progress: A function that is told, in a line, what goes on.

    Returns:
        A dict with 'rows'. A row of a mark that is not reached has the best epoch's test figure and
        no seconds.

    Raises:
        Failure: If a program fails.
        UsageError: If a program reports a mistake, or if rows.json cannot be read.
    """
    kept = out / 'rows.json'
    result = _rows(kept) if kept.exists() else []
    for model in models:
        folder, ended = out / model, False
        words = [f'--model={model}', f'--dataset={dataset}', *flags]
        latest = next((row for row in reversed(result) if row['model'] == model), None)
        for mark in sorted(marks, reverse=True):
            if any((row['model'], row['mark']) == (model, mark) for row in result):
                continue
            while not ended and (latest is None or latest['test'] > mark):
                progress(f'{model}: training to {mark:g}')
                ended = _train(folder, words, mark, latest['epoch'] if latest else 0)
                best, test = _best(folder), _evaluate(folder)
                latest = {'epoch': best.number, 'seconds': best.value('seconds'),
                          'test': test['bits_per_dim'], 'standard_error': test['standard_error']}
            row = {**(latest or {}), 'model': model, 'mark': mark, 'failure': None}
            if row['test'] > mark:
                row |= {'seconds': None, 'failure': 'the recipe ended before'}
            result.append(row)
            files.write_json(kept, {'rows': result})
    return {'rows': result}


def text(report: dict[str, Any]) -> str:
    """Returns the report as text."""
    return rows.table(report['rows'], _COLUMNS)


def _rows(path: pathlib.Path) -> list[dict[str, Any]]:
    try:
        return [dict(row) for row in files.read_object(path)['rows']]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise errors.UsageError(f'--workdir must hold a rows.json of --quality; {str(path)!r} '
                                f'cannot be read ({error}).') from None


def _train(folder: pathlib.Path, words: Sequence[str], mark: float, seen: int) -> bool:
    """Trains until an epoch after `seen` is down to the mark; returns whether the run has ended."""
    if (folder / config_file.NAME).exists():
        if _is_down(folder, mark, seen):
            return False
        words = ['--resume']
    process = subprocess.Popen([sys.executable, '-m', 'zoo.train', *words, f'--workdir={folder}',
                                '--verbose=0'], stdout=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            if _is_down(folder, mark, seen):
                process.send_signal(signal.SIGTERM)
                process.wait()
    finally:
        process.kill()
        process.wait()
    if process.returncode not in (0, 128 + signal.SIGTERM):
        raise subruns.ended('zoo.train', process.returncode, folder)
    return process.returncode == 0


def _is_down(folder: pathlib.Path, mark: float, seen: int) -> bool:
    """Returns whether an epoch after `seen` is the best so far, and is down to the mark."""
    try:
        best = _best(folder)
    except (OSError, ValueError):  # No epoch has ended.
        return False
    return best.number > seen and (best.figure or 0.) <= mark


def _best(folder: pathlib.Path) -> Epoch:
    epochs, _ = metrics_file.read(folder / 'metrics.csv')
    return min((epoch for epoch in epochs if epoch.figure is not None),
               key=lambda epoch: epoch.figure or 0.)


def _evaluate(folder: pathlib.Path) -> dict[str, Any]:
    """Returns the test figures of the best epoch."""
    done = subprocess.run([sys.executable, '-m', 'zoo.evaluate', f'--workdir={folder}',
                           '--round_trip_images=1'], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise subruns.ended('zoo.evaluate', done.returncode, folder)
    return files.read_object(folder / 'evaluation.json')
