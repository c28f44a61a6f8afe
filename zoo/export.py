r"""Writes a run's or a preset's model as a SavedModel bundle, or checks a bundle on this machine.

    python -m zoo.export --workdir=RUN --out=RUN/saved_model
    python -m zoo.export --preset=glow_digits --out=bundles/glow_digits
    python -m zoo.export --verify=RUN/saved_model

A check needs only TensorFlow.
"""

import contextlib
import pathlib

from absl import flags

from zoo.bundles import reading, verification
from zoo.cli import errors, program, source_flags
from zoo.runs import config_file, lock, preset_folder

_WORKDIR, _PRESET, _DATA_DIR = source_flags.define()
_OUT = flags.DEFINE_string(
    'out', None, 'Folder of versions; the next one is written there. Default: saved_model in the '
    'run directory.')
_VERIFY = flags.DEFINE_string(
    'verify', None, 'A bundle, or the folder of its versions: compare its answers with the golden '
    'ones that it holds.')


def main(argv: list[str]) -> None:
    """Writes and checks a bundle, or checks one that is there."""
    del argv
    if not _VERIFY.value and not _WORKDIR.value and not _PRESET.value:
        raise errors.UsageError('give --workdir=RUN or --preset=NAME to export, or --verify=DIR to '
                                'check; got neither.')
    if _VERIFY.value:
        program.refuse('with --verify', 'workdir', 'preset', 'out', 'data_dir')
        _verify(_VERIFY.value, '--verify')
        return
    preset_folder.check_source(_WORKDIR.value, _PRESET.value)
    if _PRESET.value and not _OUT.value:
        raise errors.UsageError('--out must be given with --preset; got none.')
    out = _OUT.value or str(pathlib.Path(_WORKDIR.value or '') / 'saved_model')
    with _owned(out):
        path = _export(out)
    _verify(path, '--out')


def _export(out: str) -> pathlib.Path:
    """Writes the averaged weights as the next version in the folder `out`; returns its path.

    Raises:
        UsageError: If there is no such model, or `out` cannot be written.
        Failure: If the model gives no finite answers.
    """
    program.start_tensorflow()
    from zoo.bundles import writing  # Late: a check needs neither Keras nor TFP.
    from zoo.runs import opening
    trained = opening.open_run_or_preset(_WORKDIR.value, _PRESET.value, _DATA_DIR.value)
    try:
        return writing.write(trained, out)
    except OSError as error:
        raise _cannot_be_written(out, error) from error
    except ValueError as error:
        source = f'--preset={_PRESET.value}' if _PRESET.value else f'--workdir={_WORKDIR.value}'
        raise errors.Failure(f'{source}: {error}') from error


def _owned(out: str) -> contextlib.ExitStack:
    """Returns the lock of the run directory in which `out` is, if it is in one.

    Raises:
        UsageError: If the directory belongs to another process, or cannot be written.
    """
    stack, folder = contextlib.ExitStack(), pathlib.Path(out).parent
    if (folder / config_file.NAME).exists():
        try:
            stack.enter_context(lock.locked(folder, 'the run directory of --out'))
        except OSError as error:
            raise _cannot_be_written(out, error) from error
    return stack


def _cannot_be_written(out: str, error: OSError) -> errors.UsageError:
    return errors.UsageError(f'--out must be a folder that can be written ({error.strerror}); '
                             f'got {out!r}.')


def _verify(path: str | pathlib.Path, flag: str) -> None:
    """Checks the answers of the bundle that a flag names, and says so."""
    bundle = reading.open_bundle(path, flag)
    program.start_tensorflow()
    for line in verification.verify(bundle):
        print(line, flush=True)
    print(f'OK: {bundle.path}')


if __name__ == '__main__':
    program.run(main)
