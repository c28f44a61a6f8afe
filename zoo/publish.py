r"""Makes a preset of a finished run: weights, config, card, pictures, SHA-256.

    python -m zoo.publish --workdir=runs/fashion --out=presets/glow_fashion_mnist
    python -m zoo.publish --preset=presets/glow_fashion_mnist --mantissa_bits=10 --out=presets/small

The second command makes a smaller preset of another one, whose curve and training it keeps.
`zoo.from_preset(DIR)` reads presets. The figures on the card are measured here, on the test split,
with the averaged weights in float32.
"""

import pathlib
import shutil

from absl import flags

from zoo.cli import evaluation_flags, files, number_flags, program, ranges, source_flags
from zoo.runs import preset_folder

_WORKDIR, _PRESET, _DATA_DIR = source_flags.define('Or a preset, by its name or folder.')
_OUT = flags.DEFINE_string('out', None, 'Folder to make; must be new.')
_LICENCE = flags.DEFINE_string('licence', None, 'Licence of the weights. Default: Apache-2.0, or '
                               'that of --preset.')
_NOTE = flags.DEFINE_string('note', '', 'A remark for the card, such as what the machine did '
                            'besides.')
_DRAWS = evaluation_flags.draws()
_IMPORTANCE_SAMPLES = evaluation_flags.importance_samples()
_MANTISSA_BITS = number_flags.integer(
    'mantissa_bits', 23, 'Round weights to so many bits of mantissa, for smaller files; the '
    'figures are those of the rounded ones.', ranges.Range(1, 23))
_SAMPLES = number_flags.integer('samples', 36, 'Samples in the picture.')
_TEMPERATURE = number_flags.number(
    'temperature', None, 'Temperature of the samples. Default: .7; of VAEs 1.')


def main(argv: list[str]) -> None:
    """Measures the model and writes the preset."""
    del argv
    out = files.check_new_folder(program.required(_OUT))
    preset_folder.check_source(_WORKDIR.value, _PRESET.value)
    program.start_tensorflow()
    from zoo.evaluation import cards, families  # Late: a wrong flag is reported at once.
    from zoo.runs import opening, publishing
    trained = opening.open_run_or_preset(_WORKDIR.value, _PRESET.value, _DATA_DIR.value)
    families.family_of(trained, program.given())
    workdir, preset = _WORKDIR.value, _PRESET.value
    history = preset_folder.card(preset) if preset else cards.history(workdir or '')
    family = families.family_of(publishing.with_averaged_weights(trained, _MANTISSA_BITS.value))
    temperature = family.temperature(_TEMPERATURE.value)
    card = cards.measure(family, history['epochs'], history['training_seconds'], _DRAWS.value,
                         _IMPORTANCE_SAMPLES.value)
    card |= {'licence': _LICENCE.value or history.get('licence', 'Apache-2.0'),
             'note': _NOTE.value or history.get('note', ''),
             'mantissa_bits': _MANTISSA_BITS.value, 'epoch': history.get('epoch', card['epoch']),
             'samples': f'{_SAMPLES.value} at temperature {temperature:g}'}

    def fill(folder: pathlib.Path) -> None:
        files.write_json(folder / 'card.json', card)
        (folder / 'card.md').write_text(cards.text(out.name, card))
        if preset:
            shutil.copyfile(preset_folder.find(preset) / 'curve.png', folder / 'curve.png')
        else:
            cards.draw_curve(workdir or '', folder / 'curve.png')
        family.draw_samples(_SAMPLES.value, temperature, folder / 'samples.png')
    publishing.write(family.trained, out, fill)
    size = sum(p.stat().st_size for p in out.iterdir()) / 1e6
    print(f'{out}: {card["figure"]}, {size:.1f} MB')


if __name__ == '__main__':
    program.run(main)
