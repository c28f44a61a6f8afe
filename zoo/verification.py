"""`verify`: does a bundle still answer as it did when it was written?"""

import numpy as np

from zoo import bundle, errors

_LEVELS_SHARE = .01  # of integers that may differ by one level, on other devices
_RELATIVE = 1e-3  # by which real answers may differ, on other devices


def verify(found):
    """Yields one line per signature of the `Bundle` `found`, and one for the round trip.

    Raises:
        Failure: an answer differs; names the signature.
    """
    model = found.load()
    with np.load(found.path / 'golden.npz') as file:
        golden = dict(file)
    images = golden['images']
    levels = [f'level_{i}' for i in range(len(found.about['latent_shapes']))]
    latents = {name: golden[name] for name in levels}
    seeded = {'images': images, 'seed': golden['seed']}
    questions = {
        'sample': {key: golden[key] for key in ('n', 'temperature', 'seed')},
        'log_prob': seeded,
        'bits_per_dim': seeded,
        'encode': {'images': images},
        'decode': latents,
        'interpolate': {'first': images, 'second': images[::-1], 'steps': golden['steps']},
    }
    for name, inputs in questions.items():
        answers = _ask(model, name, inputs)
        if name == 'encode':
            pairs = [(answers[level], latents[level]) for level in levels]
        else:
            pairs = [(answer, golden[name]) for answer in answers.values()]
        worst = max(_difference(name, *pair) for pair in pairs)
        yield f'{name}: {worst}'
    again = _ask(model, 'decode', _ask(model, 'encode', {'images': images}))['images']
    changed, before = int(np.sum(again != images)), found.about['round_trip_errors']
    if changed > before:
        raise errors.Failure(f'decode: it must undo encode on the golden images, but for {before} '
                             f'values; {changed} of {images.size} differ.')
    yield f'decode(encode(images)): {changed} of {images.size} values differ'


def _ask(model, name, inputs):
    import tensorflow as tf
    try:
        answers = model.signatures[name](**{k: tf.constant(v) for k, v in inputs.items()})
        return {key: value.numpy() for key, value in answers.items()}
    except (KeyError, TypeError, tf.errors.OpError) as error:
        raise errors.Failure(f'{name}: it gives no answer ({bundle.one_line(error)}).') from error


def _difference(name, answer, expected):
    """Returns how far `answer` is from `expected`, in words, or raises if that is too far."""
    if answer.shape != expected.shape or answer.dtype != expected.dtype:
        raise errors.Failure(f'{name}: it must give {expected.dtype} {list(expected.shape)}; got '
                             f'{answer.dtype} {list(answer.shape)}.')
    if np.issubdtype(expected.dtype, np.integer):
        steps = np.abs(answer.astype(int) - expected)
        text = (f'{np.sum(steps > 0)} of {steps.size} values differ'
                + (f', by {steps.max()} at most' if steps.any() else ''))
        wrong = steps.max() > 1 or np.mean(steps > 0) > _LEVELS_SHARE
        rule = f'one level in {_LEVELS_SHARE:.0%} of the values'
    else:
        relative = np.max(np.abs(answer - expected) / (1 + np.abs(expected)))
        text = f'within {relative:.1e}'
        wrong, rule = not relative <= _RELATIVE, f'{_RELATIVE:g} of the golden values'
    if wrong:
        raise errors.Failure(f'{name}: it must be within {rule}; {text}.')
    return text
