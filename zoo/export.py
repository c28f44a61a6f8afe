r"""Writes a run's model as a SavedModel bundle, or checks a bundle on this machine.

    python -m zoo.export --workdir=RUN --out=RUN/saved_model
    python -m zoo.export --verify=RUN/saved_model

Checking needs only TensorFlow.
"""

from absl import flags

from zoo.bundles import reading as bundles
from zoo.bundles import verification
from zoo.cli import errors, program

_WORKDIR = flags.DEFINE_string('workdir', None, 'The run directory to export from.')
_OUT = flags.DEFINE_string(
    'out', None, 'Folder of versions; the next one is written there. Default: saved_model in the '
    'run directory.')
_DATA_DIR = flags.DEFINE_string('data_dir', None, 'Where TFDS has prepared the run\'s data set.')
_VERIFY = flags.DEFINE_string(
    'verify', None, 'A bundle, or the folder of its versions: compare its answers with the golden '
    'ones that it holds.')


def main(argv):
    del argv
    if bool(_WORKDIR.value) == bool(_VERIFY.value):
        raise errors.UsageError('give --workdir=RUN to export, or --verify=DIR to check; '
                                f'got {"both" if _VERIFY.value else "neither"}.')
    if _VERIFY.value:
        for flag in (_OUT, _DATA_DIR):
            if flag.value is not None:
                raise errors.UsageError(f'--{flag.name} must be left out with --verify; '
                                        f'got {flag.value!r}.')
        _verify(_VERIFY.value, '--verify')
    else:
        _verify(export(_WORKDIR.value, _OUT.value, _DATA_DIR.value), '--out')


def export(workdir, out=None, data_dir=None):
    """Writes the run's averaged weights as the next version in the folder `out`; its path.

    Raises:
        UsageError: `workdir` is no run directory, or `out` cannot be written.
        Failure: the model gives no finite answers.
    """
    from zoo.bundles import writing as exporting
    from zoo.runs import run as runs
    run, data, model = runs.load(workdir, data_dir)
    out = out or str(runs.Directory(workdir).path / 'saved_model')
    try:
        return exporting.write(run, data, model, out)
    except OSError as error:
        raise errors.UsageError(f'--out must be a folder that can be written ({error.strerror}); '
                                f'got {out!r}.') from error
    except ValueError as error:
        raise errors.Failure(f'--workdir={workdir}: {error}') from error


def _verify(path, flag):
    found = bundles.open_bundle(path, flag)
    for line in verification.verify(found):
        print(line, flush=True)
    print(f'OK: {found.path}')


if __name__ == '__main__':
    program.run(main)
