"""`verify`: does a bundle still answer as it did when it was written?"""

import numpy as np

from zoo.bundles import reading
from zoo.cli import errors

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
    events = golden[found.kind]
    given = {**golden, 'first': events, 'second': events[::-1]}
    levels = [f'level_{i}' for i in range(len(found.about['latent_shapes']))]
    units = _units(found)
    for name in found.about['signatures']:
        answers = _ask(model, name, given)
        pairs = [(answer, golden[key if key in levels else name], units if key == found.kind else 1)
                 for key, answer in answers.items()]
        worst = max(_difference(name, *pair) for pair in pairs)
        yield f'{name}: {worst}'
    again = _ask(model, 'decode', {**given, **_ask(model, 'encode', given)})[found.kind]
    yield f'decode(encode({found.kind})): {_round_trip(found, again, golden, units)}'


def _round_trip(found, again, golden, units):
    """Returns how far `again` is from the golden events, in words, or raises if that is too far.

    A VAE's shall be its reconstructions of them.
    """
    events, before = golden[found.kind], found.about['round_trip_errors']
    if found.family == 'vae':
        return _difference('decode', again, golden['reconstruct'], units)
    if found.kind == 'images':
        changed = int(np.sum(again != events))
        if changed > before:
            raise errors.Failure(f'decode: it must undo encode on the golden images, but for '
                                 f'{before} values; {changed} of {events.size} differ.')
        return f'{changed} of {events.size} values differ'
    error = np.max(np.abs(again.astype(np.float64) - events) / units)
    allowed = max(_RELATIVE, 2 * before)
    if not error <= allowed:
        raise errors.Failure(f'decode: it must undo encode on the golden vectors within '
                             f'{allowed:.1e} std; {error:.1e}.')
    return f'within {error:.1e} std'


def _units(found):
    """What differences between events are measured in: each column's std."""
    return np.array(found.about['std']) if found.kind == 'vectors' else 1


def _ask(model, name, inputs):
    """Returns the answers to question `name`, which takes those of `inputs` that it knows."""
    import tensorflow as tf
    try:
        question = model.signatures[name]
        wanted = question.structured_input_signature[1]
        answers = question(**{key: tf.constant(inputs[key]) for key in wanted})
        return {key: value.numpy() for key, value in answers.items()}
    except (KeyError, TypeError, tf.errors.OpError) as error:
        raise errors.Failure(f'{name}: it gives no answer ({reading.one_line(error)}).') from error


def _difference(name, answer, expected, units):
    """Returns how far `answer` is from `expected`, in words, or raises if that is too far.

    Real numbers may be off by a part of their size in `units`, or of one unit.
    """
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
        relative = np.max(np.abs(answer - expected) / (units + np.abs(expected)))
        text = f'within {relative:.1e}'
        wrong, rule = not relative <= _RELATIVE, f'{_RELATIVE:g} of the golden values'
    if wrong:
        raise errors.Failure(f'{name}: it must be within {rule}; {text}.')
    return text
