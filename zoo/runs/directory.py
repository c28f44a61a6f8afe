"""Defines `Directory`: a run on disk, with its config, its checkpoints and its metrics."""

import csv
import dataclasses
import json
import os
import pathlib
from typing import Any

import tensorflow as tf

import tfp_glow
from zoo.cli import errors, files
from zoo.runs.run import Run


class Directory:
    """The directory of a run.

    Args:
        path: The path of the directory, which need not exist.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = pathlib.Path(path)

    def read(self) -> Run:
        """Returns the `Run` that the directory holds.

        Raises:
            UsageError: If the directory holds no run, or one that cannot be read.
        """
        try:
            values = json.loads((self.path / 'config.json').read_text(encoding='utf-8'))
            if not isinstance(values, dict):
                raise ValueError(f'it must hold an object; it holds {type(values).__name__}')
            return Run.from_json(values)
        except (FileNotFoundError, NotADirectoryError):
            raise errors.UsageError(f'--workdir must be a run directory with a config.json; '
                                    f'got {str(self.path)!r}.') from None
        except (OSError, ValueError, TypeError, KeyError, AttributeError,
                RecursionError) as error:
            raise errors.UsageError(f'--workdir holds a config.json that cannot be read '
                                    f'({error}); got {str(self.path)!r}.') from None

    def create_or_resume(self, run: Run, resume: bool) -> None:
        """Creates the directory for `run`, or checks that it holds the same run to go on with.

        Args:
            run: The run to keep.
            resume: Whether the user asked to go on with an interrupted run.

        Raises:
            UsageError: If the directory holds something else, or if it holds a run and `resume` is
                False, or if it cannot be written.
        """
        if (self.path / 'config.json').exists():
            old = self.read()
            if old != run:
                raise errors.UsageError(
                    f'--workdir must be new or hold the same config; {str(self.path)!r} differs '
                    f'in {_differences(old.to_json(), run.to_json())}.')
            if not resume:
                raise errors.UsageError(f'--workdir must be new, or give --resume to go on with '
                                        f'it; {str(self.path)!r} holds a run.')
            run = dataclasses.replace(run, data_dir=run.data_dir or old.data_dir)
            if run.data_dir == old.data_dir:
                return
        elif self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise errors.UsageError(f'--workdir must be new or empty; got {str(self.path)!r}.')
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            files.write_json(self.path / 'config.json', run.to_json())
        except OSError as error:
            raise errors.UsageError(f'--workdir must be a folder that can be written '
                                    f'({error.strerror}); got {str(self.path)!r}.') from None

    def checkpoints(self, model: Any) -> tf.train.CheckpointManager:
        """Returns the manager of checkpoints: of weights, optimizer, averages, epoch and time."""
        model.optimizer.build(model.trainable_variables)
        epoch = tf.Variable(0, trainable=False, dtype=tf.int64, name='epoch')
        seconds = tf.Variable(0., trainable=False, dtype=tf.float64, name='seconds')
        checkpoint = tf.train.Checkpoint(
            **_parts(model), epoch=epoch, seconds=seconds,
            optimizer={str(i): v.value for i, v in enumerate(model.optimizer.variables)})
        return tf.train.CheckpointManager(checkpoint, str(self.path / 'checkpoints'),
                                          max_to_keep=2)

    def restore(self, manager: tf.train.CheckpointManager) -> int:
        """Restores the newest checkpoint, if there is one; returns the number of finished epochs.

        Raises:
            Failure: If the checkpoint cannot be read.
        """
        if manager.latest_checkpoint is None:
            return 0
        try:
            manager.checkpoint.restore(manager.latest_checkpoint).assert_consumed()
        except (AssertionError, tf.errors.OpError, ValueError) as error:
            raise errors.Failure(f'the checkpoint in {str(self.path)!r} cannot be read: '
                                 f'{str(error).splitlines()[0]}') from None
        return int(manager.checkpoint.epoch)

    def keep_metrics(self, epochs: int) -> None:
        """Removes from metrics.csv what an interrupted run wrote after its last checkpoint."""
        path = self.path / 'metrics.csv'
        if path.exists():
            with path.open(newline='') as file:
                header, *rows = list(csv.reader(file))
            rows = [row for row in rows if len(row) == len(header) and int(row[0]) <= epochs]
            files.write_whole(path, '\n'.join(','.join(row) for row in [header, *rows]) + '\n')

    def add_metrics(self, row: dict[str, Any]) -> None:
        """Appends the figures of one epoch to metrics.csv."""
        path = self.path / 'metrics.csv'
        new = not path.exists()
        with path.open('a', newline='') as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)


def _parts(model: Any) -> dict[str, Any]:
    """Returns `{name: module}` of all parts that a model trains."""
    if isinstance(model, tfp_glow.vaes.VAEModel):
        return {'vae': model.vae}
    parts = {'flow': model.flow, 'noise': model.noise, 'classifier': model.objective.classifier}
    return {name: part for name, part in parts.items() if part is not None}


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = '') -> str:
    """Returns in words in which values two runs differ."""
    differences = []
    for key in new:
        if isinstance(new[key], dict):
            differences.append(_differences(old.get(key, {}), new[key]))
        elif old.get(key) != new[key] and key not in ('format', 'tfp_glow_version', 'data_dir'):
            differences.append(f'{prefix}{key} ({old.get(key)} there, {new[key]} asked for)')
    return ', '.join(text for text in differences if text)
