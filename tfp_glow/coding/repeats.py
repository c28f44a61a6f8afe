"""Finds tiles that are made of quarters of other tiles.

Images that overlap have such tiles, and so have plain images.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from tfp_glow.coding import container
from tfp_glow.coding.tiling import Grid

MOST = 1 << 14  # Repeats are looked for in an array of at most so many tiles.
_Name = tuple[tuple[int, ...], bytes]  # The shape of a quarter, and the hash of its pixels.
_STEP = 64  # So many tiles are in memory at once.


def find(grid: Grid, array: np.ndarray) -> tuple[Sequence[int], np.ndarray]:
    """Returns which tiles to code, and how the others are made of these.

    The function first takes the tiles with four quarters that no tile taken before has, then those
    with three such quarters, and so on. In an array of more than `MOST` tiles, it codes all tiles.

    Args:
        grid: A `tiling.Grid`.
        array: The grid's array of images. It is read once before anything is coded, and what
            repeats is read once more.

    Returns:
        The ascending numbers of the tiles to code, and the copies of a `container.Item` for all
        other tiles.
    """
    nothing: tuple[Sequence[int], np.ndarray] = range(len(grid)), container.NO_COPIES
    if not 1 < len(grid) <= MOST:
        return nothing
    names: list[tuple[_Name, ...]] = []  # Quarters of tiles are equal where their names are.
    for start in range(0, len(grid), _STEP):
        tiles = grid.cut(array, range(start, min(start + _STEP, len(grid))))
        names += [tuple(map(_name, quarters(tile))) for tile in tiles]
    seen: set[_Name] = set()
    taken: set[int] = set()
    for least in (4, 3, 2, 1):
        for number, name in enumerate(names):
            if len({*name} - seen) >= least:
                seen.update(name)
                taken.add(number)
    coded = sorted(taken)
    places: dict[_Name, int] = {}
    wholes: dict[tuple[_Name, ...], range] = {}
    for place, number in enumerate(coded):
        sources = range(4 * place, 4 * place + 4)
        wholes[names[number]] = sources
        places.update(zip(names[number], sources))
    rest = sorted({*range(len(grid))} - taken)
    copies = [[number, *wholes.get(names[number], map(places.get, names[number]))]
              for number in rest]
    # Checksums are of coded tiles alone, so each of the others is compared here.
    if copies and all(np.array_equal(_assembled(grid, array, coded, sources),
                                     grid.cut(array, [number])[0]) for number, *sources in copies):
        return coded, np.array(copies, np.uint32)
    return nothing


def quarters(tile: np.ndarray) -> list[np.ndarray]:
    """Returns the four quarters of a tile, as views: `[h / 2, w / 2, c]` where sides are even."""
    height, width = (side // 2 for side in tile.shape[:2])
    return [tile[rows, columns] for rows in (slice(height), slice(height, None))
            for columns in (slice(width), slice(width, None))]


def check(copies: np.ndarray, tile: tuple[int, ...], tiles: int, coded: int) -> None:
    """Checks that all copies can be made.

    Args:
        copies: The copies of a `container.Item`.
        tile: The shape of a tile, `(h, w, c)`.
        tiles: The number of tiles that the array has.
        coded: How many of these tiles are coded.

    Raises:
        DecodingError: If a copy cannot be made.
    """
    if len(copies) and (copies[-1, 0] >= tiles or copies[:, 1:].max() >= 4 * coded):
        raise container.DecodingError('an array has copies of tiles that it has not.')
    odd = [quarter for quarter, side in ((2, tile[0]), (1, tile[1])) if side % 2]
    if any(((copies[:, 1:] ^ np.arange(4, dtype=np.uint32)) & quarter).any() for quarter in odd):
        raise container.DecodingError('an array has copies of quarters of another shape.')


def paste(grid: Grid, array: np.ndarray, coded: Sequence[int] | np.ndarray,
          copies: np.ndarray) -> None:
    """Writes the copies into an array that has the coded tiles of these numbers already."""
    for number, *sources in copies.tolist():
        grid.paste(array, [number], [_assembled(grid, array, coded, sources)])


def _assembled(grid: Grid, array: np.ndarray, coded: Sequence[int] | np.ndarray,
               sources: Sequence[int]) -> np.ndarray:
    """Returns the tile that is made of these quarters of coded tiles."""
    tile, places = np.empty(grid.tile, np.uint8), [source // 4 for source in sources]
    wholes = {place: quarters(grid.cut(array, [coded[place]])[0]) for place in {*places}}
    for target, place, source in zip(quarters(tile), places, sources):
        target[...] = wholes[place][source % 4]
    return tile


def _name(quarter: np.ndarray) -> _Name:
    return quarter.shape, hashlib.blake2b(quarter.tobytes(), digest_size=16).digest()
