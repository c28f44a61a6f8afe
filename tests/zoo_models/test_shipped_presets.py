"""The presets of the package are whole and small, and are as their cards and the README say."""

import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import tiny_run
from absl import flags
from absl.testing import flagsaver

import zoo
from zoo.cli import parsing, recipe_flags
from zoo.models import registry
from zoo.runs import preset_folder
from zoo.runs import run as runs

README = (pathlib.Path(zoo.__file__).parent.parent / 'README.md').read_text()
NAMES = preset_folder.names()


def card(name):
    return json.loads((preset_folder.FOLDER / name / 'card.json').read_text())


def test_what_ships():
    wanted = {f'{model}_fashion_mnist' for model in (
        'flow_pp', 'glow', 'glow_conditional', 'idf', 'maf', 'nice', 'real_nvp')}
    wanted |= {f'{model}_vae_fashion_mnist' for model in ('conv', 'dense', 'pixel', 'resnet')}
    wanted |= {'glow_digits', 'glow_photos32', 'idf_photo_patches'}
    assert wanted <= set(NAMES) == set(zoo.list_presets())
    size = sum(path.stat().st_size for path in preset_folder.FOLDER.rglob('*') if path.is_file())
    assert size <= 42e6


@pytest.mark.parametrize('name', NAMES)
def test_the_command_on_the_card_is_that_of_the_run(name):
    """It is so word for word: recipes may not change under the presets that name them."""
    told = card(name)
    config = json.loads((preset_folder.FOLDER / name / 'config.json').read_text())
    run = runs.Run.from_json(config['run'])
    program, *words = told['command'].split(' --')
    assert program == 'python -m zoo.train' and words.pop() == 'workdir=RUN'
    with tiny_run.imported('train') as train, flagsaver.flagsaver():
        parsing.parse(['train', *(f'--{word}' for word in words)],
                            define=train.training_flags.define)
        given = flags.FLAGS
        chosen = registry.recipe(given.model, given.recipe, given.dataset)
        again = runs.Run(given.model, given.dataset, chosen.name, given.pad, given.flips,
                         recipe_flags.overridden(chosen.config),
                         recipe_flags.overridden(chosen.training))
        recipe_flags.check_used(again.config)
        stop_after = given.stop_after
    assert again == run
    stopped_early = told['epochs'] - run.training.early_stopping == told.get('epoch')
    assert (told['epochs'] == (stop_after or run.training.epochs) or stopped_early
            or f'Stopped after epoch {told["epochs"]}' in told['note'])


@pytest.mark.parametrize('name', NAMES)
def test_the_card_and_the_readme_agree(name):
    told, text = card(name), (preset_folder.FOLDER / name / 'card.md').read_text()
    preset_folder.check_sums(preset_folder.FOLDER / name)
    for word in ('**Data**', '**Test**', '**Training**', '**Command**', '**Licence**',
                 f'{told["training_seconds"]:,.0f} s', f'seed {told["seed"]}', told['command'],
                 '(curve.png)', '(samples.png)'):
        assert word in text
    link = re.escape(f'[card](zoo/presets/{name}/card.md)')
    row, = re.findall(rf'\| `{name}`.* \| (.*) \| (.*) MB \| {link}', README)
    figure = (f'{told["nats"]:.2f} ± {told["nats_standard_error"]:.2f} nats' if 'nats' in told
              else f'{told["bits_per_dim"]:.3f} ± {told["standard_error"]:.3f} bits/dim')
    assert figure in row[0]
    size = (preset_folder.FOLDER / name / 'weights.npz').stat().st_size
    assert row[1] == f'{size / 1e6:.1f}'


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_each_loads_and_samples(name):
    preset = zoo.from_preset(name)
    labels = {'condition': np.arange(2)} if preset.run.conditional else {}
    drawn = preset.distribution.sample(2, [1, 2], **labels)
    assert drawn.shape == (2, *preset.events.event_shape) and np.all(np.isfinite(drawn))


@pytest.mark.slow
@pytest.mark.parametrize('name', ['glow_fashion_mnist', 'flow_pp_fashion_mnist'])
def test_samples_come_within_ten_seconds_of_a_cold_start(name):
    """The test counts a core's time: other work of the machine is not the preset's fault."""
    code = f'import time, zoo; zoo.load({name!r}).sample(64, seed=1); print(time.process_time())'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True,
                          cwd=pathlib.Path(zoo.__file__).parent.parent)
    assert float(done.stdout) <= 10
