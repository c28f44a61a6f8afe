"""Every function is annotated, and a type checker finds no error in either package."""

import ast
import pathlib
import subprocess
import sys

import pytest

import tfp_glow

ROOT = pathlib.Path(tfp_glow.__file__).parent.parent
FILES = sorted(path for package in ('tfp_glow', 'zoo') for path in (ROOT / package).rglob('*.py'))


def functions(tree):
    """Yields the functions of a module and the methods of its classes, `(name, function)`."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f'{node.name}.{part.name}', part) for part in node.body
                        if isinstance(part, ast.FunctionDef))


def missing(function):
    """Returns the parts of a function that have no annotation."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs,
             *filter(None, (arguments.vararg, arguments.kwarg))]
    parts = [argument.arg for argument in every
             if argument.annotation is None and argument.arg not in ('self', 'cls')]
    return parts + (['return'] if function.returns is None else [])


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_function_is_annotated(path):
    lacking = {name: missing(function)
               for name, function in functions(ast.parse(path.read_text()))}
    assert not {name: parts for name, parts in lacking.items() if parts}


def test_a_type_checker_finds_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'mypy', f'--cache-dir={tmp_path}', 'tfp_glow', 'zoo'], cwd=ROOT,
        capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize('package', ['tfp_glow', 'zoo'])
def test_the_package_says_that_it_is_typed(package):
    assert (ROOT / package / 'py.typed').exists()
