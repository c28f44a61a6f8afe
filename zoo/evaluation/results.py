"""`write_results`: writes what a finished run keeps: test figures, a SavedModel and pictures."""

import time

from zoo.bundles import writing
from zoo.cli import files
from zoo.evaluation.family import Family
from zoo.runs.directory import Directory


def write_results(family: Family, directory: Directory, seconds: float, samples: int,
                  temperature: float | None, importance_samples: int | None = None) -> None:
    """Writes test.json, saved_model/1 and samples.png into the run's directory, and says so.

    Of a VAE, it writes reconstructions.png as well.

    Args:
        family: The trained model, which computes in float32.
        directory: The directory of its run.
        seconds: The time that training took.
        samples: The number of samples to draw.
        temperature: The temperature of the samples; None for the family's own.
        importance_samples: See `Family.figures`.
    """
    start = time.time()
    figures = dict(family.figures('test', importance_samples=importance_samples),
                   seed=family.run.training.seed, training_seconds=seconds)
    files.write_json(directory.path / 'test.json', figures)
    print(f'test {family.format_figures(figures)}; averaged weights (training took '
          f'{seconds:.0f} s, evaluation {time.time() - start:.0f} s)')
    bundle = writing.write(family.trained, directory.path / 'saved_model')
    path = directory.path / 'samples.png'
    family.draw_samples(samples, family.temperature(temperature), path)
    print(f'samples: {path}\nmodel:   {bundle}')
    family.draw_more(directory.path)
