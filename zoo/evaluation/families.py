"""`family_of`: chooses how a trained model is measured, drawn and diagnosed."""

from collections.abc import Iterable

from zoo.cli import errors
from zoo.evaluation.family import Family
from zoo.evaluation.image_flows import ImageFlow
from zoo.evaluation.integer_flows import IntegerFlow
from zoo.evaluation.vaes import Vae
from zoo.evaluation.vector_flows import VectorFlow
from zoo.models.spec import Kind
from zoo.runs.run import Trained

FAMILIES: dict[Kind, type[Family]] = {
    Kind.IMAGE_FLOW: ImageFlow, Kind.VECTOR_FLOW: VectorFlow, Kind.INTEGER_FLOW: IntegerFlow,
    Kind.VAE: Vae}


def family_of(trained: Trained, given: Iterable[tuple[str, object]] = ()) -> Family:
    """Returns the family of a trained model.

    Args:
        trained: The run, its data and its model.
        given: The names and values of flags that the user gave.

    Raises:
        UsageError: If one of these flags has no use for this model.
    """
    family = FAMILIES[trained.kind](trained)
    refusals = family.refusals()
    for name, value in given:
        if name in refusals:
            raise errors.UsageError(f'--{name} must be left out {refusals[name]}; got {value}.')
    return family
