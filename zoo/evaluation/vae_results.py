"""What is measured and drawn of a trained VAE."""

import math

import numpy as np
import tensorflow as tf

import tfp_glow
from zoo.cli import errors
from zoo.evaluation import metrics
from zoo.pictures import grids

_BATCH = 100  # Images whose importance-weighted bound is computed at once.
_RECONSTRUCTED = 32  # Test images in the picture of reconstructions.


def check_samples(run, samples):
    """Raises a `UsageError` if `samples`, of --importance_samples, are given for a flow."""
    if samples is not None and not run.is_vae:
        raise errors.UsageError(f'--importance_samples must be left out for --model={run.model}, '
                                f'whose likelihood is exact; got {samples}.')


def figures(run, data, model, split, draws=1, limit=None, samples=None):
    """The ELBO on a split and, with `samples`, the importance-weighted bound, ready for JSON.

    `nats` are those of an image, -log p(x) at most; `standard_error` is that of `bits_per_dim`,
    `nats_standard_error` that of `nats`, both over images.
    """
    mean, error, count = metrics.bits_per_dim(
        model, data, split, draws, limit=limit, prepare=run.prepare)
    result = {'split': data.splits[split], 'dims': data.dims, **_both(mean, error, data.dims),
              'images': count, 'draws': draws}
    if samples is not None:
        bits = importance_nats(run, data, model, split, limit, samples) / _unit(data.dims)
        error = bits.std(ddof=1) / math.sqrt(len(bits))
        result['importance'] = {'samples': samples, **_both(bits.mean(), error, data.dims)}
    return result


def in_words(result):
    """What `figures` returned, in one line."""
    text = _words('ELBO', result)
    if 'importance' in result:
        text += _words(f'; importance bound of {result["importance"]["samples"]} samples',
                       result['importance'])
    return (f'{text} (standard errors over {result["images"]} images of {result["split"]}; '
            f'{result["dims"]} dims each; {result["draws"]} draws of the latents for the ELBO)')


def draw(run, data, model, count, temperature, path):
    """Writes a grid of pictures, of latents from the prior."""
    with model.averaged_weights() as vae:
        drawn = vae.sample(count, [0, run.training.seed], temperature, mean=True)
    grids.save_grid(greys(data.crop(drawn), model.bins), path)


def draw_reconstructions(run, data, model, path):
    """Writes a grid of test images, each with its reconstruction to the right."""
    given = run.prepare(data.take('test', min(_RECONSTRUCTED, data.sizes['test'])))
    with model.averaged_weights() as vae:
        pairs = np.stack([given, vae.reconstruct(given)], axis=1)
    pairs = data.crop(pairs.reshape(-1, *data.image_shape))
    grids.save_grid(greys(pairs, model.bins), path, columns=8)


def greys(pictures, bins):
    """Real numbers of 0 .. bins-1 as 256 levels of grey, uint8."""
    return np.round(np.clip(np.asarray(pictures) / (bins - 1), 0, 1) * 255).astype(np.uint8)


def importance_nats(run, data, model, split, limit, samples):
    """The importance-weighted bound of each image, `[N]`: what -log p(x) is at most, in nats."""
    bits = np.concatenate(list(_importance(run, data, model, split, limit, samples)))
    return bits * _unit(data.dims)


def _importance(run, data, model, split, limit, samples):
    @tf.function(reduce_retracing=True)
    def bits(batch, seed):
        return model.objective.bits(
            tfp_glow.vaes.importance_bound(model.vae, batch, seed, samples))
    with model.averaged_weights():
        batches = data.evaluation(split, _BATCH, limit=limit).map(run.prepare)
        for index, batch in enumerate(batches):
            yield bits(batch, tf.constant([index, 7918])).numpy()


def _unit(dims):
    """Nats of an image for each bit/dim."""
    return dims * math.log(2)


def _both(bits, error, dims):
    unit = _unit(dims)
    return {'bits_per_dim': float(bits), 'standard_error': float(error),
            'nats': float(bits * unit), 'nats_standard_error': float(error * unit)}


def _words(name, found):
    return (f'{name} {found["nats"]:.2f} +- {found["nats_standard_error"]:.2f} nats, '
            f'{found["bits_per_dim"]:.4f} +- {found["standard_error"]:.4f} bits/dim')
