"""`zoo.from_preset` reads the presets that `zoo.publish` writes, or refuses them."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import tiny_run
from PIL import Image

import zoo
from zoo.cli import errors
from zoo.models.options import Events
from zoo.runs import opening, preset, preset_folder
from zoo.runs import run as runs
from zoo.runs.directory import Directory


@pytest.fixture(scope='module')
def loaded(digits_preset):
    return zoo.from_preset(digits_preset)


@pytest.fixture
def copy(digits_preset, tmp_path):
    return shutil.copytree(digits_preset, tmp_path / 'copy')


def sign(folder):
    """Writes the sums anew, as if the files had been written so."""
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in preset_folder.FILES}
    (folder / 'sha256.json').write_text(json.dumps(sums))


def refused(folder, *words):
    with pytest.raises(errors.UsageError) as caught:
        zoo.from_preset(folder)
    message = str(caught.value)
    assert '\n' not in message and message.startswith('preset ')
    assert all(word in message for word in words), message


def test_a_preset_has_the_averaged_weights_of_its_run(loaded, digits_run):
    trained = opening.load(digits_run, digits_run.parent / 'data')
    model, images = trained.model, trained.data.take('test', 20)
    with trained.averaged_weights():
        expected = model.bits(images, [1, 2]).numpy()
    np.testing.assert_allclose(loaded.model.bits(images, [1, 2]), expected, rtol=1e-6)
    assert np.all(np.abs(model.bits(images, [1, 2]) - expected) > 1e-4)  # It has its own weights.


def test_rounded_weights(digits_run, loaded, tmp_path):
    """They are the nearest floats of 10 bits, as NumPy's float16 has; the card tells of them."""
    with tiny_run.program('publish') as publish:
        publish(workdir=digits_run, data_dir=digits_run.parent / 'data', out=tmp_path / 'rounded',
                samples=4, mantissa_bits=10)
    rounded = zoo.from_preset(tmp_path / 'rounded')
    for new, old in zip(rounded.flow.trainable_variables, loaded.flow.trainable_variables,
                        strict=True):
        power = 2.**np.floor(np.log2(np.maximum(np.abs(old), 1e-30)))  # Mantissas are in [1, 2).
        expected = np.float16(old / power).astype(np.float32) * power
        np.testing.assert_array_equal(np.abs(new - expected) <= 1e-3 * power, True)
        assert np.mean(new == expected) > .99  # The others are ties.
    sizes = [(folder / 'weights.npz').stat().st_size for folder in (rounded.path, loaded.path)]
    assert sizes[0] < sizes[1]
    assert rounded.card['bits_per_dim'] != loaded.card['bits_per_dim']
    assert 'rounded to 10 bits of mantissa' in (rounded.path / 'card.md').read_text()
    assert 'rounded' not in (loaded.path / 'card.md').read_text()


@pytest.mark.slow
def test_a_smaller_preset_of_a_preset(digits_run, loaded, tmp_path):
    """It is what the run itself gives, except for its name."""
    with tiny_run.program('publish') as publish:
        options = {'data_dir': digits_run.parent / 'data', 'samples': 4, 'mantissa_bits': 6}
        publish(workdir=digits_run, out=tmp_path / 'run', **options)
        publish(preset=loaded.path, out=tmp_path / 'preset', **options)
    for name in ('weights.npz', 'curve.png', 'samples.png', 'config.json'):
        one, other = ((tmp_path / folder / name).read_bytes() for folder in ('run', 'preset'))
        assert one == other, name
    one, other = (json.loads((tmp_path / folder / 'card.json').read_text())
                  for folder in ('run', 'preset'))
    assert one | {'note': loaded.card['note']} == other


def test_what_is_known_of_a_preset(loaded, digits_preset, digits_run):
    assert loaded.name == 'tiny_digits' and loaded.path == digits_preset
    assert loaded.run == Directory(digits_run).read()
    assert loaded.events == Events((8, 8, 1), (8, 8, 1), bins=17, dims=64, classes=None,
                                   examples=1437)
    card = loaded.card
    assert {'images': 180, 'split': 'test', 'seed': 0, 'epochs': 1, 'training_seconds': 2.,
            'licence': 'Apache-2.0', 'estimate': 'maximum likelihood'}.items() <= card.items()
    assert card['weights'] == sum(np.size(v) for v in loaded.flow.trainable_variables)
    assert 0 < card['standard_error'] < card['bits_per_dim'] / 10
    assert max(card['round_trip'].values()) < 1e-3
    assert card['command'].startswith('python -m zoo.train --model=glow --dataset=digits --')
    assert {'--steps_per_level=1', '--width=8', '--ema=0.5'} <= set(card['command'].split())
    assert '--levels' not in card['command']  # It is the recipe's.
    text = (digits_preset / 'card.md').read_text()
    for word in ('# tiny_digits', card['figure'], card['command'], 'samples.png', 'curve.png'):
        assert word in text
    for name in ('samples.png', 'curve.png'):
        picture = np.asarray(Image.open(digits_preset / name).convert('L'))
        assert picture.max() > picture.min()


