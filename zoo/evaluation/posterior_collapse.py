"""Posterior collapse: which latents of a VAE say something of the image, and how much."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_glow import vaes

_ACTIVE = .01  # The limit of Burda et al.
_BATCH = 100  # Images whose posterior is computed at once.


def report(vae: vaes.LatentModel, images: np.ndarray, draws: int = 64,
           seed: int = 0) -> dict[str, Any]:
    """Returns how much each latent says of images, as a dictionary ready for JSON.

    A unit, an entry z_u of the latents, is active if its posterior's mean moves with the image:

    ```none
    A_u = Cov over x of E_q(z_u|x) > 0.01
    ```

    The mean is estimated from two independent halves of the draws; their covariance over the images
    is A_u without the noise of either. Divergences log q(z|x) - log p(z) are means over images and
    draws, in nats per image and channel. The channels are the last axis of a group of latents.

    Args:
        vae: A `tfp_glow.vaes.LatentModel`.
        images: uint8 [N, H, W, C], N at least 2.
        draws: The number of draws of the posterior for each image, even.
        seed: The seed of the draws.

    Returns:
        {'images', 'draws', 'kl': nats per image, 'groups': [{'shape', 'units', 'active', 'kl',
        'kl_by_channel', 'activity_by_channel': the largest A_u of each}, ...]}. The divergence by
        channel is a list of one, that of the whole group, if a density does not fall into summands.

    Raises:
        ValueError: If an argument is out of its range.

    #### References
    Burda, Grosse and Salakhutdinov, *Importance weighted autoencoders*, 2016, arXiv:1509.00519,
    section 5.2.
    """
    if len(images) < 2 or draws < 2 or draws % 2:
        raise ValueError('images must be at least 2, and draws positive and even; '
                         f'got {len(images)} images, {draws=}.')
    halves, kl = _posterior(vae, images, draws, seed)
    groups = []
    for (first, second), divergence, shape in zip(halves, kl, vae.latent_shapes):
        activity = np.mean((first - first.mean(0)) * (second - second.mean(0)), axis=0)
        activity *= len(images) / (len(images) - 1)
        active = activity > _ACTIVE
        groups.append({
            'shape': shape.as_list(), 'units': int(active.size), 'active': int(active.sum()),
            'kl': float(divergence.sum()), 'kl_by_channel': divergence.tolist(),
            'activity_by_channel': activity.reshape(-1, shape[-1]).max(0).tolist()})
    return {'images': len(images), 'draws': draws, 'kl': sum(g['kl'] for g in groups),
            'groups': groups}


def text(report: dict[str, Any]) -> str:
    """Returns a report as lines: a table of the groups, their channels, warnings."""
    groups = report['groups']
    lines = [f'{"latents":12}{"shape":>14}{"units":>8}{"active":>8}{"KL, nats":>10}']
    for i, group in enumerate(groups):
        shape = 'x'.join(map(str, group['shape']))
        lines.append(f'group {i:<6}{shape:>14}{group["units"]:8}{group["active"]:8}'
                     f'{group["kl"]:10.3f}')
    lines.append(f'{"all":34}{sum(g["active"] for g in groups):8}{report["kl"]:10.3f}')
    for i, group in enumerate(groups):
        lines += ['', f'group {i}, KL of each channel in nats (largest activity of its units):']
        by_channel = group['kl_by_channel']
        if len(by_channel) < len(group['activity_by_channel']):
            lines.append('  the flow of the prior or posterior has none by channel')
            by_channel = [float('nan')] * len(group['activity_by_channel'])
        cells = [f'{c:5}: {kl:7.3f} ({activity:.3f})' for c, (kl, activity) in enumerate(
            zip(by_channel, group['activity_by_channel']))]
        lines += [''.join(cells[at:at + 4]) for at in range(0, len(cells), 4)]
    for i, group in enumerate(groups):
        if group['active'] < group['units']:
            lines.append(f'\nwarning: group {i}: {group["units"] - group["active"]} of '
                         f'{group["units"]} units are not active (Cov E[z] <= {_ACTIVE}); more '
                         '--free_bits or --kl_warmup_epochs may wake them.')
    return '\n'.join(lines)


def _posterior(vae: vaes.LatentModel, images: np.ndarray, draws: int, seed: int) -> tuple[
        list[tuple[np.ndarray, ...]], list[np.ndarray]]:
    """Returns, for each group, two means of latents and the mean divergence by channel.

    The means are those of one half of the draws and of the other.
    """
    @tf.function(reduce_retracing=True, autograph=False)
    def draw(batch: tf.Tensor, number: tf.Tensor,
             features: Any) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        inferred = vae.infer(batch, [seed, number], features=features)
        return inferred.latents, [tf.reduce_sum(kl, 0) for kl in inferred.kl]
    encode = tf.function(vae.features, reduce_retracing=True, autograph=False)
    halves, divergences = [], []
    for start in range(0, len(images), _BATCH):
        batch = tf.constant(images[start:start + _BATCH])
        features = encode(batch)
        drawn = [draw(batch, tf.constant(start * draws + i), features) for i in range(draws)]
        halves.append([[tf.add_n([z[group] for z, _ in half]) * (2 / draws)
                        for half in (drawn[::2], drawn[1::2])]
                       for group in range(len(vae.latent_shapes))])
        divergences.append([tf.add_n([kl[group] for _, kl in drawn]) / draws
                            for group in range(len(vae.latent_shapes))])
    means = [tuple(np.concatenate(parts).astype(np.float64) for parts in zip(*group))
             for group in zip(*halves)]
    return means, [np.stack(parts).sum(axis=0, dtype=np.float64) / len(images)
                   for parts in zip(*divergences)]
