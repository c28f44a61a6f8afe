"""absl flags of numbers in a range. NaN and infinity are in no range."""

from typing import Any

from absl import flags

from zoo.cli import ranges

flags.disclaim_key_flags()  # A flag belongs to the module that asks for it.


class _Parser(flags.ArgumentParser):
    """Reads a number and refuses what is outside of its range."""

    def __init__(self, convert: type, limits: ranges.Range) -> None:
        super().__init__()
        self.limits, self._convert = limits, convert
        self.syntactic_help = str(limits)

    def parse(self, argument: Any) -> Any:
        """Returns the number that `argument`, a text or a number, stands for."""
        kind = 'an integer' if self._convert is int else 'a number'
        try:
            number = self._convert(argument)
        except (ValueError, TypeError, OverflowError):
            raise ValueError(f'must be {kind}') from None
        if isinstance(argument, float) and number != argument and argument == argument:
            raise ValueError(f'must be {kind}')
        if number not in self.limits:
            raise ValueError(self.limits.rule(number))
        return number

    def flag_type(self) -> str:
        """Returns the name that absl shows for the type of the flag."""
        return self._convert.__name__


def integer(name: str, default: int | None, help_text: str,
            limits: ranges.Range = ranges.COUNT) -> flags.FlagHolder:
    """Defines a flag of an integer in `limits` and returns its holder."""
    return _define(int, name, default, help_text, limits)


def number(name: str, default: float | None, help_text: str,
           limits: ranges.Range = ranges.NOT_NEGATIVE) -> flags.FlagHolder:
    """Defines a flag of a finite number in `limits` and returns its holder."""
    return _define(float, name, default, help_text, limits)


def seed(name: str = 'seed', default: int = 0, help_text: str = 'Seed.') -> flags.FlagHolder:
    """Defines a flag of a seed, an integer in [0, 2**31 - 1], and returns its holder."""
    return integer(name, default, help_text, ranges.WHOLE)


def _define(convert: type, name: str, default: Any, help_text: str,
            limits: ranges.Range) -> flags.FlagHolder:
    return flags.DEFINE(_Parser(convert, limits), name, default, help_text,
                        serializer=flags.ArgumentSerializer())


class _ListParser(flags.ListParser):
    """Reads numbers with commas between them, each in a range."""

    def __init__(self, convert: type, limits: ranges.Range) -> None:
        super().__init__()
        self._one = _Parser(convert, limits)
        self.syntactic_help = f'numbers with commas between, each {limits}'

    def parse(self, argument: Any) -> list[Any]:
        """Returns the numbers of a text, or those of a list."""
        try:
            return [self._one.parse(part) for part in super().parse(argument)]
        except ValueError as error:
            raise ValueError(
                f'must be numbers with commas between, each of which {error}') from None


def integers(name: str, default: list[int] | None, help_text: str,
             limits: ranges.Range = ranges.COUNT) -> flags.FlagHolder:
    """Defines a flag of integers with commas between, in `limits`, and returns its holder."""
    return flags.DEFINE(_ListParser(int, limits), name, default, help_text,
                        serializer=flags.CsvListSerializer(','))


def numbers(name: str, default: list[float] | None, help_text: str,
            limits: ranges.Range = ranges.NOT_NEGATIVE) -> flags.FlagHolder:
    """Defines a flag of finite numbers with commas between, in `limits`, and returns its holder."""
    return flags.DEFINE(_ListParser(float, limits), name, default, help_text,
                        serializer=flags.CsvListSerializer(','))
