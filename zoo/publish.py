r"""Makes a preset of a finished run: weights, config, card, pictures, SHA-256.

    python -m zoo.publish --workdir=runs/fashion --out=presets/glow_fashion_mnist
    python -m zoo.publish --preset=presets/glow_fashion_mnist --mantissa_bits=10 --out=presets/small

The second makes a smaller one of another preset, whose curve and training it keeps.
`zoo.from_preset(DIR)` reads them. The figures on the card are measured here, on the test split,
with the averaged weights in float32.
"""

import json
import pathlib
import shutil

from absl import flags

from zoo.cli import errors, program

FLAGS = flags.FLAGS
flags.DEFINE_string('workdir', None, 'Run directory of zoo.train, of a finished run.')
flags.DEFINE_string('preset', None, 'Or a preset, by its name or folder.')
flags.DEFINE_string('data_dir', None, 'Where TFDS finds prepared data sets.')
flags.DEFINE_string('out', None, 'Folder to make; must be new.')
flags.DEFINE_string('licence', 'Apache-2.0', 'Licence of the weights.')
flags.DEFINE_string('note', '', 'A remark for the card, such as what the machine did besides.')
flags.DEFINE_integer('draws', 1, 'Draws per image, averaged: of the dequantization noise, or of '
                                 'a VAE\'s latents.')
flags.DEFINE_integer('importance_samples', None, 'Also evaluate a VAE by the importance-weighted '
                                                 'bound of so many samples.')
flags.DEFINE_integer('mantissa_bits', 23, 'Round weights to so many bits of mantissa, for smaller '
                                           'files; the figures are those of the rounded ones.')
flags.DEFINE_integer('samples', 36, 'Samples in the picture.')
flags.DEFINE_float('temperature', None, 'Their temperature. Default: .7; of VAEs 1.')


def main(_):
    """Measures and writes."""
    program.require('out')
    out = pathlib.Path(FLAGS.out)
    if out.exists():
        raise errors.UsageError(f'--out must be a new folder; {FLAGS.out!r} exists.')
    for name in ('draws', 'samples', 'importance_samples'):
        if FLAGS[name].value is not None and FLAGS[name].value < 1:
            raise errors.UsageError(f'--{name} must be at least 1; got {FLAGS[name].value}.')
    if not 1 <= FLAGS.mantissa_bits <= 23:
        raise errors.UsageError(f'--mantissa_bits must be in 1 .. 23; got {FLAGS.mantissa_bits}.')
    if not 0 <= (FLAGS.temperature or 0.) < float('inf'):
        raise errors.UsageError('--temperature must be finite and at least 0; got '
                                f'{FLAGS.temperature:g}.')
    from zoo.evaluation import cards, results, vae_results
    from zoo.runs import preset
    from zoo.runs import run as runs
    run, data, model = runs.opened(FLAGS.workdir, FLAGS.preset, FLAGS.data_dir)
    source, told = preset.published(FLAGS.preset) if FLAGS.preset else (
        None, cards.training(FLAGS.workdir))
    vae_results.check_samples(run, FLAGS.importance_samples)
    model = preset.settled(run, data, model, FLAGS.mantissa_bits)
    temperature = results.temperature(run, FLAGS.temperature)
    card = cards.measure(run, data, model, told['epochs'], told['training_seconds'],
                         FLAGS.draws, FLAGS.importance_samples)
    card |= {'licence': FLAGS.licence, 'note': FLAGS.note or told.get('note', ''),
             'mantissa_bits': FLAGS.mantissa_bits,
             'samples': f'{FLAGS.samples} at temperature {temperature:g}'}

    def fill(folder):
        (folder / 'card.json').write_text(json.dumps(card, indent=2) + '\n')
        (folder / 'card.md').write_text(cards.text(out.name, card))
        if source:
            shutil.copyfile(source / 'curve.png', folder / 'curve.png')
        else:
            cards.draw_curve(FLAGS.workdir, folder / 'curve.png')
        results.draw(run, data, model, FLAGS.samples, temperature, folder / 'samples.png')
    preset.write(run, data, model, out, fill)
    size = sum(p.stat().st_size for p in out.iterdir()) / 1e6
    print(f'{out}: {card["figure"]}, {size:.1f} MB')


if __name__ == '__main__':
    program.run(main)
