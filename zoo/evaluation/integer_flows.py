"""Figures of flows of integers. Their likelihood is exact: there is no noise to draw."""

from typing import Any

from zoo.evaluation.image_flows import ImageFlow


class IntegerFlow(ImageFlow):
    """A flow of integer images."""

    def figures(self, split: str, draws: int = 1, limit: int | None = None,
                importance_samples: int | None = None) -> dict[str, Any]:
        """Returns bits/dim with its standard error over images; its `draws` are 0: no noise."""
        del draws
        return dict(super().figures(split, 1, limit), draws=0)

    def refusals(self) -> dict[str, str]:
        """Returns the flags that only other models use."""
        return super().refusals() | {'draws': f'for --model={self.run.model}, whose likelihood '
                                              'is exact'}
