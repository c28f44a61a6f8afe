"""Tiles that are made of quarters of others: as of images that overlap, or of plain ones."""

import hashlib

import numpy as np

from tfp_glow.coding import container

MOST = 1 << 14  # Tiles of an array in which repeats are looked for.
_STEP = 64  # Tiles in memory at once.


def find(grid, array):
    """Which tiles to code, and how the others are made of these.

    First those are taken that have four quarters which no other one taken has, then those that have
    three more, and so on. Nothing repeats in an array of more than `MOST` tiles.

    Args:
        grid: a `tiling.Grid`.
        array: its array of images, which is read once before anything is coded, and what repeats
            once more.

    Returns:
        ascending numbers of tiles, and the copies of a `container.Item` for all others.
    """
    nothing = range(len(grid)), container.NO_COPIES
    if not 1 < len(grid) <= MOST:
        return nothing
    names = []  # Of each tile's four quarters: equal where these are.
    for start in range(0, len(grid), _STEP):
        tiles = grid.cut(array, range(start, min(start + _STEP, len(grid))))
        names += [tuple(map(_name, quarters(tile))) for tile in tiles]
    seen, coded = set(), set()
    for least in (4, 3, 2, 1):
        for number, name in enumerate(names):
            if len({*name} - seen) >= least:
                seen.update(name)
                coded.add(number)
    coded = sorted(coded)
    places, wholes = {}, {}
    for place, number in enumerate(coded):
        sources = range(4 * place, 4 * place + 4)
        wholes[names[number]] = sources
        places.update(zip(names[number], sources))
    rest = sorted({*range(len(grid))} - {*coded})
    copies = [[number, *wholes.get(names[number], map(places.get, names[number]))]
              for number in rest]
    # Checksums are of coded tiles alone, so of the others nothing is taken on trust.
    if copies and all(np.array_equal(_assembled(grid, array, coded, sources),
                                     grid.cut(array, [number])[0]) for number, *sources in copies):
        return coded, np.array(copies, np.uint32)
    return nothing


def quarters(tile):
    """Its four quarters, as views: `[h / 2, w / 2, c]` where the sides are even."""
    height, width = (side // 2 for side in tile.shape[:2])
    return [tile[rows, columns] for rows in (slice(height), slice(height, None))
            for columns in (slice(width), slice(width, None))]


def check(copies, tile, tiles, coded):
    """Raises a `DecodingError` unless all copies can be made.

    Args:
        copies: of a `container.Item`.
        tile: `(h, w, c)`.
        tiles: that the array has.
        coded: how many of them are.
    """
    if len(copies) and (copies[-1, 0] >= tiles or copies[:, 1:].max() >= 4 * coded):
        raise container.DecodingError('an array has copies of tiles that it has not.')
    odd = [quarter for quarter, side in ((2, tile[0]), (1, tile[1])) if side % 2]
    if any(((copies[:, 1:] ^ np.arange(4, dtype=np.uint32)) & quarter).any() for quarter in odd):
        raise container.DecodingError('an array has copies of quarters of another shape.')


def paste(grid, array, coded, copies):
    """Writes the copies into an array that has the tiles of these numbers already."""
    for number, *sources in copies.tolist():
        grid.paste(array, [number], [_assembled(grid, array, coded, sources)])


def _assembled(grid, array, coded, sources):
    """The tile that is made of these quarters of coded ones."""
    tile, places = np.empty(grid.tile, np.uint8), [source // 4 for source in sources]
    wholes = {place: quarters(grid.cut(array, [coded[place]])[0]) for place in {*places}}
    for target, place, source in zip(quarters(tile), places, sources):
        target[...] = wholes[place][source % 4]
    return tile


def _name(quarter):
    return quarter.shape, hashlib.blake2b(np.ascontiguousarray(quarter), digest_size=16).digest()
