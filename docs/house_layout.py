"""Where the rooms of `draw_house` stand, and the ways of its arrows (Sugiyama's method)."""

import collections
import itertools

import numpy as np
from matplotlib import path as mpl_path

Place = collections.namedtuple('Place', 'x y width')
# points: from the start's middle to the end's, one on each floor; implied: other arrows lead there.
Way = collections.namedtuple('Way', 'start end points implied')
_GAP, _CORRIDOR, _SWEEPS = .3, .16, 40


def reachable(arrows: dict, start: str) -> set[str]:
    """All rooms that arrows lead to from `start`."""
    seen, waiting = set(), [start]
    while waiting:
        for room in arrows[waiting.pop()]:
            if room not in seen:
                seen.add(room)
                waiting.append(room)
    return seen


def floors(rooms: dict, arrows: dict) -> tuple[dict[str, int], set[tuple[str, str]]]:
    """`({room: its floor, from 0}, the arrows (room, room) that are part of a circle)`."""
    reach = {room: reachable(arrows, room) for room in rooms}
    circles = {(a, b) for a in rooms for b in arrows[a] if a in reach[b]}
    # A room stands above all that it reaches and that do not reach it.
    below = {a: {b for b in reach[a] if a not in reach[b]} for a in rooms}
    height = {}
    for room in sorted(rooms, key=lambda a: len(below[a])):
        height[room] = max((height[b] + 1 for b in below[room]), default=0)
    for room in rooms:  # A circle shares the floor of its highest room.
        height[room] = max([height[room], *(height[b] for b in reach[room] if room in reach[b])])
    return height, circles


def arrange(height: dict[str, int], arrows: dict, widths: dict[str, float]) -> tuple[dict, list]:
    """`({room: Place}, [Way])`: rows whose order and positions keep arrows short and apart."""
    rows = [[] for _ in range(max(height.values()) + 1)]
    for room, floor in sorted(height.items()):
        rows[floor].append(room)
    routes, widths, links = [], dict(widths), []
    for start in sorted(height):
        for end in sorted(arrows[start]):
            route = [start]
            for floor in range(height[start] - 1, height[end], -1):
                route.append((start, end, floor))  # A corridor through that floor.
                rows[floor].append(route[-1])
                widths[route[-1]] = _CORRIDOR
            route.append(end)
            routes.append(route)
            links += itertools.pairwise(route)
    beside = collections.defaultdict(list)
    for a, b in links:
        beside[a].append(b)
        beside[b].append(a)
    x = {}
    for row in rows:
        _pack(row, dict.fromkeys(row, 0.), widths, x)
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 else rows[::-1]:
            wanted = {item: float(np.mean([x[other] for other in beside[item]] or [x[item]]))
                      for item in row}
            row.sort(key=lambda item: wanted[item])
            _pack(row, wanted, widths, x)
    level = {item: floor for floor, row in enumerate(rows) for item in row}
    places = {room: Place(x[room], height[room], widths[room]) for room in height}
    return places, [Way(route[0], route[-1], [(x[i], level[i]) for i in route], any(
        route[-1] in reachable(arrows, other) for other in arrows[route[0]] - {route[-1]}))
        for route in routes]


def _pack(row: list, wanted: dict, widths: dict, x: dict) -> None:
    """Sets x of a row's items, in this order, as near to `wanted` as their widths let them."""
    blocks = []  # [items, sum of wanted starts, start]: items that touch each other.
    for item in row:
        block = [[item], wanted[item] - widths[item] / 2, 0., widths[item] + _GAP]
        block[2] = block[1]
        blocks.append(block)
        while len(blocks) > 1 and blocks[-2][2] + blocks[-2][3] > blocks[-1][2]:
            items, total, _, width = blocks.pop()
            before = blocks[-1]
            before[1] += total - len(items) * before[3]
            before[0], before[3] = before[0] + items, before[3] + width
            before[2] = before[1] / len(before[0])
    for items, _, start, _ in blocks:
        for item in items:
            x[item] = start + widths[item] / 2
            start += widths[item] + _GAP


def curve(points: list, half: float) -> mpl_path.Path:
    """A smooth path through the points, from the start's floor to the end's ceiling."""
    (x0, y0), *middle, (x1, y1) = points
    if y0 == y1:  # Rooms of a circle, on one floor.
        bend = (.5 * (x0 + x1), y0 + half + .35)
        return mpl_path.Path([(x0, y0 + half), bend, (x1, y1 + half)], [1, 3, 3])
    stops = [(x0, y0 - half), *middle, (x1, y1 + half)]
    vertices, codes = [stops[0]], [mpl_path.Path.MOVETO]
    for (a, b), (c, d) in itertools.pairwise(stops):
        vertices += [(a, b - .45 * (b - d)), (c, d + .45 * (b - d)), (c, d)]
        codes += [mpl_path.Path.CURVE4] * 3
    return mpl_path.Path(vertices, codes)
