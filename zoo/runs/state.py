"""`State`: how far a training is, apart from the values of its variables."""

import dataclasses
import math
import zlib
from typing import Any


@dataclasses.dataclass
class Best:
    """The best epoch so far.

    Attributes:
        epoch: The number of epochs that were done.
        step: The number of batches that were trained on.
        name: The name of the figure that chose it: 'val_bits_per_dim'.
        value: Its value; less is better.
    """

    epoch: int
    step: int
    name: str
    value: float


@dataclasses.dataclass
class State:
    """How far a training is. Every checkpoint holds one, so that the tables are rebuilt from it.

    Attributes:
        epoch: The number of epochs that are done, with their validation.
        batch: The number of batches of the epoch after these that were trained on.
        step: The number of all batches that were trained on.
        seconds: The time that the training took so far, with that of earlier processes.
        halvings: How often the step size was halved, since the loss was not finite.
        returned_at: The steps at which that happened.
        best: The best epoch so far; None before the first.
        rows: The figures of each epoch, by name; None stands for one that is not finite.
        data: What tells other data apart, see `data_of`; empty if it is not known.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.
    halvings: int = 0
    returned_at: list[int] = dataclasses.field(default_factory=list)
    best: Best | None = None
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    data: dict[str, int] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns the state as nested dictionaries."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> 'State':
        """Returns the state of which `values` is the `to_json`.

        Raises:
            ValueError: If `values` are those of no state.
        """
        try:
            best = values['best']
            return cls(**{**values, 'best': None if best is None else Best(**best)})
        except (TypeError, KeyError) as error:
            raise ValueError(f'its state cannot be read ({error})') from None

    def end_epoch(self, row: dict[str, Any]) -> None:
        """Counts an epoch as done.

        Args:
            row: Its figures by name. The first whose name begins with 'val_', apart from the loss,
                says how good it is.
        """
        self.epoch, self.batch = self.epoch + 1, 0
        self.rows.append({name: value if _is_finite(value) else None
                          for name, value in row.items()})
        name = next((n for n in row if n.startswith('val_') and n != 'val_loss'), None)
        value = None if name is None else self.rows[-1][name]
        if name is not None and value is not None and (
                self.best is None or value < self.best.value):
            self.best = Best(self.epoch, self.step, name, float(value))

    @property
    def epochs_without_improvement(self) -> int:
        """The number of epochs since the best."""
        return self.epoch - (self.best.epoch if self.best else 0)


def data_of(data: Any) -> dict[str, int]:
    """Returns the sizes of the splits of a data set, and a sum of its first training examples."""
    count = min(256, data.sizes['train'])
    return {**data.sizes, 'checksum': zlib.crc32(data.take('train', count).tobytes())}


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
