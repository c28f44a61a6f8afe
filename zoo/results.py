"""What a finished run leaves: figures of the test split, a SavedModel, pictures."""

import json
import time

import numpy as np

import tfp_glow
from zoo import exporting, images, measures, plots, runs

_ROWS = 10000  # Of the plot of a density.


def leave(run, data, model, directory, seconds, samples, temperature):
    """Writes test.json, saved_model/1 and samples.png into the run's directory, and says so.

    Args:
        run: the `Run`.
        data: its data.
        model: its `FlowModel`, trained, computing in float32.
        directory: its `Directory`.
        seconds: what training took.
        samples: how many to draw.
        temperature: of the samples.
    """
    start = time.time()
    result = dict(figures(run, data, model, 'test'), seed=run.training.seed,
                  training_seconds=seconds)
    runs.write_atomically(directory.path / 'test.json', json.dumps(result, indent=2) + '\n')
    print(f'test {in_words(result)}; averaged weights (training took {seconds:.0f} s, evaluation '
          f'{time.time() - start:.0f} s)')
    saved = exporting.write(run, data, model, directory.path / 'saved_model')
    path = directory.path / 'samples.png'
    draw(run, data, model, samples, temperature, path)
    print(f'samples: {path}\nmodel:   {saved}')


def figures(run, data, model, split, draws=1, limit=None):
    """The likelihood on a split as a dictionary, ready for JSON."""
    common = {'split': data.splits[split], 'dims': data.dims}
    if model.bins is None:
        mean, error, count = measures.log_likelihood(model, data, split, limit=limit)
        return dict(common, log_likelihood=float(mean), standard_error=float(error), rows=count)
    mean, error, count = measures.bits_per_dim(
        model, data, split, 1 if run.discrete else draws, limit=limit, prepare=run.prepare)
    draws = 0 if run.discrete else draws  # Of noise, of which there is none.
    return dict(common, bits_per_dim=float(mean), standard_error=float(error), images=count,
                draws=draws)


def in_words(result):
    """What `figures` returned, in one line."""
    if 'log_likelihood' in result:
        return (f'log-likelihood {result["log_likelihood"]:.4f} +- {result["standard_error"]:.4f} '
                f'nats (standard error over {result["rows"]} rows of {result["split"]}; '
                f'{result["dims"]} columns)')
    return (f'bits/dim {result["bits_per_dim"]:.4f} +- {result["standard_error"]:.4f} (standard '
            f'error over {result["images"]} images of {result["split"]}; {result["dims"]} dims '
            f'each; {f"{draws} noise draws" if (draws := result["draws"]) else "exact"})')


def draw(run, data, model, count, temperature, path):
    """Writes a picture of samples: a grid of images, or the density of vectors."""
    given = {'condition': np.arange(count, dtype=np.int32) % data.num_classes} if (
        run.conditional) else {}
    with model.averaged_weights() as flow:
        if model.bins is None:
            _draw_vectors(data, flow, path)
            return
        drawn = tfp_glow.with_temperature(flow, temperature).sample(
            count, seed=[0, run.training.seed], **given)
    images.save_grid(data.crop(model.to_images(drawn).numpy()), path, model.bins)


def _draw_vectors(data, flow, path):
    rows = data.take('test', min(_ROWS, data.sizes['test']))
    drawn = flow.sample(len(rows), seed=[0, 1]).numpy()
    plots.density(path, data.unscale(drawn), data=data.unscale(rows), columns=data.columns,
                  log_prob=lambda x: flow.log_prob(data.scale(x)) + data.log_scale_correction)
