"""The notebooks run from top to bottom, on the embedded data, and hold what they drew."""

import base64
import json
import pathlib

import matplotlib
import pytest

FOLDER = pathlib.Path(__file__).parents[2] / 'colab'
NOTEBOOKS = sorted(FOLDER.glob('*.ipynb'))


def cells(path):
    return [c for c in json.loads(path.read_text())['cells'] if c['cell_type'] == 'code']


def test_there_are_four():
    assert [path.stem for path in NOTEBOOKS] == [
        'flow_as_distribution', 'glow_on_images', 'iaf_vae', 'maf_and_iaf']


@pytest.mark.slow
@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path, monkeypatch):
    """Its assertions are part of it."""
    matplotlib.use('Agg')
    from matplotlib import pyplot
    shown = []
    monkeypatch.setattr(pyplot, 'show', lambda: shown.append(pyplot.gcf()) or pyplot.close())
    space = {'__name__': '__main__'}
    for number, cell in enumerate(cells(path)):
        exec(compile(''.join(cell['source']), f'{path.name}, cell {number}', 'exec'), space)
    assert len(shown) >= 3


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_holds_its_pictures(path):
    outputs = [o for c in cells(path) for o in c['outputs']]
    pictures = [o['data']['image/png'] for o in outputs if 'image/png' in o.get('data', {})]
    assert len(pictures) >= 3
    assert all(base64.b64decode(p).startswith(b'\x89PNG') for p in pictures)
    assert not [o for o in outputs if o['output_type'] == 'error']
