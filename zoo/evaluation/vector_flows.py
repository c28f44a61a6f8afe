"""Figures and pictures of flows of vectors."""

import os
from typing import Any

from zoo.evaluation import metrics
from zoo.evaluation.image_flows import FlowWatch, ImageFlow
from zoo.pictures import densities

_ROWS = 10000  # The largest number of rows in the plot of a density.


class VectorFlow(ImageFlow):
    """A flow of vectors: its log-likelihood is exact, in nats, in the units of the data."""

    def figures(self, split: str, draws: int = 1, limit: int | None = None,
                importance_samples: int | None = None) -> dict[str, Any]:
        """Returns the mean log-likelihood in nats with its standard error over rows."""
        mean, error, count = metrics.log_likelihood(self.model, self.data, split, limit=limit)
        return {'split': self.data.splits[split], 'dims': self.data.dims,
                'log_likelihood': float(mean), 'standard_error': float(error), 'rows': count}

    def format_figures(self, figures: dict[str, Any]) -> str:
        """Returns what `figures` returned in one line."""
        return (f'log-likelihood {figures["log_likelihood"]:.4f} +- '
                f'{figures["standard_error"]:.4f} nats (standard error over {figures["rows"]} '
                f'rows of {figures["split"]}; {figures["dims"]} columns)')

    def draw_samples(self, count: int, temperature: float, path: str | os.PathLike) -> None:
        """Draws the density beside the data; `count` and `temperature` are those of images."""
        del count, temperature
        data = self.data
        rows = data.take('test', min(_ROWS, data.sizes['test']))
        with self.trained.averaged_weights() as flow:
            samples = flow.sample(len(rows), seed=[0, 1]).numpy()
            densities.density(
                path, data.unscale(samples), data=data.unscale(rows), columns=data.columns,
                log_prob=lambda x: flow.log_prob(data.scale(x)) + data.log_scale_correction)

    def watch(self) -> FlowWatch:
        """Returns the round trip of validation rows."""
        return _VectorWatch(self.trained)

    def round_trips(self, split: str, count: int) -> dict[str, float | None]:
        """Returns the largest error on rows of the split."""
        rows, labels = self.trained.examples(split, count)
        return metrics.round_trip_errors(self.model, {'test rows': rows}, labels)

    def refusals(self) -> dict[str, str]:
        """Returns the flags that only models of images use."""
        return super().refusals() | dict.fromkeys(
            ['data_dir', 'draws', 'sample_images', 'sample_temperature', 'samples', 'temperature'],
            'for vectors')


class _VectorWatch(FlowWatch):
    """Looks at the round trip alone: vectors have no picture."""

    def samples(self) -> None:
        """Returns None: there is nothing to draw."""
