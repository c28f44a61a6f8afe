"""Several runs of zoo.train in one folder, one after the other, to compare models."""

import json
import pathlib
import subprocess
import sys

from zoo.cli import errors, files


def folder(workdir: str, resume: bool, settings: dict[str, object]) -> pathlib.Path:
    """Returns the folder of the runs, where `settings` are kept.

    Args:
        workdir: The folder.
        resume: Whether it may hold runs.
        settings: The values of the flags that all runs share, by name.

    Raises:
        UsageError: If it holds something and `resume` is not set, or runs of other settings.
    """
    out = pathlib.Path(workdir)
    if not resume and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise errors.UsageError(f'--workdir must be new or empty, or give --resume; '
                                f'got {workdir!r}.')
    kept = out / 'settings.json'
    if kept.exists():
        before = json.loads(kept.read_text(encoding='utf-8'))
        for name, value in settings.items():
            if before.get(name) != value:
                raise errors.UsageError(f'--{name} must be as in the runs that {workdir!r} holds, '
                                        f'{before.get(name)}; got {value}.')
    else:
        out.mkdir(parents=True, exist_ok=True)
        files.write_json(kept, settings)
    return out


def train(workdir: pathlib.Path, title: str, words: list[str],
          optional: dict[str, object]) -> None:
    """Runs zoo.train in `workdir`, or goes on with it, unless it has ended there.

    Args:
        workdir: The run directory.
        title: A line to print before it starts.
        words: The flags.
        optional: More flags by their names; those whose value is None are left out.

    Raises:
        UsageError: If zoo.train reported a mistake of the user.
        Failure: If zoo.train failed otherwise.
    """
    if (workdir / 'test.json').exists():
        return
    words = [*words, f'--workdir={workdir}', '--verbose=0']
    words += [f'--{name}={value}' for name, value in optional.items() if value is not None]
    words += ['--resume'] if (workdir / 'config.json').exists() else []
    print(title, flush=True)
    done = subprocess.run([sys.executable, '-m', 'zoo.train', *words], check=False)
    if done.returncode:
        raise ended('zoo.train', done.returncode, workdir)


def ended(program: str, status: int, workdir: pathlib.Path) -> errors.UsageError | errors.Failure:
    """Returns the error that says that a program failed in a run directory.

    It is a mistake of the user if the program said so, by the status 2.
    """
    kind = errors.UsageError if status == 2 else errors.Failure
    return kind(f'{program} ended with status {status} in {str(workdir)!r}; its message is above.')
