"""Tests the hyper-parameters of all models: help, ranges and what they are used with."""

import dataclasses
import subprocess
import sys

import pytest

from zoo.cli import errors, ranges
from zoo.models import recipe, registry

CONFIGS = {name: spec.config for name, spec in registry.MODELS.items()} | {
    'training': recipe.Training}
FIELDS = [pytest.param(config, field, id=f'{name}.{field.name}')
          for name, config in CONFIGS.items() for field in dataclasses.fields(config)]


def test_no_model_imports_a_library_before_it_is_built():
    code = ('import sys, zoo.models.registry; '
            'print([name for name in ("tensorflow", "keras", "numpy") if name in sys.modules])')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'


@pytest.mark.parametrize('config, field', FIELDS)
def test_help_is_a_sentence(config, field):
    words = field.metadata['help']
    assert words[0].isupper() and words.endswith('.') and '  ' not in words


@pytest.mark.parametrize('config, field', FIELDS)
def test_a_field_is_used_with_values_that_others_take(config, field):
    for other, values in field.metadata['used_with'].items():
        assert other != field.name
        for value in (values.least,) if isinstance(values, ranges.Range) else values:
            assert getattr(config(**{other: value}), other) == value
    if field.metadata['used_with']:
        assert any(config(**dict.fromkeys([other], value)).unused(field.name)
                   for other, value in unlike(config, field)), 'it is always used'


def unlike(config, field):
    """Returns values of other fields with which a field has no use."""
    by_name = {f.name: f for f in dataclasses.fields(config)}
    for other, values in field.metadata['used_with'].items():
        if isinstance(values, ranges.Range):
            yield other, values.least - 1
        elif set(values) <= {True, False}:
            yield other, not values[0]
        elif values == ('',):
            yield other, '1'
        else:
            yield from ((other, c) for c in by_name[other].metadata['choices'] if c not in values)


@pytest.mark.parametrize('model, values, words', [
    ('glow', {'levels': 17}, r'--levels must be in \[1, 16\]; got 17.'),
    ('maf', {'spline_bins': 1}, r'--spline_bins must be in \[2, 99\]; got 1.'),
    ('maf', {'spline_bins': 100}, r'--spline_bins must be in \[2, 99\]; got 100.'),
    ('pixel_vae', {'kernel_size': 1}, '--kernel_size must be odd and at least 3; got 1.'),
    ('pixel_vae', {'first_kernel_size': 4}, '--first_kernel_size must be odd and .*; got 4.'),
    ('idf', {'share': 1.}, r'--share must be in \(0, 1\); got 1.0.'),
    ('idf', {'activation': 'tanh'}, "--activation must be one of relu, swish; got 'tanh'."),
    ('real_nvp', {'alpha': .5}, r'--alpha must be in \(0, 0.5\); got 0.5.')])
def test_values_that_no_model_can_have_are_refused(model, values, words):
    with pytest.raises(errors.UsageError, match=words):
        registry.spec(model).config(**values)


@pytest.mark.parametrize('model, values, name, words', [
    ('conv_vae', {'likelihood': 'normal'}, 'components',
     "must be left out with --likelihood=normal: it is used with --likelihood='' or "
     '--likelihood=mixture only'),
    ('dense_vae', {'prior': 'made'}, 'prior_layers', 'must be left out with --prior=made'),
    ('dense_vae', {'prior': 'maf'}, 'closed_form_kl', 'must be left out with --prior=maf'),
    ('resnet_vae', {'posterior': 'iaf'}, 'closed_form_kl', 'must be left out with --posterior'),
    ('pixel_vae', {'pixel_blocks': 1}, 'kernel_size', 'must be left out with --pixel_blocks=1'),
    ('flow_pp', {'noise_steps': 0}, 'noise_width', 'must be left out with --noise_steps=0'),
    ('idf', {'levels': 1}, 'coarse_width', 'must be left out with --levels=1')])
def test_values_without_a_use_are_told(model, values, name, words):
    assert registry.spec(model).config(**values).unused(name).startswith(words)


@pytest.mark.parametrize('model, values, name', [
    ('conv_vae', {'likelihood': 'mixture'}, 'components'), ('conv_vae', {}, 'components'),
    ('pixel_vae', {'posterior': 'iaf'}, 'components'), ('pixel_vae', {}, 'first_kernel_size'),
    ('resnet_vae', {'posterior': 'gaussian'}, 'closed_form_kl'),
    ('dense_vae', {'prior': 'made'}, 'prior_hidden'), ('idf', {}, 'stay_share')])
def test_values_with_a_use_are_not_refused(model, values, name):
    assert registry.spec(model).config(**values).unused(name) is None
