"""Posterior collapse: which latents of a VAE say something of the image, and how much."""

import numpy as np
import tensorflow as tf

_ACTIVE = .01  # Burda's limit.
_BATCH = 100


def report(vae, images, draws=64, seed=0):
    """How much each latent says of `images`, a dictionary ready for JSON.

    A unit, an entry z_u of the latents, is active if its posterior's mean moves with the image:

    ```none
    A_u = Cov over x of E_q(z_u|x) > 0.01
    ```

    The mean is estimated from `draws`, in two independent halves whose covariance over the images
    is A_u without the noise of either. Divergences log q(z|x) - log p(z) are means over images and
    draws, in nats per image and channel, the last axis of a group of latents.

    Args:
        vae: a `tfp_glow.vaes.LatentModel`.
        images: uint8 [N, H, W, C], N at least 2.
        draws: of the posterior for each image, even.
        seed: an int.

    Returns:
        {'images', 'draws', 'kl': nats per image, 'groups': [{'shape', 'units', 'active', 'kl',
        'kl_by_channel', 'activity_by_channel': the largest A_u of each}, ...]}. The divergence by
        channel is that of the group alone, a list of one, where a density does not fall into
        summands.

    Raises:
        ValueError: an argument out of its range.

    References: Burda, Grosse and Salakhutdinov, 2016, arXiv:1509.00519, section 5.2.
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


def text(found):
    """What `report` returned as lines: a table of the groups, their channels, warnings."""
    lines = [f'{"latents":12}{"shape":>14}{"units":>8}{"active":>8}{"KL, nats":>10}']
    for i, group in enumerate(found['groups']):
        shape = 'x'.join(map(str, group['shape']))
        lines.append(f'group {i:<6}{shape:>14}{group["units"]:8}{group["active"]:8}'
                     f'{group["kl"]:10.3f}')
    lines.append(f'{"all":34}{sum(g["active"] for g in found["groups"]):8}{found["kl"]:10.3f}')
    for i, group in enumerate(found['groups']):
        lines += ['', f'group {i}, KL of each channel in nats (largest activity of its units):']
        by_channel = group['kl_by_channel']
        if len(by_channel) < len(group['activity_by_channel']):
            lines.append('  the flow of the prior or posterior has none by channel')
            by_channel = [float('nan')] * len(group['activity_by_channel'])
        cells = [f'{c:5}: {kl:7.3f} ({activity:.3f})' for c, (kl, activity) in enumerate(
            zip(by_channel, group['activity_by_channel']))]
        lines += [''.join(cells[at:at + 4]) for at in range(0, len(cells), 4)]
    for i, group in enumerate(found['groups']):
        if group['active'] < group['units']:
            lines.append(f'\nwarning: group {i}: {group["units"] - group["active"]} of '
                         f'{group["units"]} units are not active (Cov E[z] <= {_ACTIVE}); more '
                         '--free_bits or --kl_warmup_epochs may wake them.')
    return '\n'.join(lines)


def _posterior(vae, images, draws, seed):
    """`[(mean of half the draws, of the other half)], [mean divergence by channel]` by group."""
    @tf.function(reduce_retracing=True)
    def draw(batch, number, features):
        found = vae.infer(batch, [seed, number], features=features)
        return found.latents, [tf.reduce_sum(kl, 0) for kl in found.kl]
    encode = tf.function(vae.features, reduce_retracing=True)
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
    return means, [np.sum(parts, axis=0, dtype=np.float64) / len(images)
                   for parts in zip(*divergences)]