def test_presets_go_by_name(loaded, digits_preset, monkeypatch):
    monkeypatch.setattr(preset_folder, 'FOLDER', digits_preset.parent)
    line, = zoo.list_presets().values()
    assert line.startswith('glow on digits: bits/dim ') and line.endswith('0 minutes of training')
    assert list(zoo.list_presets()) == ['tiny_digits']
    data = np.zeros([1, 8, 8, 1], np.float32)
    np.testing.assert_allclose(zoo.load('tiny_digits').log_prob(data), loaded.flow.log_prob(data))
    with pytest.raises(errors.UsageError, match="got 'tiny_digts'. Did you mean 'tiny_digits'"):
        zoo.load('tiny_digts')


def test_a_changed_byte_is_refused(copy):
    path = copy / 'weights.npz'
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    refused(copy, 'weights.npz is cut short or changed', 'SHA-256')


@pytest.mark.parametrize('name', ['weights.npz', 'card.md', 'sha256.json'])
def test_a_missing_file_is_refused(copy, name):
    (copy / name).unlink()
    refused(copy, 'lacks something', name)


@pytest.mark.parametrize('change, words', [
    ({'preset_format': preset.FORMAT + 1}, ['of format 1 or older', 'it has 2']),
    ({'run': {'format': runs.FORMAT + 1, 'tfp_glow_version': '9.1'}},
     ['config.json that cannot be read', 'format 4, of tfp_glow 9.1']),
    ({'run': {'model': 'glowing'}}, ['config.json that cannot be read', 'glowing']),
    ({'data': {}}, ['config.json that cannot be read', 'event_shape'])])
def test_a_config_that_is_newer_or_none_is_refused(copy, change, words):
    path = copy / 'config.json'
    config = json.loads(path.read_text())
    for key, value in change.items():
        config[key] = config[key] | value if key == 'run' else value
    path.write_text(json.dumps(config))
    sign(copy)
    refused(copy, *words)


def _shorter(values):
    del values['glow.top_prior.loc']


def _other_shape(values):
    values['glow.top_prior.loc'] = values['glow.top_prior.loc'][:-1]


def _pickled(values):
    values['glow.top_prior.loc'] = np.array([{'an': 'object'}], dtype=object)


@pytest.mark.parametrize('change, words', [
    (_shorter, ['the file lacks', 'glow.top_prior.loc']),
    (_other_shape, ['glow.top_prior.loc must have shape']),
    (_pickled, ['allow_pickle=False'])])
def test_weights_of_another_flow_are_refused(copy, change, words):
    path = copy / 'weights.npz'
    with np.load(path) as file:
        values = dict(file)
    change(values)
    np.savez(path, **values)
    sign(copy)
    refused(copy, 'weights.npz that does not hold the weights', *words)


def test_weights_that_are_no_archive_are_refused(copy):
    (copy / 'weights.npz').write_bytes(b'PK\x03\x04 and no more')
    sign(copy)
    refused(copy, 'weights.npz that does not hold the weights')


@pytest.mark.parametrize('given, words', [
    ({'draws': 0}, '--draws must be at least 1; got 0.'),
    ({'samples': 0}, '--samples must be at least 1; got 0.'),
    ({'mantissa_bits': 24}, '--mantissa_bits must be in [1, 23]; got 24.'),
    ({'temperature': -1}, '--temperature must be finite and at least 0; got -1.'),
    ({'out': ''}, '--out must be given; see --help.'),
    ({'preset': 'glow_digits'}, 'give --workdir=RUN, a run directory of zoo.train, or '
                                '--preset=NAME; got both.'),
    ({'out': '.'}, "--out must be a new folder; '.' exists.")])
def test_mistakes_of_publish(given, words, digits_run, tmp_path):
    with tiny_run.program('publish') as publish:
        with pytest.raises(errors.UsageError) as caught:
            publish(**{'workdir': digits_run, 'out': tmp_path / 'new', **given})
        assert str(caught.value) == words
    assert not (tmp_path / 'new').exists()
