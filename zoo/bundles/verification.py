"""`verify`: checks that a bundle still answers as it did when it was written."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from zoo.bundles import reading
from zoo.cli import errors

_LEVELS_SHARE = .01  # This share of integers may differ by one level, on other devices.
_RELATIVE = 1e-3  # Real answers may differ by this part of themselves, on other devices.

_Units = np.ndarray | int  # What differences are measured in.


def verify(bundle: reading.Bundle) -> Iterator[str]:
    """Yields one line for each signature of a bundle, and one for the round trip.

    Raises:
        UsageError: If TensorFlow cannot read the bundle.
        Failure: If an answer differs; the message names the signature.
    """
    model = bundle.load()
    with np.load(bundle.path / 'golden.npz') as file:
        golden = dict(file)
    events = golden[bundle.kind]
    given = {**golden, 'first': events, 'second': events[::-1]}
    levels = [f'level_{i}' for i in range(len(bundle.about['latent_shapes']))]
    units = _units(bundle)
    for name in bundle.about['signatures']:
        answers = _ask(model, name, given)
        pairs = [(answer, golden[key if key in levels else name],
                  units if key == bundle.kind else 1) for key, answer in answers.items()]
        worst = max(_difference(name, *pair) for pair in pairs)
        yield f'{name}: {worst}'
    again = _ask(model, 'decode', {**given, **_ask(model, 'encode', given)})[bundle.kind]
    yield f'decode(encode({bundle.kind})): {_round_trip(bundle, again, golden, units)}'


def _round_trip(bundle: reading.Bundle, again: np.ndarray, golden: Mapping[str, np.ndarray],
                units: _Units) -> str:
    """Returns in words how far decoded events are from the golden ones.

    Those of a VAE are compared with its reconstructions of the golden ones.

    Raises:
        Failure: If they are too far.
    """
    events, before = golden[bundle.kind], bundle.about['round_trip_errors']
    if bundle.family == 'vae':
        return _difference('decode', again, golden['reconstruct'], units)
    if bundle.kind == 'images':
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


def _units(bundle: reading.Bundle) -> _Units:
    """Returns the units of differences between events: of vectors, each column's deviation."""
    return np.array(bundle.about['std']) if bundle.kind == 'vectors' else 1


def _ask(model: Any, name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the answers of a signature, which takes those of the inputs that it knows.

    Raises:
        Failure: If it gives no answer.
    """
    import tensorflow as tf
    try:
        question = model.signatures[name]
        wanted = question.structured_input_signature[1]
        answers = question(**{key: tf.constant(inputs[key]) for key in wanted})
        return {key: value.numpy() for key, value in answers.items()}
    except (KeyError, TypeError, tf.errors.OpError) as error:
        raise errors.Failure(f'{name}: it gives no answer ({reading.one_line(error)}).') from error


def _difference(name: str, answer: np.ndarray, expected: np.ndarray, units: _Units) -> str:
    """Returns in words how far an answer is from the expected one.

    Real numbers may be off by a part of their size plus one unit.

    Raises:
        Failure: If it is too far; the message names the signature.
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
