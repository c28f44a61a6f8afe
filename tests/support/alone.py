"""Makes source of Python processes in which some packages seem not to be installed."""

import textwrap

_BLOCKED = """\
import importlib.machinery, sys


class Blocked:
    NAMES = {names}

    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in self.NAMES:
            return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        raise ImportError('blocked: ' + spec.name)

    def exec_module(self, module):
        raise ImportError('blocked')


sys.meta_path.insert(0, Blocked())
"""


def without(names, source):
    """Returns `source` such that the packages in `names`, a set, cannot be imported."""
    return _BLOCKED.format(names=sorted(names)) + textwrap.dedent(source)
