"""Checks the names of the arrays in a file."""


def is_safe(name: str) -> bool:
    """Returns whether a name is a relative path below a folder, on any system."""
    parts = name.split('/')
    return bool(name) and not any(part in ('', '.', '..') for part in parts) and not (
        set(name) & set('\\:\0'))


class Names:
    """The names of a file's arrays."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def add(self, name: str) -> bool:
        """Takes a name and returns whether it is a good one.

        A name is refused if it is not safe, if another file has it, if it is the folder of another
        file, or if it would need a folder where another file is.
        """
        parts = name.split('/')
        folders = {'/'.join(parts[:n]) for n in range(1, len(parts))}
        if (not is_safe(name) or name in self._files or name in self._folders
                or folders & self._files):
            return False
        self._files.add(name)
        self._folders |= folders
        return True
