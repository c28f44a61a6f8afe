"""What a finished run leaves: figures of the test split, a SavedModel, pictures."""

import json
import time

import numpy as np

import tfp_glow
from zoo.bundles import writing as exporting
from zoo.evaluation import metrics, vae_results
from zoo.pictures import densities as density_plots
from zoo.pictures import grids
from zoo.runs import run as runs

_ROWS = 10000  # Of the plot of a density.


def leave(run, data, model, directory, seconds, samples, temperature, importance_samples=None):
    """Writes test.json, saved_model/1 and samples.png into the run's directory, and says so.

    Of a VAE also reconstructions.png.

    Args:
        run: the `Run`.
        data: its data.
        model: its `FlowModel` or `VAEModel`, trained, computing in float32.
        directory: its `Directory`.
        seconds: what training took.
        samples: how many to draw.
        temperature: of the samples.
        importance_samples: see `figures`.
    """
    start = time.time()
    result = dict(figures(run, data, model, 'test', importance_samples=importance_samples),
                  seed=run.training.seed, training_seconds=seconds)
    runs.write_atomically(directory.path / 'test.json', json.dumps(result, indent=2) + '\n')
    print(f'test {in_words(result)}; averaged weights (training took {seconds:.0f} s, evaluation '
          f'{time.time() - start:.0f} s)')
    saved = exporting.write(run, data, model, directory.path / 'saved_model')
    path = directory.path / 'samples.png'
    draw(run, data, model, samples, temperature, path)
    print(f'samples: {path}\nmodel:   {saved}')
    if run.is_vae:
        vae_results.draw_reconstructions(
            run, data, model, directory.path / 'reconstructions.png')


def figures(run, data, model, split, draws=1, limit=None, importance_samples=None):
    """The likelihood on a split as a dictionary, ready for JSON; of a VAE, its bounds."""
    if run.is_vae:
        return vae_results.figures(run, data, model, split, draws, limit, importance_samples)
    common = {'split': data.splits[split], 'dims': data.dims}
    if model.bins is None:
        mean, error, count = metrics.log_likelihood(model, data, split, limit=limit)
        return dict(common, log_likelihood=float(mean), standard_error=float(error), rows=count)
    mean, error, count = metrics.bits_per_dim(
        model, data, split, 1 if run.discrete else draws, limit=limit, prepare=run.prepare)
    draws = 0 if run.discrete else draws  # Of noise, of which there is none.
    return dict(common, bits_per_dim=float(mean), standard_error=float(error), images=count,
                draws=draws)


def in_words(result):
    """What `figures` returned, in one line."""
    if 'nats' in result:
        return vae_results.in_words(result)
    if 'log_likelihood' in result:
        return (f'log-likelihood {result["log_likelihood"]:.4f} +- {result["standard_error"]:.4f} '
                f'nats (standard error over {result["rows"]} rows of {result["split"]}; '
                f'{result["dims"]} columns)')
    return (f'bits/dim {result["bits_per_dim"]:.4f} +- {result["standard_error"]:.4f} (standard '
            f'error over {result["images"]} images of {result["split"]}; {result["dims"]} dims '
            f'each; {f"{draws} noise draws" if (draws := result["draws"]) else "exact"})')


def temperature(run, given=None):
    """The temperature of pictures of samples, unless one is given."""
    return given if given is not None else 1. if run.is_vae else .7


def draw(run, data, model, count, temperature, path):
    """Writes a picture of samples: a grid of images, or the density of vectors."""
    if run.is_vae:
        vae_results.draw(run, data, model, count, temperature, path)
        return
    given = {'condition': np.arange(count, dtype=np.int32) % data.num_classes} if (
        run.conditional) else {}
    with model.averaged_weights() as flow:
        if model.bins is None:
            _draw_vectors(data, flow, path)
            return
        drawn = tfp_glow.with_temperature(flow, temperature).sample(
            count, seed=[0, run.training.seed], **given)
    grids.save_grid(data.crop(model.to_images(drawn).numpy()), path, model.bins)


def _draw_vectors(data, flow, path):
    rows = data.take('test', min(_ROWS, data.sizes['test']))
    drawn = flow.sample(len(rows), seed=[0, 1]).numpy()
    density_plots.density(path, data.unscale(drawn), data=data.unscale(rows), columns=data.columns,
                  log_prob=lambda x: flow.log_prob(data.scale(x)) + data.log_scale_correction)
