"""Every example in a docstring and in the README runs and prints what it says."""

import doctest
import importlib
import pathlib
import re

import pytest

import tfp_glow

ROOT = pathlib.Path(tfp_glow.__file__).parent.parent
SOURCES = [p for p in sorted((ROOT / 'tfp_glow').rglob('*.py')) if '>>> ' in p.read_text()]
README = ROOT / 'README.md'


def module(path):
    dotted = '.'.join(path.relative_to(ROOT).with_suffix('').parts)
    return importlib.import_module(dotted.removesuffix('.__init__'))


def run(examples):
    log = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(examples, out=log.append)
    assert runner.failures == 0, ''.join(log)
    return runner.tries


@pytest.mark.parametrize('path', SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_docstrings(path):
    found = doctest.DocTestFinder(exclude_empty=True).find(module(path))
    ran = sum(run(examples) for examples in found)
    assert ran == path.read_text().count('>>> ')


def test_public_bijectors_have_examples():
    for thing in vars(tfp_glow.bijectors).values():
        if isinstance(thing, type) and issubclass(thing, tfp_glow.bijectors.OnePassBijector):
            assert '>>> ' in thing.__doc__ or thing is tfp_glow.bijectors.OnePassBijector


@pytest.mark.skipif(not README.exists(), reason='no README.md beside the package')
def test_readme(tmp_path, monkeypatch):
    """Its blocks are one session, read from the top."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r'^```python\n(.*?)^```', README.read_text(), re.DOTALL | re.MULTILINE)
    text = '\n'.join(block for block in blocks if '>>> ' in block)
    run(doctest.DocTestParser().get_doctest(text, {}, 'README.md', str(README), 0))
    scope = {}
    for block in (b for b in blocks if '>>> ' not in b):
        exec(compile(block, str(README), 'exec'), scope)
