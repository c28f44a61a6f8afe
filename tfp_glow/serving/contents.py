"""Writes what lies beside the SavedModel in a bundle.

This is `golden.npz`, which holds golden inputs and outputs, and `bundle.json`.
"""

import hashlib
import json
import pathlib
import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow
from tfp_glow.serving.module import AnyAnswers, Module

FORMAT = 1
_EVENTS, _TEMPERATURE, _SEED, _STEPS = 4, .7, 7, 3


def golden(answers: AnyAnswers, module: Module,
           events: np.ndarray | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns `(inputs, outputs)` of every question of `module`, dictionaries of arrays by name.

    Args:
        answers: The `Answers` that `module` was made from.
        module: A `Module`.
        events: The events to ask about, `[N, ...]`. By default they are four samples.

    Raises:
        ValueError: If the samples or the densities of the flow or VAE are not finite.
    """
    inputs: dict[str, Any] = {'temperature': np.float32(_TEMPERATURE), 'seed': np.int32(_SEED),
              'steps': np.int32(_STEPS)}

    def set_count(count: int) -> None:
        inputs['n'] = np.int32(count)
        if answers.classes is not None:
            inputs['label'] = np.arange(count, dtype=np.int32) % answers.classes

    def ask(name: str, **others: Any) -> Any:
        given = dict(inputs, **others)
        return getattr(module, name)(*[given[key] for key in answers.questions[name]])
    outputs: dict[str, Any] = {}
    try:
        if events is None:
            set_count(_EVENTS)
            events = ask('sample', temperature=np.float32(1)).numpy()
        set_count(len(events))
        outputs['sample'] = ask('sample')
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(f'{answers.model_type} must give finite samples at temperatures up to 1; '
                         'it gives NaN or infinity.') from error
    inputs[answers.kind] = events
    latents = ask('encode')
    outputs.update({name: ask(name) for name in answers.densities})
    outputs.update({f'level_{i}': z for i, z in enumerate(latents)})
    for name, value in outputs.items():
        if not np.all(np.isfinite(value)):
            raise ValueError(f'{answers.model_type} must give finite values; its {name} of the '
                             f'golden {answers.kind} holds NaN or infinity.')
    given = {'latents': latents, 'first': events, 'second': events[::-1]}
    outputs.update({name: ask(name, **given) for name in answers.questions
                    if name != 'encode' and name not in outputs})
    return inputs, {name: np.asarray(value) for name, value in outputs.items()}


def write(path: pathlib.Path, answers: AnyAnswers, module: Module,
          events: np.ndarray | None) -> None:
    """Adds `golden.npz` and `bundle.json` to the SavedModel at `path`."""
    inputs, outputs = golden(answers, module, events)
    figure, complaint = answers.round_trip(inputs[answers.kind], outputs['decode'])
    if complaint:
        warnings.warn(f'decode(encode({answers.kind})) {complaint} of the golden {answers.kind}: '
                      'the flow is not invertible to the precision of its numbers.', stacklevel=4)
    np.savez_compressed(path / 'golden.npz', **inputs, **outputs)
    about = {
        'format': FORMAT,
        'name': answers.name,
        'kind': answers.kind,
        'classes': answers.classes,
        **answers.about,
        'event_shape': answers.event_shape,
        'latent_shapes': answers.latent_shapes,
        'signatures': list(answers.questions),
        'round_trip_errors': figure,
        'versions': {'tfp_glow': tfp_glow.__version__, 'tensorflow': tf.__version__,
                     'tensorflow_probability': tfp.__version__, 'keras': keras.__version__},
        'sha256': {str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
                   for file in sorted(path.rglob('*')) if file.is_file()},
    }
    (path / 'bundle.json').write_text(json.dumps(about, indent=2) + '\n', encoding='utf-8')
