"""Tests `--help` of all programs, each in a process, and how soon a wrong flag is reported."""

import ast
import dataclasses
import itertools
import os
import pathlib
import resource
import subprocess
import sys

import pytest

from zoo.models import glow, recipe, registry
from zoo.runs.settings import Settings

ROOT = pathlib.Path(__file__).parents[2]
PROGRAMS = sorted(path.stem for path in (ROOT / 'zoo').glob('*.py') if path.stem != '__init__')


def run(name, *arguments):
    return subprocess.run([sys.executable, '-m', f'zoo.{name}', *arguments], check=False,
                          capture_output=True, text=True, timeout=300, cwd=ROOT)


def defined(name):
    """Returns the flags that a program's source defines, by the names that it spells out."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / 'zoo' / f'{name}.py').read_text(encoding='utf-8'))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        module = getattr(node.func.value, 'id', None)
        if module == 'number_flags' or (module == 'flags' and node.func.attr.startswith('DEFINE')):
            names.add(node.args[0].value)
        elif module == 'evaluation_flags':
            names.add(node.func.attr)
        elif module == 'source_flags':
            names |= {'data_dir'} | ({'workdir', 'preset'} if node.func.attr == 'define' else set())
    return names


def entries(text):
    """Returns `{flag: what is said of it}`."""
    parts = text.split('\n    --')[1:]
    names = [part.split(maxsplit=1)[0].removeprefix('[no]') for part in parts]
    return {name: ' '.join(part.split('\n\n')[0].split()[1:]) for name, part in zip(names, parts)}


def test_there_are_fifteen_programs():
    assert len(PROGRAMS) == 15


@pytest.mark.parametrize('name', PROGRAMS)
def test_help_has_every_flag(name):
    done = run(name, '--help')
    assert done.returncode == 0 and not done.stderr
    source = ast.parse((ROOT / 'zoo' / f'{name}.py').read_text(encoding='utf-8'))
    assert done.stdout.startswith(ast.get_docstring(source, clean=False).split('\n')[0])
    texts = entries(done.stdout)
    expected = defined(name)
    if name == 'train':
        expected |= {f.name for c in (Settings, recipe.Training, glow.Config)
                     for f in dataclasses.fields(c)}
    assert len(expected) > 2 and set(texts) == expected | {'flagfile=FILE'}
    assert all(about for about in texts.values())
    assert f'python -m zoo.{name} ' in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 110


def test_help_of_train_is_in_groups():
    text = run('train', '--dataset=digits', '--help').stdout
    heads = ['run:', 'data:', 'training, with defaults of the recipe digits:',
             'model glow, with defaults of the recipe digits:',
             'models (--model):', 'recipes of glow (--recipe):', 'data sets (--dataset):',
             'examples:']
    lines = text.splitlines()
    assert [line for line in lines if line in heads] == heads
    groups = {head: entries('\n'.join(lines[lines.index(head):lines.index(after)]))
              for head, after in itertools.pairwise(heads[:5])}
    assert {'workdir', 'resume', 'verbose'} <= set(groups['run:'])
    assert {'dataset', 'data_dir', 'pad', 'bits'} <= set(groups['data:'])
    assert {'epochs', 'learning_rate', 'seed'} <= set(groups[heads[2]])
    of_model = groups[heads[3]]
    assert set(of_model) == {f.name for f in dataclasses.fields(glow.Config)}
    assert '[integer at least 1; default: 64]' in of_model['width']
    assert '[number in [0, 1); used with --coupling=affine; default: 0.1]' in (
        of_model['minimum_scale'])
    assert '[one of affine, additive; default: affine]' in of_model['coupling']
    assert '[integer at least 1; default: 30]' in groups[heads[2]]['epochs']
    last = text[text.index('models (--model):'):]
    assert all(f'    {name} ' in last for name in registry.MODELS)
    assert all(name in last for name in (*glow.RECIPES, 'digits', 'photo_patches', 'moons', '.csv'))
    assert last.count('python -m zoo.train ') == 2


def test_help_of_a_model_is_its_own():
    """It has its own text for a flag that others have too, and its recipe's defaults."""
    texts = entries(run('train', '--model=conv_vae', '--help').stdout)
    assert texts['width'].startswith('Number of channels of the first level')
    assert 'coupling' not in texts
    assert 'used with --posterior=iaf' in texts['iaf_steps']
    texts = entries(run('train', '--dataset=digits', '--recipe=paper', '--help').stdout)
    assert 'default: 512' in texts['width'] and 'default: adamax' in texts['optimizer']
    texts = entries(run('train', '--help').stdout)  # It has the small recipe.
    assert 'default: fitted to the data, about 6,000 steps' in texts['epochs']


def test_help_beside_a_wrong_flag_shows_both():
    for flag, name in (('--width=0', '--width'), ('--hidden=3', '--hidden'), ('--x=1', '--x')):
        done = run('train', '--help', flag)
        assert done.returncode == 2 and 'examples:' in done.stdout
        line, = done.stderr.splitlines()
        assert line.startswith(f'error: {name} ')


def test_answers_come_soon():
    """The test counts CPU seconds, not those of a clock: the machine may have other work."""
    for limit, status, arguments in (
            (1, 2, ['--dataset=digits', '--workdir=x', '--width=0']), (2, 0, ['--help']),
            (3, 2, ['--dataset=no_such_set', '--workdir=x'])):
        before = _seconds_of_children()
        assert run('train', *arguments).returncode == status
        assert _seconds_of_children() - before < limit, arguments
    assert not os.path.exists(ROOT / 'x')


def _seconds_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
