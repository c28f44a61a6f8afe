"""`write_results`: writes what a finished run keeps: test figures, a SavedModel and pictures."""

import pathlib
import shutil
import time

from zoo.bundles import writing
from zoo.cli import errors, files
from zoo.evaluation.family import Family
from zoo.runs.directory import RESULTS_NOTE, Directory
from zoo.runs.state import State


def write_results(family: Family, directory: Directory, state: State) -> None:
    """Writes saved_model/1, samples.png and then test.json into the run's directory, and says so.

    Of a VAE, it writes reconstructions.png as well. test.json is written last, so that a run that
    has it has all; a bundle that a killed process left is replaced.

    Args:
        family: The trained model, which computes in float32.
        directory: The directory of its run.
        state: How far the training came.

    Raises:
        Failure: If a figure or an answer of the model is not finite.
    """
    start = time.time()
    run, settings, epoch = family.run, family.run.settings, family.trained.epoch
    figures = dict(family.figures('test', importance_samples=settings.importance_samples),
                   seed=run.training.seed, training_seconds=state.seconds, epoch=epoch,
                   epochs=state.epoch, selected=settings.select)
    files.check_finite(figures, 'test.json')
    print(f'test {family.format_figures(figures)}; averaged weights of {_which(figures)} '
          f'(training took {state.seconds:.0f} s, evaluation {time.time() - start:.0f} s)')
    bundle = _write_bundle(family, directory.path)
    path = directory.path / 'samples.png'
    family.draw_samples(settings.sample_images, family.temperature(settings.sample_temperature),
                        path)
    print(f'samples: {path}\nmodel:   {bundle}')
    family.draw_more(directory.path)
    files.write_json(directory.path / 'test.json', figures)
    (directory.path / RESULTS_NOTE).unlink()


def _which(figures: dict) -> str:
    """Returns in words which epoch was evaluated."""
    epoch, epochs, selected = figures['epoch'], figures['epochs'], figures['selected']
    if selected == 'last' or epoch == epochs:
        return f'epoch {epoch}'
    return f'epoch {epoch} of {epochs}, the best on the validation split'


def _write_bundle(family: Family, folder: pathlib.Path) -> pathlib.Path:
    """Writes the bundle as the next version; first removes one that a killed process left."""
    bundles, note = folder / 'saved_model', folder / RESULTS_NOTE
    if note.exists():
        left = note.read_text().strip()
        if left.isdecimal():
            shutil.rmtree(bundles / left, ignore_errors=True)
    versions = [int(p.name) for p in bundles.glob('*') if p.name.isdecimal()]
    files.write_whole(note, f'{max(versions, default=0) + 1}\n')
    try:
        return writing.write(family.trained, bundles)
    except ValueError as error:
        raise errors.Failure(f'{str(folder)!r} gets no SavedModel: {error}') from error
