"""The out-of-distribution report as a dictionary and as a text."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from zoo.outliers import scores
from zoo.runs.run import Trained

PICTURES = '\n![bits/dim](histograms.png)\n\n![bits of each pixel](bits_map.png)\n'
_SCORES = {'bits': 'bits', 'typicality': 'typicality', 'compressor': 'ratio to {}',
           'background': 'ratio to background'}


def make(trained: Trained, kinds: dict[str, np.ndarray], bits: dict[str, np.ndarray],
         groups: Sequence[int], compressor: str,
         background: dict[str, np.ndarray] | None = None) -> dict[str, Any]:
    """Returns the report, ready for JSON.

    Args:
        trained: The run, its data and its model.
        kinds: `{name: uint8 [N, H, W, C]}`: train, validation, test, then others.
        bits: `{name: [N]}`, the bits/dim of these images under the model.
        groups: The numbers of images that the typicality test sees together.
        compressor: A name in `scores.COMPRESSORS`.
        background: The bits/dim of test and the others under a background model, or None.

    Raises:
        ValueError: If one of the model's own images has no finite likelihood.
    """
    run, dims = trained.run, trained.model.counted_dims
    nats = {name: values * dims * math.log(2) for name, values in bits.items()}
    test = scores.Typicality.fit(nats['train'], nats['validation'], groups)
    names = [name for name in kinds if name not in ('train', 'validation')]
    by_name = {name: {'bits': bits[name], 'typicality': test.score(nats[name]),
                     'compressor': scores.likelihood_ratio(bits[name], scores.compressed_bits(
                         kinds[name], compressor) / dims)} for name in names}
    if background:
        for name in names:
            by_name[name]['background'] = scores.likelihood_ratio(bits[name], background[name])
    median = np.median(bits['test'])
    rows = [{'name': name, 'images': len(kinds[name]), **_mean(bits[name]),
             'below_own_median': float(np.mean(bits[name] < median)),
             'rejected': {str(size): test.rejected(nats[name], size) for size in groups},
             'auroc': None if name == 'test' else {
                 score: scores.auroc(by_name['test'][score], values)
                 for score, values in by_name[name].items()}} for name in names]
    return {'model': run.model, 'dataset': run.dataset, 'data': trained.data.describe(),
            'dims': dims,
            'compressor': compressor, 'entropy_nats': test.entropy,
            'entropy_standard_error': test.standard_error,
            'entropy_images': len(kinds['train']), 'validation_images': len(kinds['validation']),
            'epsilon_nats': {str(size): e for size, e in test.epsilons.items()},
            'confidence': scores.CONFIDENCE, 'sets': rows,
            'verdicts': [_verdict(rows[0], row) for row in rows[1:]]}


def text(report: dict[str, Any]) -> str:
    """Returns the report as Markdown: what was measured, the table, the verdicts."""
    own, scores = report['dataset'], list(report['sets'][1]['auroc'])
    epsilons = ' and '.join(f'{e:.1f} (M = {m})' for m, e in report['epsilon_nats'].items())
    heads = ['images of', 'number', 'bits/dim', *(f'atypical, M = {m}' for m in report[
        'epsilon_nats']), *(f'AUROC {_SCORES[s]}'.format(report['compressor']) for s in scores)]
    lines = [f'# {report["model"]} on {own}, shown other images', '', report['data'], '',
             f'Entropy {report["entropy_nats"]:.1f} +- {report["entropy_standard_error"]:.1f} nats '
             f'({report["entropy_images"]} training images); a group of M images is atypical '
             f'beyond {epsilons} nats of it, {1 - report["confidence"]:.0%} of groups of the '
             f'{report["validation_images"]} validation images. AUROC: .5 is chance, below it the '
             'score is misled.', '', _row(heads), _row(['---'] * len(heads))]
    for row in report['sets']:
        name = f'{own}, test' if row['auroc'] is None else row['name']
        areas = ['' if row['auroc'] is None else f'{row["auroc"][score]:.3f}' for score in scores]
        lines.append(_row([name, row['images'], _bits(row),
                           *(f'{share:.1%}' for share in row['rejected'].values()), *areas]))
    return '\n'.join([*lines, '', *(f'- {verdict}' for verdict in report['verdicts'])]) + '\n'


def _mean(bits: np.ndarray) -> dict[str, Any]:
    """Returns mean and standard error of the finite numbers, and the number of all others."""
    finite = bits[np.isfinite(bits)]
    some = len(finite) > 1
    return {'bits_per_dim': float(finite.mean()) if some else None,
            'standard_error': float(finite.std(ddof=1) / math.sqrt(len(finite))) if some else None,
            'not_finite': len(bits) - len(finite)}


def _verdict(own: dict[str, Any], row: dict[str, Any]) -> str:
    area = row['auroc']['bits']
    better = area < .5
    return (f'The flow likes {row["name"]} {"BETTER" if better else "less"} than its own data: '
            f'{_bits(row)} bits/dim against {_bits(own)}; {row["below_own_median"]:.0%} of them '
            'get fewer bits than half of its own. Low likelihood as a sign of strangeness has '
            f'AUROC {area:.3f}' + (': it is misled.' if better else '.'))


def _bits(row: dict[str, Any]) -> str:
    if row['bits_per_dim'] is None:
        return 'infinite'
    others = f' ({row["not_finite"]} infinite)' if row['not_finite'] else ''
    return f'{row["bits_per_dim"]:.3f} +- {row["standard_error"]:.3f}{others}'


def _row(cells: Iterable[object]) -> str:
    return f'| {" | ".join(map(str, cells))} |'
