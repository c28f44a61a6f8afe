"""The text that `--help` prints: what a program does, and its flags with defaults and values."""

import dataclasses
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping

from absl import flags

_WIDTH, _INDENT = 96, 8
_NOT_OURS = ('absl.', 'tensorflow', 'keras')


@dataclasses.dataclass(frozen=True)
class Help:
    """How a program's help is arranged.

    Attributes:
        groups: The names of the flags under each heading; flags that no group names come under
            'flags'.
        defaults: What to print as the default of a flag in place of its own: that of a recipe.
        conditions: The other flags with which a flag has a use.
        notes: Paragraphs that follow the flags, by heading.
        explain: A function from the name of a flag that the program does not have to what is wrong
            with it, or None if nothing is known.
    """

    groups: Mapping[str, Iterable[str]] = dataclasses.field(default_factory=dict)
    defaults: Mapping[str, object] = dataclasses.field(default_factory=dict)
    conditions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    explain: Callable[[str], str | None] = lambda name: None


def text(description: str, arrangement: Help) -> str:
    """Returns the help of a program as lines.

    Args:
        description: What the program does: the docstring of its module.
        arrangement: How its help is arranged.
    """
    own = program_flags()
    groups = {title: [own.pop(name) for name in names if name in own]
              for title, names in arrangement.groups.items()}
    if own:
        groups['other flags' if groups else 'flags'] = list(own.values())
    lines = [description.strip(), '']
    for title, members in groups.items():
        lines += [f'{title}:', '']
        for flag in members:
            lines += _flag_lines(flag, arrangement)
    for title, note in arrangement.notes.items():
        lines += [f'{title}:', '', textwrap.indent(note.strip('\n'), '    '), '']
    return '\n'.join([*lines, '    --flagfile=FILE   reads flags from a file, one a line.', ''])


def program_flags() -> dict[str, flags.Flag]:
    """Returns the flags that the program itself has defined, by name, in their order."""
    by_module = flags.FLAGS.flags_by_module_dict()
    return {flag.name: flag for module, members in by_module.items()
            if not module.startswith(_NOT_OURS) for flag in members}


def _flag_lines(flag: flags.Flag, arrangement: Help) -> list[str]:
    name = f'--[no]{flag.name}' if flag.boolean else f'--{flag.name}'
    default = arrangement.defaults.get(flag.name, flag.default)
    facts = [] if flag.boolean else [_values(flag)]
    if arrangement.conditions.get(flag.name):
        facts.append(f'used with {arrangement.conditions[flag.name]}')
    if default is not None and default != '' and default != []:
        shown = ','.join(map(str, default)) if isinstance(default, list) else default
        facts.append(f'default: {str(shown).lower() if flag.boolean else shown}')
    about = '; '.join(fact for fact in facts if fact)
    words = re.sub(r'^<[^>]*>: ', '', ' '.join((flag.help or '').split()))  # Drops absl's choices.
    words += f' [{about}]' if about else ''
    indent = ' ' * _INDENT
    return [f'    {name}', *textwrap.wrap(words, _WIDTH, initial_indent=indent,
                                           subsequent_indent=indent, break_on_hyphens=False), '']


def _values(flag: flags.Flag) -> str:
    """Returns in a few words what a flag takes."""
    choices = getattr(flag.parser, 'enum_values', None)
    if choices:
        return 'one of ' + ', '.join(str(c) or "''" for c in choices)
    kind = {'int': 'integer', 'float': 'number'}.get(flag.flag_type(), '')
    limits = flag.parser.syntactic_help if kind else ''
    return f'{kind} {limits}'.strip()
