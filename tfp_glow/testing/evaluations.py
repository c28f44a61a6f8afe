"""Finds what a traced function computes twice, such as a conditioner run for value and log-det."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from tfp_glow.testing.subject import Subject, check
from tfp_glow.testing.tracing import Traced

_COSTLY = re.compile('Conv|MatMul|Einsum|While')
_RANDOM = re.compile('^(?!Stateless).*(Random|Multinomial)')
_SAME_VALUE = {'EnsureShape', 'Identity', 'PreventGradient', 'StopGradient'}
_BRANCHES = {'Case', 'If', 'StatelessCase', 'StatelessIf'}  # Their first input is the choice.
# This is the number of a computation, and whether it depends on the data.
_Numbered = tuple[int, bool]


def check_once(subject: Subject, traced: Traced) -> None:
    """Checks that value and log-det together evaluate nothing costly twice."""
    del subject
    for name, function, count in traced.concrete():
        twice = sorted(repeated_operations(function, count))
        check(not twice, f'{name} and its log-det must evaluate each conditioner once; '
                         f'computed twice: {", ".join(twice[:3])}.')


def repeated_operations(function: Any, count: int) -> set[str]:
    """Returns the names of costly operations of a concrete function that repeat another one.

    Convolutions, matrix products and loops are costly if they depend on one of the first `count`
    inputs. Two operations are the same if their types, attributes and inputs are the same, all the
    way back to the arguments and variables. Functions and bodies of loops are compared by what they
    hold.
    """
    graph = function.graph
    numbering = _Numbering(graph.as_graph_def())
    numbering.visit_graph({tensor.op.name for tensor in graph.inputs[:count]})
    return numbering.repeated


class _Numbering:
    """Gives equal numbers to equal computations, as compilers do to share subexpressions."""

    def __init__(self, graph_def: Any) -> None:
        self.repeated: set[str] = set()
        self._nodes = graph_def.node
        self._library = {f.signature.name: f for f in graph_def.library.function}
        self._numbers: dict[tuple[Any, ...], int] = {}

    def visit_graph(self, data: set[str]) -> None:
        """Visits the top level; `data` are the names of its inputs that vary from call to call."""
        self._visit(self._nodes, {node.name: (self._number('input', node.name), node.name in data)
                                  for node in self._nodes if node.op == 'Placeholder'})

    def _number(self, *key: Any) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _visit(self, nodes: Iterable[Any], arguments: dict[str, _Numbered],
               ) -> tuple[dict[str, _Numbered], dict[str, _Numbered], bool]:
        """Numbers `nodes` and returns `(known, same, costly)`.

        `known` and `same` have the form of `arguments`,
        `{name: (number, whether it depends on the data)}`. `known` holds the arguments and the
        nodes that were numbered, `same` the nodes that only pass on the value of another. `costly`
        says whether any node is costly.
        """
        known = dict(arguments)
        same: dict[str, _Numbered] = {}
        seen: set[int] = set()
        for node in nodes:
            if node.name in arguments:
                continue
            inputs = [_source(i, known, same, self._number) for i in node.input if i[0] != '^']
            if node.op in _SAME_VALUE:
                same[node.name] = inputs[0]
                continue
            depends = any(d for _, d in inputs)
            called, costly = self._attributes(node, [d for _, d in inputs])
            costly |= bool(_COSTLY.search(node.op))
            number = self._number(node.op, called, node.name if _RANDOM.search(node.op) else '',
                                  *(n for n, _ in inputs))
            known[node.name] = number, depends
            if costly and depends:
                if number in seen:
                    self.repeated.add(node.name)
                seen.add(number)
        return known, same, bool(seen)

    def _attributes(self, node: Any, depends: list[bool]) -> tuple[tuple[Any, ...], bool]:
        """Returns what decides a node's value besides its inputs, and whether a call is costly.

        A call is costly if anything in a function that the node calls is.
        """
        key: list[tuple[str, Any]] = []
        costly = False
        for name, value in sorted(node.attr.items()):
            functions = [value.func] if value.HasField('func') else value.list.func
            for function in functions:
                given = depends[1:] if node.op in _BRANCHES else depends
                number, inside = self._function(function.name, given)
                key.append((name, number))
                costly |= inside
            if not functions and name[0] != '_':
                key.append((name, value.SerializeToString(deterministic=True)))
        return tuple(key), costly

    def _function(self, name: str, depends: list[bool]) -> _Numbered:
        """Returns the number of a function by what it holds, and whether anything in it is costly.
        """
        if name not in self._library:
            return self._number('unknown', name), False
        definition = self._library[name]
        names = [argument.name for argument in definition.signature.input_arg]
        padded = [*depends, *[True] * (len(names) - len(depends))]
        arguments = {argument: (self._number('argument', i), d)
                     for i, (argument, d) in enumerate(zip(names, padded))}
        known, same, costly = self._visit(definition.node_def, arguments)
        outputs = [_source(definition.ret[output.name], known, same, self._number)[0]
                   for output in definition.signature.output_arg]
        return self._number('function', *outputs), costly


def _source(name: str, known: dict[str, _Numbered], same: dict[str, _Numbered],
            number: Callable[..., int]) -> _Numbered:
    """Returns `(number, depends)` of a tensor written as `node`, `node:0` or `node:output:0`."""
    node, *output = name.split(':')
    if node in same:
        return same[node]
    numbered, depends = known.get(node, (None, True))
    return number('output', numbered if numbered is not None else node, *(output or ['0'])), depends
