"""`ToolOptions`: the values of the flags that the tools of `zoo.latents` use."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ToolOptions:
    """The values of the flags that tools use; `zoo.latents` says what each is."""

    steps: int = 9
    spherical: bool = False
    level: int | None = None
    index: int = 0
    strength: float | None = None
    temperature: float = 1.
    temperatures: tuple[float, ...] = (0., .25, .5, .7, .85, 1.)
    num: int = 4
    positive: int | None = None
    negative: int | None = None
    class_images: int = 2000
    mask: str = 'bottom'
    ascent_steps: int = 300
    step_size: float = 1e-3
