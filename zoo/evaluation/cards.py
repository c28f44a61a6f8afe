"""Model cards: what is known and measured of a trained model, as a dictionary and as a text."""

import dataclasses
import os
import pathlib
import shlex
from typing import Any

from zoo import data as zoo_data
from zoo.evaluation import metrics
from zoo.evaluation.family import Family
from zoo.models import registry
from zoo.pictures import learning_curves
from zoo.runs import config_file
from zoo.runs.run import Run

_ROUND_TRIP_EXAMPLES = 256
# Test bits/dim in the literature by model and data set; each has a protocol of its own.
_PUBLISHED = {
    ('glow', 'fashion_mnist'): '2.96 without labels, 150 epochs on a GPU (Nalisnick et al., 2019)',
    ('maf', 'fashion_mnist'): '4.18 for MADE',
    ('real_nvp', 'fashion_mnist'): '2.85 on a GPU'}


def history(workdir: str | os.PathLike) -> dict[str, Any]:
    """Returns `epochs` and `training_seconds` of a run directory: of all its epochs."""
    last = learning_curves.read(pathlib.Path(workdir) / 'metrics.csv')[-1]
    return {'epochs': int(last['epoch']), 'training_seconds': float(last['seconds'])}


def measure(family: Family, epochs: int, seconds: float, draws: int = 1,
            importance_samples: int | None = None) -> dict[str, Any]:
    """Returns the card of a trained model, ready for JSON, with figures of the test split.

    Args:
        family: The trained model.
        epochs: The number of epochs that it was trained for.
        seconds: The time that they took.
        draws: See `Family.figures`.
        importance_samples: See `Family.figures`.
    """
    run, data, model = family.run, family.data, family.model
    figures = family.figures('test', draws, importance_samples=importance_samples)
    trips = family.round_trips('test', min(_ROUND_TRIP_EXAMPLES, data.sizes['test']))
    return {
        'model': run.model, 'dataset': run.dataset, 'recipe': run.recipe,
        'figure': family.format_figures(figures), **figures,
        'round_trip': trips, 'data': data.describe(), 'seed': run.training.seed,
        'epochs': epochs, 'epoch': family.trained.epoch or epochs, 'training_seconds': seconds,
        'weights': sum(int(v.shape.num_elements()) for v in model.trainable_variables),
        'estimate': family.estimate,
        'published': _PUBLISHED.get((run.model, run.dataset)) if run.training.bits == 8 else None,
        'changes': [dict(change) for change in run.changes],
        'command': command(run, epochs, data.sizes['train'])}


def command(run: Run, epochs: int, examples: int) -> str:
    """Returns the command that repeats the training of a run.

    It names the recipe if that is not the default, and all values that differ from the recipe's.

    Args:
        run: The run.
        epochs: The number of epochs that it was trained for.
        examples: The number of training examples, to which some recipes are fitted.
    """
    vectors = zoo_data.is_vectors(run.dataset)
    recipe = registry.recipe(run.model, run.recipe, run.dataset, vectors).fitted(examples)
    words = [f'--model={run.model}', f'--dataset={run.dataset}']
    if registry.recipe(run.model, None, run.dataset, vectors).name != run.recipe:
        words.append(f'--recipe={run.recipe}')
    if run.start is not None:
        words.append(shlex.quote(f'--from={run.start["from"]}'))
    if run.pad:
        words.append('--pad')
    if run.flips is not None:
        words.append(f'--flips={run.flips}')
    for own, other in ((run.config, recipe.config), (run.training, recipe.training)):
        words += [f'--{f.name}={getattr(own, f.name)}' for f in dataclasses.fields(own)
                  if getattr(own, f.name) != getattr(other, f.name)]
    if epochs < run.training.epochs and not run.training.early_stopping:
        words.append(f'--stop_after={epochs}')
    return f'python -m zoo.train {" ".join(words)} --workdir=RUN'


def draw_curve(workdir: str | os.PathLike, path: str | os.PathLike) -> None:
    """Draws the learning curve of a run directory as a PNG file."""
    learning_curves.draw_run(learning_curves.read(pathlib.Path(workdir) / 'metrics.csv'), path)


def text(name: str, card: dict[str, Any]) -> str:
    """Returns the card as Markdown; its pictures lie beside it."""
    trips = '; '.join(f'{kind} {metrics.format_error(error)}'
                      for kind, error in card['round_trip'].items())
    bits = card['mantissa_bits']
    published = card['published']
    epoch = card.get('epoch', card['epochs'])  # Older cards have the last one.
    selected = '' if epoch == card['epochs'] else (
        f' Epoch {epoch}, the best on the validation split.')
    rounded = '' if bits == 23 else f', rounded to {bits} bits of mantissa'
    lines = [
        f'# {name}', '',
        f'{card["model"]} on {card["dataset"]}, {card["estimate"]}, {card["weights"]:,} weights.',
        '',
        f'- **Data**: {card["data"]}',
        f'- **Test**: {card["figure"]}; averaged weights{rounded}, float32.',
        *([f'- **Published**, by another protocol, bits/dim: {published}.'] if published else []),
        *([f'- **Round trip**, largest error: {trips}.'] if trips else []),
        f'- **Training**: {card["epochs"]} epochs in {card["training_seconds"]:,.0f} s, seed '
        f'{card["seed"]}.{selected}',
        f'- **Command**: `{card["command"]}`',
        *(f'- **Changed** {config_file.describe_change(change)}. The command has the new values.'
          for change in card.get('changes', ())),  # Older cards have none.
        f'- **Licence** of the weights: {card["licence"]}']
    if card['note']:
        lines.append(f'- {card["note"]}')
    return '\n'.join([*lines, '', f'![learning curve](curve.png) ![{card["samples"]}](samples.png)',
                      ''])
