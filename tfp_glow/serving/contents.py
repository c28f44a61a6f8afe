"""What lies beside the SavedModel in a bundle: golden inputs and outputs, and `bundle.json`."""

import hashlib
import json
import warnings

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow
from tfp_glow.serving import module as modules

FORMAT = 1
_IMAGES, _TEMPERATURE, _SEED, _STEPS = 4, .7, 7, 3


def golden(module, images=None):
    """`(inputs, outputs)` of every question of `module`, dictionaries of arrays by name.

    Args:
      module: a `Module`.
      images: uint8 `[N, H, W, C]`; by default four samples.

    Raises:
      ValueError: the flow's samples or densities are not finite.
    """
    try:
        if images is None:
            images = module.sample(_IMAGES, 1., _SEED).numpy()
        sample = module.sample(_IMAGES, _TEMPERATURE, _SEED)
    except tf.errors.InvalidArgumentError as error:
        raise ValueError('flow must give finite samples at temperatures up to 1; it gives NaN or '
                         'infinity.') from error
    latents = module.encode(images)
    outputs = {
        'sample': sample,
        'log_prob': module.log_prob(images, _SEED),
        'bits_per_dim': module.bits_per_dim(images, _SEED),
        **{f'level_{i}': z for i, z in enumerate(latents)}}
    for name, value in outputs.items():
        if not np.all(np.isfinite(value)):
            raise ValueError(f'flow must give finite values; its {name} of the golden images holds '
                             'NaN or infinity.')
    outputs.update(decode=module.decode(latents),
                   interpolate=module.interpolate(images, images[::-1], _STEPS))
    inputs = {'images': images, 'n': np.int32(_IMAGES), 'temperature': np.float32(_TEMPERATURE),
              'seed': np.int32(_SEED), 'steps': np.int32(_STEPS)}
    return inputs, {name: np.asarray(value) for name, value in outputs.items()}


def write(path, answers, module, images):
    """Adds `golden.npz` and `bundle.json` to the SavedModel at `path`."""
    inputs, outputs = golden(module, images)
    changed = int(np.sum(outputs['decode'] != inputs['images']))
    if changed:
        warnings.warn(f'decode(encode(images)) changes {changed} of {inputs["images"].size} values '
                      'of the golden images: the flow is not invertible to the precision of its '
                      'numbers.', stacklevel=4)
    np.savez_compressed(path / 'golden.npz', **inputs, **outputs)
    about = {
        'format': FORMAT,
        'name': answers.flow.name,
        'bins': answers.bins,
        'image_shape': answers.frame.image_shape,
        'event_shape': answers.frame.event_shape,
        'latent_shapes': answers.latent_shapes,
        'signatures': modules.NAMES,
        'round_trip_errors': changed,
        'versions': {'tfp_glow': tfp_glow.__version__, 'tensorflow': tf.__version__,
                     'tensorflow_probability': tfp.__version__, 'keras': keras.__version__},
        'sha256': {str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
                   for file in sorted(path.rglob('*')) if file.is_file()},
    }
    (path / 'bundle.json').write_text(json.dumps(about, indent=2) + '\n', encoding='utf-8')
