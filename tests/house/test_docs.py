"""Every example in a docstring and on a page runs and prints what it says; links resolve."""

import doctest
import importlib
import pathlib
import re
import subprocess
import sys

import pytest

import tfp_glow

ROOT = pathlib.Path(tfp_glow.__file__).parent.parent
SOURCES = [p for p in sorted((ROOT / 'tfp_glow').rglob('*.py')) if '>>> ' in p.read_text()]
README = ROOT / 'README.md'
# Maps a page to the least number of examples that it runs.
PAGES = {'README.md': 13, 'docs/guide.md': 55, 'docs/distributed.md': 7, 'docs/keras.md': 8,
         'zoo/README.md': 6}
README_LINES, README_WORDS = 150, 1300
# Matches the target of a markdown link or picture; code blocks are removed before.
LINK = re.compile(r'\]\(([^)\s]+)\)')
BLOCK = re.compile(r'^```.*?^```', re.DOTALL | re.MULTILINE)

beside_the_package = pytest.mark.skipif(not README.exists(), reason='no README.md beside tfp_glow')


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
    doctests = doctest.DocTestFinder(exclude_empty=True).find(module(path))
    ran = sum(run(examples) for examples in doctests)
    assert ran == path.read_text().count('>>> ')


def test_public_bijectors_have_examples():
    for thing in vars(tfp_glow.bijectors).values():
        if isinstance(thing, type) and issubclass(thing, tfp_glow.bijectors.OnePassBijector):
            assert '>>> ' in thing.__doc__ or thing is tfp_glow.bijectors.OnePassBijector


@beside_the_package
@pytest.mark.parametrize('page', PAGES)
def test_page(page, tmp_path, monkeypatch):
    """The blocks of a page are one session, read from the top."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r'^```python\n(.*?)^```', (ROOT / page).read_text(),
                        re.DOTALL | re.MULTILINE)
    text = '\n'.join(block for block in blocks if '>>> ' in block)
    ran = run(doctest.DocTestParser().get_doctest(text, {}, page, str(ROOT / page), 0))
    assert ran == text.count('>>> ') >= PAGES[page]
    scope = {}
    for block in (b for b in blocks if '>>> ' not in b):
        exec(compile(block, page, 'exec'), scope)


@beside_the_package
def test_a_reader_finishes_the_readme():
    text = README.read_text()
    assert len(text.splitlines()) <= README_LINES
    assert len(text.split()) <= README_WORDS


def anchors(page):
    """Returns the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r'^#+ (.*)', BLOCK.sub('', page.read_text()), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


def pages():
    hidden = re.compile(r'(^|/)\.|^(build|dist|runs)/')
    return [p for p in sorted(ROOT.rglob('*.md')) if not hidden.search(
        p.relative_to(ROOT).as_posix())]


@beside_the_package
def test_links_resolve():
    """Links to files and headings of the repository exist; those to the web are not tested."""
    broken = []
    for page in pages():
        for link in LINK.findall(BLOCK.sub('', page.read_text())):
            path, _, anchor = link.partition('#')
            if re.match('[a-z]+:', link):
                continue
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f'{page.relative_to(ROOT)}: {link}')
    assert not broken


@beside_the_package
def test_the_citation_is_of_this_version():
    lines = (ROOT / 'CITATION.cff').read_text().splitlines()
    assert f'version: {tfp_glow.__version__}' in lines
    assert f'## {tfp_glow.__version__}' in (ROOT / 'CHANGELOG.md').read_text()


@beside_the_package
def test_the_house_is_drawn(tmp_path):
    """The command of CONTRIBUTING.md draws the picture and says that no import points upwards."""
    done = subprocess.run([sys.executable, ROOT / 'docs' / 'draw_house.py', tmp_path / 'house.png'],
                          capture_output=True, text=True, check=True)
    assert (tmp_path / 'house.png').read_bytes().startswith(b'\x89PNG')
    assert done.stdout.count(' 0 upwards') == 2, done.stdout
