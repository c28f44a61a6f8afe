"""Model cards: what is known of a trained model, measured, as a dictionary and as a text."""

import dataclasses
import pathlib

from zoo.evaluation import metrics, results
from zoo.models import registry
from zoo.pictures import learning_curves

_ROUND_TRIP_EXAMPLES = 256
# Test bits/dim in the literature, of (model, data set); each by a protocol of its own.
_PUBLISHED = {
    ('glow', 'fashion_mnist'): '2.96 without labels, 150 epochs on a GPU (Nalisnick et al., 2019)',
    ('maf', 'fashion_mnist'): '4.18 for MADE',
    ('real_nvp', 'fashion_mnist'): '2.85 on a GPU'}


def training(workdir):
    """`epochs` and `training_seconds` of a run directory, as a dictionary."""
    last = learning_curves.read(pathlib.Path(workdir) / 'metrics.csv')[-1]
    return {'epochs': int(last['epoch']), 'training_seconds': float(last['seconds'])}


def measure(run, data, model, epochs, seconds, draws=1, importance_samples=None):
    """The card of a run as a dictionary, ready for JSON; figures are those of the test split."""
    found = results.figures(run, data, model, 'test', draws, importance_samples=importance_samples)
    count = min(_ROUND_TRIP_EXAMPLES, data.sizes['test'])
    trips = {} if run.is_vae else metrics.round_trip_errors(
        model, *run.examples(data, 'test', count))
    return {
        'model': run.model, 'dataset': run.dataset, 'recipe': run.recipe,
        'figure': results.in_words(found), **found,
        'round_trip': trips, 'data': data.describe(), 'seed': run.training.seed,
        'epochs': epochs, 'training_seconds': seconds,
        'weights': sum(int(v.shape.num_elements()) for v in model.trainable_variables),
        'estimate': _estimate(run),
        'published': _PUBLISHED.get((run.model, run.dataset)) if run.training.bits == 8 else None,
        'command': command(run, epochs)}


def _estimate(run):
    if run.is_vae:
        return 'maximum of the ELBO'
    return 'maximum a posteriori' if run.training.weight_prior else 'maximum likelihood'


def command(run, epochs):
    """The command that trains so many epochs of a run: the recipe, and what differs from it."""
    _, config, training = registry.recipe(run.model, run.recipe, run.dataset)
    words = [f'--model={run.model}', f'--dataset={run.dataset}']
    if registry.recipe(run.model, None, run.dataset)[0] != run.recipe:
        words.append(f'--recipe={run.recipe}')
    if run.pad:
        words.append('--pad')
    if run.flips is not None:
        words.append(f'--flips={run.flips}')
    for own, other in ((run.config, config), (run.training, training)):
        words += [f'--{f.name}={getattr(own, f.name)}' for f in dataclasses.fields(own)
                  if getattr(own, f.name) != getattr(other, f.name)]
    if epochs < run.training.epochs:
        words.append(f'--stop_after={epochs}')
    return f'python -m zoo.train {" ".join(words)} --workdir=RUN'


def draw_curve(workdir, path):
    """Draws the learning curve of a run directory."""
    learning_curves.draw_run(learning_curves.read(pathlib.Path(workdir) / 'metrics.csv'), path)


def text(name, card):
    """The card as Markdown; its pictures lie beside it."""
    trips = '; '.join(f'{kind} {metrics.in_words(error)}'
                      for kind, error in card['round_trip'].items())
    bits = card['mantissa_bits']
    published = card['published']
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
        f'{card["seed"]}.',
        f'- **Command**: `{card["command"]}`',
        f'- **Licence** of the weights: {card["licence"]}']
    if card['note']:
        lines.append(f'- {card["note"]}')
    return '\n'.join([*lines, '', f'![learning curve](curve.png) ![{card["samples"]}](samples.png)',
                      ''])
