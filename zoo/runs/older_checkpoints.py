"""Restores the checkpoints that versions before 0.2 wrote, by `tf.train.CheckpointManager`."""

import pathlib
import re
from collections.abc import Callable
from typing import Any

import tensorflow as tf

import tfp_glow
from zoo.models.assembly import Model
from zoo.runs import metrics_file
from zoo.runs.state import State


def restore(folder: pathlib.Path, model: Model, say: Callable[[str], None]) -> State | None:
    """Restores the newest checkpoint that can be read; returns its state, or None without one.

    Args:
        folder: The run directory.
        model: The compiled model, whose variables are set.
        say: A function that is told, in a line, of each checkpoint that cannot be read.
    """
    names = [re.fullmatch(r'ckpt-(\d+)\.index', path.name)
             for path in (folder / 'checkpoints').glob('ckpt-*.index')]
    model.optimizer.build(model.optimized_variables)
    epoch = tf.Variable(0, trainable=False, dtype=tf.int64)
    seconds = tf.Variable(0., trainable=False, dtype=tf.float64)
    checkpoint = tf.train.Checkpoint(
        **_parts(model), epoch=epoch, seconds=seconds,
        optimizer={str(i): v.value for i, v in enumerate(model.optimizer.variables)})
    for number in sorted((int(name[1]) for name in names if name), reverse=True):
        path = folder / 'checkpoints' / f'ckpt-{number}'
        try:
            checkpoint.restore(str(path)).assert_consumed()
        except Exception as error:  # TensorFlow raises many kinds, IndexError among them.
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            say(f'warning: the checkpoint {str(path)!r} cannot be read ({reason}); the one before '
                'it is taken.')
            continue
        return State(epoch=int(epoch), step=int(model.optimizer.iterations),
                     seconds=float(seconds), rows=_rows(folder / 'metrics.csv', int(epoch), say))
    return None


def _parts(model: Model) -> dict[str, Any]:
    """Returns `{name: module}` of all parts that a model trains."""
    if isinstance(model, tfp_glow.vaes.VAEModel):
        return {'vae': model.vae}
    parts = {'flow': model.flow, 'noise': model.noise, 'classifier': model.objective.classifier}
    return {name: part for name, part in parts.items() if part is not None}


def _rows(path: pathlib.Path, epochs: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Returns the rows of a metrics.csv up to an epoch; sets a damaged file aside."""
    try:
        found, lost = metrics_file.read(path)
        if lost:
            raise ValueError(f'{lost} of its lines cannot be read')
        return [{name: int(text) if name in ('epoch', 'step') else float(text)
                 for name, text in epoch.texts.items()} for epoch in found
                if epoch.number <= epochs]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        aside = path.with_name(f'{path.name}.damaged')
        path.replace(aside)
        say(f'warning: {str(path)!r} cannot be read ({error}); it is set aside as '
            f'{str(aside)!r}.')
        return []
