"""`PictureOptions`: how pictures of any sizes become images of one size."""

import dataclasses

from zoo.cli import errors


@dataclasses.dataclass(frozen=True)
class PictureOptions:
    """How pictures of any sizes become images of one size.

    Attributes:
        size: The side of an image; None if all pictures have one size, which stays.
        crop: What remains of a picture once its shorter side is shrunk to `size`: its 'center', or
            in each epoch of training another part, 'random'.
        tiles: Whether each picture is cut into all squares of `size` that it holds, in place of
            `crop`.
        shrink: The factors by which pictures are shrunk before they are cut into tiles.
        channels: '1' for grey, '3' for RGB, or 'auto' for what most pictures have.
        skip_unreadable: Whether files that cannot be read are left out, and not an error.
        skip_small: Whether pictures that are smaller than an image are left out, likewise.
    """

    size: int | None = None
    crop: str = 'center'
    tiles: bool = False
    shrink: tuple[int, ...] = (1,)
    channels: str = 'auto'
    skip_unreadable: bool = False
    skip_small: bool = False

    def __post_init__(self) -> None:
        """Checks all values.

        Raises:
            UsageError: If one is none of its option, or has no use beside the others.
        """
        is_count = type(self.size) is int and self.size >= 1
        factors = self.shrink if isinstance(self.shrink, tuple) else ()
        rules = {
            'size': ('a positive integer', self.size is None or is_count),
            'crop': ('center or random', self.crop in ('center', 'random')),
            'channels': ('auto, 1 or 3', self.channels in ('auto', '1', '3')),
            'shrink': ('different positive integers', factors and len(set(factors)) == len(factors)
                       and all(type(f) is int and f >= 1 for f in factors))}
        for name, (rule, holds) in rules.items():
            if not holds:
                raise errors.UsageError(f'--{name} must be {rule}; got {getattr(self, name)!r}.')
        if self.crop == 'random' and (self.tiles or self.size is None):
            raise errors.UsageError('--crop=random must come with --size and without --tiles; got '
                                    f'--size={self.size}, --tiles={self.tiles}.')
        if self.shrink != (1,) and not self.tiles:
            raise errors.UsageError(f'--shrink must come with --tiles; got {self.shrink}.')

    def refuse(self, rule: str, *allowed: str) -> None:
        """Checks that options without a use are left out.

        Args:
            rule: When they have none: 'for --dataset=digits'.
            *allowed: The options that have a use.

        Raises:
            UsageError: If one is given.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name not in allowed and value != field.default:
                text = ','.join(map(str, value)) if isinstance(value, tuple) else value
                raise errors.UsageError(f'--{field.name} must be left out {rule}; got {text}.')
