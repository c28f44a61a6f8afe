"""TensorBoard's files of a run: a chart for each figure, without doubles after it was resumed."""

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf

from zoo.cli import errors, files

SPLITS = ('train', 'validation')
_VALIDATION = 'val_'


class EventFiles:
    """Writes what TensorBoard shows of a run.

    A figure of the training and that of the validation have the same name in two folders, so that
    TensorBoard draws them in one chart.

    Args:
        folder: The folder of the files.
        epoch: The number of epochs that are done. What earlier processes wrote of later ones is
            removed.

    Raises:
        Failure: If the folder is a file.
    """

    def __init__(self, folder: pathlib.Path, epoch: int) -> None:
        if folder.exists() and not folder.is_dir():
            raise errors.Failure(f'{str(folder)!r} must be a folder; it is a file.')
        for own in (folder, *(folder / split for split in SPLITS)):  # The first one is of 0.1.
            if own.is_dir():
                files.remove_unfinished(own)
            for path in sorted(own.glob('*.tfevents.*')):
                if path.is_file():
                    _cut(path, epoch)
        self._writers = {split: tf.summary.create_file_writer(str(folder / split))
                         for split in SPLITS}

    def write(self, row: Mapping[str, Any], samples: Any = None,
              latents: Mapping[str, Any] | None = None) -> None:
        """Writes the figures of an epoch.

        Args:
            row: The figures by name; those of the validation begin with 'val_'.
            samples: Images [N, H, W, C] in [0, 1]; None for none.
            latents: Latents of validation examples by level.
        """
        for name, value in row.items():
            if value is None:
                continue
            split = SPLITS[name.startswith(_VALIDATION)]
            with self._writers[split].as_default(step=row['epoch']):
                tf.summary.scalar(name.removeprefix(_VALIDATION), value)
        with self._writers['validation'].as_default(step=row['epoch']):
            if samples is not None:
                tf.summary.image('samples', samples, max_outputs=16)
            for level, values in (latents or {}).items():
                tf.summary.histogram(f'latents/{level}', values)
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """Closes the files."""
        for writer in self._writers.values():
            writer.close()


def _cut(path: pathlib.Path, epoch: int) -> None:
    """Removes from a file what is of later epochs, and what cannot be read."""
    kept = list(_records(path, epoch))
    if not any(tf.compat.v1.Event.FromString(record).HasField('summary') for record in kept):
        path.unlink()
        return
    unfinished = files.unfinished_path(path)
    with tf.io.TFRecordWriter(str(unfinished)) as writer:
        for record in kept:
            writer.write(record)
    unfinished.replace(path)


def _records(path: pathlib.Path, epoch: int) -> Iterator[bytes]:
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            if tf.compat.v1.Event.FromString(record).step <= epoch:
                yield record
    except Exception:  # The process was killed while it wrote; TensorFlow raises many kinds.
        return
