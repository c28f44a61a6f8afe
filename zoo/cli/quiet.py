"""`import_tensorflow`: imports TensorFlow without the lines that it prints whenever it starts."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

_NOISE = re.compile(r'WARNING: All log messages before|[IWE]\d{4} \d\d:|To enable the following|'
                    r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] ')


def import_tensorflow(show_log: bool) -> None:
    """Imports TensorFlow.

    Args:
        show_log: Whether to show what it logs meanwhile; programs do if the user has set the level.
    """
    if 'tensorflow' in sys.modules:
        return
    with contextlib.nullcontext() if show_log else _without_noise():
        import tensorflow  # noqa: F401


@contextlib.contextmanager
def _without_noise() -> Iterator[None]:
    """Returns a context that holds back what is written to the file descriptor of stderr.

    What is no log is printed at the end of the context.
    """
    sys.stderr.flush()
    try:
        original = os.dup(2)
    except OSError:  # There is no such file descriptor.
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
            held.seek(0)
            for line in held.read().decode(errors='replace').splitlines():
                if not _NOISE.match(line):
                    print(line, file=sys.stderr)
