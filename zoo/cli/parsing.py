"""`parse`: from the arguments of a program to its flags; every mistake is a `UsageError`."""

import difflib
import re
import sys
from collections.abc import Callable, Sequence

from absl import flags

from zoo.cli import errors, flagfiles, help_text

_HELP = re.compile(r'--?(h|\?|help(short|full|xml)?)(=.*)?$')

# Defines the flags that depend on the arguments; returns how the help is arranged.
Define = Callable[[list[str]], help_text.Help]


def parse(argv: list[str], operands: Sequence[str] = (),
          define: Define | None = None) -> list[str]:
    """Parses the flags in `argv`; returns the name of the program and its operands.

    If help is asked for, it is printed, and the program ends with status 0 if nothing is wrong.

    Args:
        argv: The name of the program and its arguments.
        operands: The names of what must be given beside the flags. A last '...' stands for any
            number of more.
        define: See `Define`; None if all flags are defined already.

    Raises:
        UsageError: If a flag or a flagfile is wrong.
    """
    every = flagfiles.expand(argv[1:])
    end = every.index('--') if '--' in every else len(every)
    arguments = [argument for argument in every[:end] if not _HELP.match(argument)]
    wants_help = len(arguments) < end
    arrangement = define(arguments) if define else help_text.Help()
    if wants_help:
        print(help_text.text(sys.modules['__main__'].__doc__ or '', arrangement))
    _check_values(arguments)
    try:
        rest = flags.FLAGS([argv[0], *arguments, *every[end:]], known_only=False)
    except flags.UnrecognizedFlagError as error:
        explain, name = arrangement.explain, error.flagname
        raise errors.UsageError(explain(name) or explain(name.removeprefix('no'))
                                or _unknown(error)) from None
    except flags.Error as error:
        raise errors.UsageError(_rule(str(error))) from None
    except ValueError as error:  # A boolean flag raises it for --noflag=value.
        name, _, value = str(error).split()[0].partition('=')
        raise errors.UsageError(f'{name} must be given without a value; got {value!r}.') from None
    if wants_help:
        sys.exit(0)
    if len(rest) > 1 and not operands:
        raise errors.UsageError(f'every option must be a flag, --name=value; got {rest[1]!r}.')
    names = [name for name in operands if name != '...']
    more = len(names) < len(operands)
    if len(rest) <= len(names) or (len(rest) > 1 + len(names) and not more):
        raise errors.UsageError(f'{" and ".join(names)} must be given, all else being flags, '
                                f'--name=value; got {" ".join(rest[1:])!r}.')
    return rest


def _check_values(arguments: list[str]) -> None:
    """Checks that each flag has its own value: absl would take the next flag for one.

    Raises:
        UsageError: If a flag has none, or unknown flags are to be ignored.
    """
    for argument, after in zip(arguments, [*arguments[1:], None]):
        name, equals, _ = argument.lstrip('-').partition('=')
        if not argument.startswith('-') or name not in ('undefok', *flags.FLAGS):
            continue
        if name == 'undefok':
            raise errors.UsageError('--undefok must be left out: every flag that is given must '
                                    f'have a use; got {argument!r}.')
        if not equals and not flags.FLAGS[name].boolean and (
                after is None or after.startswith('--')):
            raise errors.UsageError(f'--{name} must be given a value, --{name}=value; got '
                                    f'{after or "nothing"}.')


def _unknown(error: flags.UnrecognizedFlagError) -> str:
    near = difflib.get_close_matches(error.flagname, list(help_text.program_flags()), n=1)
    return (f'--{error.flagname} is no flag of this program; see --help.'
            + (f' Did you mean --{near[0]}?' if near else ''))


def _rule(text: str) -> str:
    """Returns absl's 'flag --x=0: must be ...' in the form of all our errors."""
    parts = re.match(r'flag --(\w+)=(.*?): (.*)$', text, re.DOTALL)
    if not parts:
        return text
    name, value, rule = parts.groups()
    choices = re.match(r'value should be one of <(.*)>', rule)
    if choices:
        rule = f'must be one of {", ".join(c or "nothing" for c in choices[1].split("|"))}'
    elif 'Non-boolean' in rule:
        rule = 'must be true or false'
    elif not rule.startswith('must'):
        rule = f'must be given another value ({rule.rstrip(".")})'
    return f'--{name} {rule}; got {value if _is_number(value) else repr(value)}.'


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
