"""The rules of the house: imports point one way, files stay short, public names have docstrings."""

import ast
import functools
import graphlib
import importlib
import inspect
import pathlib
import statistics

import keras
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import tfp_glow

ROOT = pathlib.Path(tfp_glow.__file__).parent.parent
LIBRARY = sorted((ROOT / 'tfp_glow').rglob('*.py'))
ZOO = sorted((ROOT / 'zoo').rglob('*.py'))
EVERYTHING = [*LIBRARY, *ZOO, *sorted((ROOT / 'tests').rglob('*.py'))]

# Maps a part of the library to the parts that it may import. Other parts may import any.
MAY_IMPORT = {
    'types': set(),
    'internal': {'internal', 'types'},
    'networks': {'networks'},
    'distributions': {'distributions', 'internal', 'types'},
    'bijectors': {'bijectors', 'internal', 'types'},
    'diagnosis': {'diagnosis', 'bijectors', 'initialization', 'internal', 'types'},
    'flows': {'flows', 'bijectors', 'distributions', 'networks', 'internal', 'types'},
    'editing': {'editing', 'distributions', 'types'},
    'training': {'training', 'bijectors', 'diagnosis', 'distributions', 'initialization', 'modes',
                 'dequantization', 'internal', 'types'},
    'vaes': {'vaes', 'bijectors', 'distributions', 'flows', 'networks', 'training',
             'initialization', 'dequantization', 'internal', 'types'},
    'coding': {'coding', 'distributions', 'types'},
}
KERAS = {*(f'tfp_glow/internal/{room}.py' for room in (
    'configs', 'keras_bridge', 'keras_tracking', 'keras_training')),
         *(f'tfp_glow/training/{room}.py' for room in (
             'flow_layer', 'flow_model', 'inputs', 'likelihood_model', 'running_mean', 'saving',
             'stepping', 'watch')),
         'tfp_glow/vaes/vae_model.py',
         'tfp_glow/serving/contents.py'}  # The last records Keras's version.
PROGRAMS = ('ablation', 'benchmark', 'compare', 'compress', 'curve', 'decompress', 'diagnose',
            'evaluate', 'export', 'latents', 'ood', 'posteriors', 'publish', 'sample', 'train')
# Only internal/ reads private attributes of these classes, unless we override them.
THEIRS = (tfb.Bijector, tfd.Distribution, tf.Module, keras.Model, keras.optimizers.Optimizer)
NAMED_TUPLE = {'_asdict', '_fields', '_replace'}  # They are public, in spite of their names.
PRIVATE = ('tensorflow_probability.python', 'tensorflow.python', 'keras.src')


def name(path):
    return path.relative_to(ROOT).as_posix()


def imports(path):
    """Yields the full names that a file imports anywhere, `from a import b` as a.b."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{name(path)}: a relative import'
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def of_library(imported):
    """Returns the part of the library that an import names, or None."""
    parts = imported.split('.')
    return parts[1] if parts[0] == 'tfp_glow' and len(parts) > 1 else None


def each(paths):
    return pytest.mark.parametrize('path', paths, ids=name)


@each(LIBRARY)
def test_library_imports(path):
    names = list(imports(path))
    tops = {i.split('.')[0] for i in names}
    assert not tops & {'zoo', 'tests', 'colab', 'absl', 'tensorflow_datasets'}
    part = path.relative_to(ROOT / 'tfp_glow').parts[0].removesuffix('.py')
    if part in MAY_IMPORT:
        assert {of_library(i) for i in names} - {None} <= MAY_IMPORT[part]
    if part == 'networks':
        assert 'tensorflow' not in tops and 'tensorflow_probability' not in tops
    if part != 'networks' and name(path) not in KERAS:
        assert 'keras' not in tops and not any(i.startswith('tensorflow.keras') for i in names)
    if name(path) != 'tfp_glow/internal/tfp_compat.py':
        assert not [i for i in names if i.startswith(PRIVATE)]


@each(ZOO)
def test_zoo_imports(path):
    names = list(imports(path))
    assert not {i.split('.')[0] for i in names} & {'tests', 'colab'}
    assert not [i for i in names if i.startswith(PRIVATE)]
    for imported in (i for i in names if i.startswith('tfp_glow.')):
        assert 'internal' not in imported and '._' not in imported
    assert 'tfp_glow.internal' not in path.read_text()
    if path.parent not in (ROOT / 'zoo', ROOT / 'zoo' / 'cli'):
        assert not [i for i in names if i.startswith('absl')]


def room(dotted):
    """Returns the folder of zoo/ that a module of the zoo is in, or None for a program."""
    parts = dotted.split('.')
    return parts[1] if parts[0] == 'zoo' and (ROOT / 'zoo' / parts[1]).is_dir() else None


def test_rooms_of_the_zoo_import_in_no_circle():
    arrows = {}
    for path in ZOO:
        own = room('.'.join(path.relative_to(ROOT).with_suffix('').parts))
        reached = {room(i) for i in imports(path) if i.startswith('zoo.')}
        if own is not None:
            arrows.setdefault(own, set()).update(reached - {own, None})
    assert set(graphlib.TopologicalSorter(arrows).static_order()) == set(arrows)


def test_the_top_of_the_zoo_holds_programs_only():
    programs = [path for path in (ROOT / 'zoo').glob('*.py') if path.name != '__init__.py']
    assert {path.stem for path in programs} == set(PROGRAMS)
    for path in programs:
        functions = [n.name for n in ast.parse(path.read_text()).body
                     if isinstance(n, ast.FunctionDef)]
        assert 'main' in functions and "if __name__ == '__main__':" in path.read_text()
        assert not (ROOT / 'zoo' / path.stem).exists(), 'no folder bears the name of a program'
    for path in ZOO:  # Nothing imports a program, which would define its flags.
        assert not {i for i in imports(path) if i.split('.')[1:2] and i.split('.')[0] == 'zoo'
                    and i.split('.')[1] in PROGRAMS}


def test_every_file_that_may_be_a_test_is_in_a_folder_of_tests():
    files = {path.relative_to(ROOT / 'tests') for path in (ROOT / 'tests').rglob('*.py')}
    assert {str(file) for file in files if len(file.parts) == 1} == {'conftest.py'}
    for file in files:
        assert file.parts[0] == 'support' or file.name.startswith('test_') or len(file.parts) == 1


def attributes_written(paths):
    """Yields the names of methods and of attributes of `self` and classes in the files."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield node.name
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                yield node.attr
            elif isinstance(node, ast.ClassDef):
                yield from (target.id for line in node.body if isinstance(line, ast.Assign)
                            for target in line.targets if isinstance(target, ast.Name))


