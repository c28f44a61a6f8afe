"""How often a run is kept is a time or a number of steps."""

import pytest

from zoo.cli import errors
from zoo.runs import settings


@pytest.mark.parametrize('text, steps, seconds', [
    ('10m', None, 600.), ('30s', None, 30.), ('2h', None, 7200.), ('500steps', 500, None)])
def test_intervals(text, steps, seconds):
    assert settings.interval(text) == (steps, seconds)


@pytest.mark.parametrize('text', ['', '10', '0m', '-1m', 'm', '1d', '1.5h', 'steps', 'nan', '5 m'])
def test_what_is_no_interval(text):
    with pytest.raises(errors.UsageError, match='--save_every must be a time such as'):
        settings.Settings(save_every=text)


def test_a_value_without_a_default_may_be_none():
    assert settings.Settings(sample_temperature=None, importance_samples=5).importance_samples == 5
    with pytest.raises(errors.UsageError, match='--importance_samples must be at least 1'):
        settings.Settings(importance_samples=0)
    with pytest.raises(errors.UsageError, match='--keep must be an integer'):
        settings.Settings(keep=None)
