"""Draws the house: the folders of tfp_glow and of zoo as rooms on floors, imports as arrows.

    python docs/draw_house.py [PNG]

Writes docs/house.png unless another path is given. Reads the imports of all files, wherever they
stand in a file. A room is a folder, or a file right below the package; the programs of zoo, which
are files with a `main`, are one room. A room stands one floor above the highest room that it
imports. Rooms that import each other in a circle share a floor, and their arrows are red, as are
those from tfp_glow to zoo and from any room to the programs. The front doors, the packages' own
`__init__.py`, are left out. A room of zoo that imports tfp_glow has a dot.
"""

import ast
import collections
import dataclasses
import pathlib
import sys
from collections.abc import Iterator

import house_layout
import matplotlib

matplotlib.use('agg')
from matplotlib import patches, pyplot

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ('zoo', 'tfp_glow')
PROGRAMS = 'programs'
INK, WALL, RED = '#33415c', '#e9eef6', '#c1121f'
HEIGHT = .42  # Of a room, whose floor is 1 high.
INCHES = .75  # Of one unit across.


def is_program(path: pathlib.Path) -> bool:
    """Whether a file right below a package is run rather than imported."""
    return path.parent.name in PACKAGES and any(
        isinstance(node, ast.FunctionDef) and node.name == 'main'
        for node in ast.parse(path.read_text()).body)


def room_of(package: str, name: str) -> str:
    """The room that `name`, a file or a folder right below the package, is in."""
    path = ROOT / package / f'{name}.py'
    return PROGRAMS if path.exists() and is_program(path) else name


def imported(path: pathlib.Path) -> Iterator[str]:
    """Yields the full names that a file imports; `from a import b` is a.b."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def read(package: str) -> tuple[dict, dict, dict]:
    """`(rooms, arrows, guests)` of a package.

    Returns:
        rooms: `{name: number of files}`.
        arrows: `{room: the rooms that it imports}`.
        guests: `{room: the other packages that it imports}`.
    """
    rooms, arrows = collections.Counter(), collections.defaultdict(set)
    guests = collections.defaultdict(set)
    for path in sorted((ROOT / package).rglob('*.py')):
        parts = path.relative_to(ROOT / package).with_suffix('').parts
        if parts == ('__init__',):
            continue
        room = room_of(package, parts[0])
        rooms[room] += 1
        for name in imported(path):
            top, *rest = name.split('.')
            if top in PACKAGES and top != package:
                guests[room].add(top)
            home = ROOT / package / rest[0] if top == package and rest else None
            if home and (home.is_dir() or home.with_suffix('.py').exists()):
                arrows[room].add(room_of(package, rest[0]))
    for room in rooms:
        arrows[room].discard(room)
    return rooms, arrows, guests


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is drawn of a package."""

    package: str
    rooms: dict
    guests: dict
    places: dict
    ways: list
    wrong: set
    height: float
    width: float
    middle: float

    @classmethod
    def of(cls, package: str) -> 'Plan':
        """The plan of a package as its files are now."""
        rooms, arrows, guests = read(package)
        floors, wrong = house_layout.floors(rooms, arrows)
        wrong |= {(room, PROGRAMS) for room in rooms if PROGRAMS in arrows[room]}
        wrong |= {(room, 'zoo') for room in rooms if 'zoo' in guests[room]}
        places, ways = house_layout.arrange(floors, arrows, {
            room: .35 + .11 * max(len(room), 7) for room in rooms})
        ends = [x for way in ways for x, _ in way.points]
        ends += [p.x + side * p.width / 2 for p in places.values() for side in (-1, 1)]
        return cls(package, rooms, guests, places, ways, wrong, max(floors.values()) + 1.6,
                   max(ends) - min(ends) + .6, (max(ends) + min(ends)) / 2)

    @property
    def title(self) -> str:
        """How many rooms, floors and arrows there are."""
        return (f'{self.package}: {len(self.rooms)} rooms on {round(self.height - .6)} floors, '
                f'{len(self.ways)} arrows, {len(self.wrong)} upwards')


def draw(axes: pyplot.Axes, plan: Plan, width: float) -> None:
    """Draws a plan on axes that are `width` wide."""
    for way in plan.ways:
        bad = (way.start, way.end) in plan.wrong
        axes.add_patch(patches.FancyArrowPatch(
            path=house_layout.curve(way.points, HEIGHT / 2), arrowstyle='-|>', mutation_scale=9,
            color=RED if bad else INK, alpha=.25 if way.implied and not bad else 1.,
            linewidth=2. if bad else .9, shrinkA=0, shrinkB=0, zorder=3 if bad else 1))
    for room, place in plan.places.items():
        count = plan.rooms[room]
        axes.add_patch(patches.FancyBboxPatch(
            (place.x - place.width / 2, place.y - HEIGHT / 2), place.width, HEIGHT,
            boxstyle='round,pad=0,rounding_size=.08', facecolor=WALL, edgecolor=INK, zorder=4))
        axes.text(place.x, place.y + .06, room, ha='center', va='center', fontsize=9.5, zorder=5)
        axes.text(place.x, place.y - .12, f'{count} file{"s" * (count > 1)}', ha='center',
                  va='center', fontsize=6.5, color=INK, zorder=5)
        if plan.guests[room]:
            axes.plot(place.x + place.width / 2 - .11, place.y - .12, 'o', markersize=4, zorder=5,
                      color=RED if 'zoo' in plan.guests[room] else INK)
    for floor in range(round(plan.height + .4)):
        axes.axhline(floor - .5, color=INK, linewidth=.4, alpha=.3, zorder=0)
    axes.set_xlim(plan.middle - width / 2, plan.middle + width / 2)
    axes.set_ylim(-.55, plan.height - 1.05)
    axes.axis('off')
    axes.set_title(plan.title, loc='left', fontsize=12)


def main(out: str | pathlib.Path) -> None:
    """Draws both packages, zoo above tfp_glow, and says what was drawn."""
    plans = [Plan.of(package) for package in PACKAGES]
    heights = [plan.height for plan in plans]
    width = max(plan.width for plan in plans)
    figure, both = pyplot.subplots(
        2, figsize=(INCHES * width, 1.05 * sum(heights)), height_ratios=heights,
        layout='constrained')
    for axes, plan in zip(both, plans):
        draw(axes, plan, width)
        print(plan.title)
        for arrow in sorted(plan.wrong):
            print('  ' + ' -> '.join(arrow))
    figure.supxlabel('An arrow goes from a room to one that it imports. A pale arrow is implied by '
                     'others, a red one breaks the rule.\nA dot means that the room imports '
                     'tfp_glow.', fontsize=9)
    figure.savefig(out, dpi=110)
    print(out)


if __name__ == '__main__':
    main(sys.argv[1] if len(sys.argv) > 1 else ROOT / 'docs' / 'house.png')
