"""Every hyper-parameter says what it is and refuses what it cannot be; recipes pass."""

import dataclasses
import math

import pytest

from zoo.cli import errors, ranges
from zoo.models import recipe, registry

CONFIGS = {'training': recipe.Training} | {
    name: spec.config for name, spec in sorted(registry.MODELS.items())}
HUGE = 10**400  # It is no float, and not finite as one.


def kind_of(config, field):
    return recipe.types(config)[field.name]


def each(wanted=lambda config, field: True):
    """Runs a test for each field of each config, or for those that are `wanted`."""
    return pytest.mark.parametrize('config, field', [
        pytest.param(config, field, id=f'{name}-{field.name}')
        for name, config in CONFIGS.items() for field in dataclasses.fields(config)
        if wanted(config, field)])


def refused(config, field, value, rule=''):
    with pytest.raises(errors.UsageError) as caught:
        config(**{field.name: value})
    message = str(caught.value)
    assert message.startswith(f'--{field.name} must be {rule}')
    assert message.endswith(f'; got {value!r}.') and '\n' not in message


def some_of(values):
    """Returns the values that a `used_with` stands for: those of a tuple, or a range's ends."""
    if not isinstance(values, ranges.Range):
        return list(values)
    return [values.least + values.open_below]


@each()
def test_help(config, field):
    text = field.metadata['help']
    assert text[0].isupper() or text.split()[0] in (field.metadata['choices'] or ())
    assert text.endswith('.') and text == ' '.join(text.split())


@each()
def test_values_that_are_none_of_its_own(config, field):
    kind = kind_of(config, field)
    for value in (None, [], b'1', object):
        refused(config, field, value)
    if kind is not str:
        refused(config, field, '1')
    if kind is not bool:
        refused(config, field, True)
    if kind in (str, bool):
        refused(config, field, 1)


@each(lambda config, field: kind_of(config, field) in (int, float))
def test_numbers(config, field):
    kind = kind_of(config, field)
    limits = recipe.limits_of(field, kind)
    for value in (math.nan, math.inf, -math.inf, HUGE, -HUGE):
        refused(config, field, value)
    least, most = limits.least, limits.most
    refused(config, field, kind(least - 1), limits.rule(least - 1).removeprefix('must be '))
    if limits.open_below:
        refused(config, field, kind(least))
    else:
        smallest = config(**{field.name: kind(least)})
        assert getattr(smallest, field.name) == least
    if most is not None:
        refused(config, field, kind(most + 1), limits.rule(most + 1).removeprefix('must be '))
        if limits.open_above:
            refused(config, field, kind(most))
    if limits.parity:
        refused(config, field, kind(least + 1))
    if kind is int:
        assert limits.most is not None and limits.most < 2**31
        refused(config, field, 1.5, 'an integer')
        refused(config, field, 10**11)


@each(lambda config, field: field.metadata['choices'] is not None)
def test_choices(config, field):
    choices = field.metadata['choices']
    assert kind_of(config, field) is str and len(set(choices)) == len(choices)
    for choice in choices:
        assert getattr(config(**{field.name: choice}), field.name) == choice
    for other in ('none of these', choices[0].upper() or ' ', f'{choices[0]} '):
        refused(config, field, other, 'one of')


@each(lambda config, field: field.metadata['check'] is not None)
def test_texts_that_are_checked(config, field):
    assert kind_of(config, field) is str
    for text in ('none of these', '0', '-1', 'nan', 'inf', '1;2', ' '):
        refused(config, field, text)


@each(lambda config, field: field.metadata['used_with'])
def test_what_it_is_used_with(config, field):
    """The other fields exist and take the values; with any other value it has no use."""
    names = {f.name: f for f in dataclasses.fields(config)}
    used_with = field.metadata['used_with']
    useful = {other: some_of(values)[0] for other, values in used_with.items()}
    assert config(**useful).unused(field.name) is None
    for other, values in used_with.items():
        assert other in names and other != field.name
        for value in some_of(values):
            assert value in values
            assert config(**useful | {other: value}).unused(field.name) is None
        others = names[other].metadata['choices'] or {
            bool: (True, False), str: ('1',), int: [
                value for value in (0, 1) if value in (recipe.limits_of(names[other], int) or ())],
        }[kind_of(config, names[other])]
        useless = [value for value in others if value not in values]
        for value in useless:
            reason = config(**useful | {other: value}).unused(field.name)
            assert reason.startswith(f'must be left out with --{other}={value}: it is used with ')
        assert useless
    assert recipe.conditions(field).count('--') >= len(used_with)


@pytest.mark.parametrize('name', CONFIGS)
def test_defaults_pass(name):
    config = CONFIGS[name]()
    kinds = recipe.types(config)
    assert dataclasses.replace(config) == config
    for field in dataclasses.fields(config):
        assert type(getattr(config, field.name)) is kinds[field.name]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, next(iter(kinds)), None)


@pytest.mark.parametrize('model, name', [
    (model, name) for model, spec in sorted(registry.MODELS.items()) for name in spec.recipes])
def test_recipes_pass(model, name):
    chosen = registry.spec(model).recipes[name]
    for part in (chosen.config, chosen.training):
        kinds = recipe.types(part)
        assert type(part)(**dataclasses.asdict(part)) == part
        for key, value in dataclasses.asdict(part).items():
            assert type(value) is kinds[key]
