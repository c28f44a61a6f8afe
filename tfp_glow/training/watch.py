"""A Keras callback that says which steps of `fit` were not applied, and stops after too many."""

import warnings
from collections.abc import Callable
from typing import Any

import keras


class Watch(keras.callbacks.Callback):
    """Warns after an epoch with steps that were not applied; raises after many in a row.

    Args:
        patience: The number of such steps in a row after which it raises.
        reason: A function that returns what is not finite, as a clause.

    Raises:
        FloatingPointError: After `patience` steps in a row, with the reason.
        ValueError: After an epoch without any step.
    """

    def __init__(self, patience: int, reason: Callable[[], str]) -> None:
        super().__init__()
        self._patience, self._reason = patience, reason
        self._unapplied_before, self._batches = 0, 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.model.unapplied_in_row.assign(0)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._unapplied_before, self._batches = self._unapplied(), 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._batches = batch + 1
        check(self.model, self._patience, self._reason)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not self._batches:
            raise ValueError('x must hold at least one example; got none.')
        unapplied = self._unapplied() - self._unapplied_before
        if unapplied:
            warnings.warn(
                f'{unapplied} of {self._batches} steps of epoch {epoch + 1} had a loss or '
                'gradients that are not finite, and were not applied. A likely cause is NaN or '
                'infinity in the data, or a learning rate that is too high.', stacklevel=2)

    def _unapplied(self) -> int:
        return int(self.model.unapplied_steps.numpy())


def check(model: Any, patience: int, reason: Callable[[], str]) -> None:
    """Raises FloatingPointError, with the reason, if too many steps in a row were not applied."""
    in_row = int(model.unapplied_in_row.numpy())
    if in_row >= patience:
        steps = 'step' if in_row == 1 else 'steps'
        raise FloatingPointError(f'{in_row} {steps} in a row had a loss or gradients that are not '
                                 f'finite, and were not applied: {reason()}.')