def attributes_read(path):
    """Yields `(whose, name, line)` of the private attributes that the file reads."""
    for node in ast.walk(ast.parse(path.read_text())):
        if (isinstance(node, ast.Attribute) and node.attr.startswith('_')
                and not node.attr.startswith('__') and node.attr not in NAMED_TUPLE):
            yield ast.unparse(node.value), node.attr, node.lineno


WRITTEN = set(attributes_written([*LIBRARY, *ZOO]))


@functools.cache
def written_in(folder):
    return set(attributes_written(folder.glob('*.py')))


@each([path for path in [*LIBRARY, *ZOO] if path.parent != ROOT / 'tfp_glow' / 'internal'])
def test_private_attributes(path):
    """Those of TFP, TensorFlow and Keras are read in internal/, ours in the folder of the class."""
    ours = written_in(path.parent)
    for whose, attribute, line in attributes_read(path):
        where = f'line {line}: {whose}.{attribute}'
        if whose in ('self', 'cls'):  # It is ours, or a hook of TFP that we override.
            assert attribute in WRITTEN, where
        elif whose != 'super()' and (whose, attribute) != ('os', '_exit'):  # Which is public.
            assert attribute in ours, where
            assert not any(hasattr(theirs, attribute) for theirs in THEIRS), where


@each([*LIBRARY, *ZOO])
def test_user_errors_are_no_asserts(path):
    asserts = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Assert)]
    assert not asserts or name(path).startswith('tfp_glow/testing/')


def test_graphs_are_traced_without_autograph():
    """Nothing here needs it, and it takes half of the time until the first step."""
    for path in [*LIBRARY, *ZOO]:
        if 'testing' in path.parts:  # It traces functions as users do.
            continue
        nodes = list(ast.walk(ast.parse(path.read_text())))
        told = [n.func for n in nodes if isinstance(n, ast.Call)
                and any(k.arg == 'autograph' for k in n.keywords)]
        plain = [n.lineno for n in nodes if isinstance(n, ast.Attribute)
                 and ast.unparse(n) == 'tf.function' and n not in told]
        assert not plain, f'{name(path)}, line {plain[0]}: autograph=False is missing'


def test_files_fit_in_the_head():
    for paths in (LIBRARY, ZOO, EVERYTHING):
        lengths = {name(path): len(path.read_text().splitlines()) for path in paths}
        assert statistics.median(lengths.values()) < 130
        assert max(lengths.values()) <= 300, max(lengths, key=lengths.get)


@each(EVERYTHING)
def test_lines(path):
    text = path.read_text()
    assert max(map(len, text.splitlines()), default=0) <= 100
    assert '/work' + '/' not in text and '\t' not in text


def modules():
    for path in LIBRARY:
        dotted = '.'.join(path.relative_to(ROOT).with_suffix('').parts)
        yield importlib.import_module(dotted.removesuffix('.__init__'))


def test_public_names_are_documented():
    for module in modules():
        assert inspect.getdoc(module), f'{module.__name__} has no docstring'
        for public in getattr(module, '__all__', []):
            thing = getattr(module, public)
            assert inspect.getdoc(thing), f'{module.__name__}.{public} has no docstring'


def test_public_methods_are_documented():
    """Methods that we add have docstrings; an overridden one is documented where it comes from."""
    for module in modules():
        for thing in vars(module).values():
            if getattr(thing, '__module__', None) != module.__name__:
                continue
            assert inspect.getdoc(thing) or thing.__name__.startswith('_')
            if inspect.isclass(thing) and not thing.__name__.startswith('_'):
                for key, method in vars(thing).items():
                    inherited = any(hasattr(base, key) for base in thing.__mro__[1:])
                    if not key.startswith('_') and callable(method) and not inherited:
                        assert inspect.getdoc(getattr(thing, key)), f'{thing.__name__}.{key}'


def test_all_is_what_is_there():
    for module in modules():
        for public in getattr(module, '__all__', []):
            assert hasattr(module, public)
        if hasattr(module, '__all__'):
            # Ruff sorts names in capitals first, then classes, then functions.
            assert list(module.__all__) == sorted(module.__all__, key=lambda public: (
                not public.isupper(), public[0].islower(), public))
