"""Defines what `diagnose` returns: the figures, and how they are printed."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Layer:
    """Holds figures of one layer on the batch that reaches it.

    ```none
    x                      inverse(y), nearer to the latents than y
    round_trip_error       max |forward(inverse(y)) - y| / max(1, max |y|)
    least_, greatest_scale extremes of |dx/dy| of the entries that move, or of singular values
    condition_number       their ratio, of matrices
    log_det                log|det dx/dy|, the mean over the batch, in nats
    log_det_share          |log_det| / the sum of |log_det| over layers
    ```

    The scales are None for a layer that has none by entry, such as a permutation of pixels. The
    condition number is None for a layer that mixes no channels or dimensions by a matrix.
    """

    path: str
    kind: str
    round_trip_error: float
    least_scale: float | None
    greatest_scale: float | None
    condition_number: float | None
    log_det: float
    log_det_share: float = math.nan


@dataclasses.dataclass(frozen=True)
class Level:
    """Holds the mean and the standard deviation of one part of the latents.

    Both are taken over batch and entries.
    """

    path: str
    mean: float
    std: float


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """Holds the figures of a flow on a batch: see `diagnose`. `print` shows them as a table.

    `layers` go from the data to the latents. `round_trip_error` and `log_det` are those of the
    whole flow, defined as those of a `Layer`. `warnings` are sentences; a healthy flow has none.
    """

    layers: tuple[Layer, ...]
    levels: tuple[Level, ...]
    round_trip_error: float
    log_det: float
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns everything as lists, dictionaries and values of JSON.

        JSON has no numbers nan and inf; they become strings.
        """
        return _plain(dataclasses.asdict(self))

    def __str__(self) -> str:
        layers = [['layer', 'kind', 'round trip', 'least scale', 'greatest', 'condition',
                   'log-det', 'share']]
        layers += [[layer.path, layer.kind, f'{layer.round_trip_error:.1e}',
                    *map(_three_digits, (layer.least_scale, layer.greatest_scale,
                                         layer.condition_number)),
                    f'{layer.log_det:z.2f}', f'{layer.log_det_share:.1%}'] for layer in self.layers]
        layers += [['whole flow', '', f'{self.round_trip_error:.1e}', '', '', '',
                    f'{self.log_det:z.2f}', '']]
        levels = [['latents', 'mean', 'std']]
        levels += [[level.path, f'{level.mean:z.3f}', f'{level.std:.3f}'] for level in self.levels]
        warnings = [f'warning: {warning}' for warning in self.warnings] or ['no warnings']
        return '\n'.join([*_aligned(layers, 2), '', *_aligned(levels, 1), '', *warnings])


def _three_digits(value: float | None) -> str:
    return '-' if value is None else f'{value:.3g}'


def _aligned(rows: Sequence[Sequence[str]], words: int) -> Iterator[str]:
    """Yields lines of columns: the first `words` columns flush left, the others, numbers, right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        cells = [cell.ljust(width) if index < words else cell.rjust(width)
                 for index, (cell, width) in enumerate(zip(row, widths))]
        yield '  '.join(cells).rstrip()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
