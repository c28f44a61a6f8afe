r"""Changes images by changing their latents; writes a PNG, or a GIF that moves.

    python -m zoo.latents --workdir=RUN --tool=interpolate --images=0,1,2 --out=way.png

The tools, each a row per image and from left to right:

    interpolate  from each image to the next, straight between their latents (or --spherical)
    traverse     one entry of one latent, --level and --index, from -strength to +strength standard
                 deviations
    resample     the image; then each level's latent drawn anew, or several draws of --level
    temperature  one sample at each of --temperatures
    attribute    edited by the difference of the class means --positive and --negative, from 0 to
                 --strength times
    reconstruct  the image; then from the mode of all latents, the coarsest kept, ... all kept
    inpaint      the image; without the part under --mask; that part while log p rises
    manifold     of a VAE with two latents: --steps quantiles of a Normal along each of them

A VAE has interpolate, traverse (--level is then the number of the group of latents), temperature,
reconstruct (the image and what its latents' centre gives) and manifold, without the noise of
p(x|z). In a GIF, what is side by side here follows in time.
"""

from absl import flags

from zoo.cli import errors, program
from zoo.pictures import grids

FLAGS = flags.FLAGS
_TOOLS = ('interpolate', 'traverse', 'resample', 'temperature', 'attribute', 'reconstruct',
          'inpaint', 'manifold')
flags.DEFINE_enum('tool', None, _TOOLS, 'What to do, see above.')
flags.DEFINE_string('workdir', None, 'Run directory of zoo.train, or give --preset.')
flags.DEFINE_string('preset', None, 'Name or folder of a preset.')
flags.DEFINE_string('data_dir', None, 'Where TFDS finds prepared data sets.')
flags.DEFINE_list('images', None, 'Test images by number, from 0. Default: 0,1,2,3 unless '
                                  '--image_file is given.')
flags.DEFINE_list('image_file', [], 'PNG files of your own, of the data set\'s size; they come '
                                    'after --images.')
flags.DEFINE_string('out', None, 'Where to write, a .png or a .gif.')
flags.DEFINE_bool('overwrite', False, 'Replace --out if it is there.')
flags.DEFINE_integer('seed', 0, 'Of dequantization and of all that is drawn.')
flags.DEFINE_integer('steps', 9, 'Images in a row: of interpolate, traverse, attribute, manifold, '
                                 'resample with --level; shown by inpaint.')
flags.DEFINE_bool('spherical', False, 'interpolate: along the great circle.')
flags.DEFINE_integer('level', None, 'traverse, resample: number of the latent, the finest is 0. '
                                    'traverse: by default the coarsest.')
flags.DEFINE_integer('index', 0, 'traverse: number of the entry in the flattened latent.')
flags.DEFINE_float('strength', None, 'traverse: standard deviations, default 3; attribute: '
                                     'multiples of the difference, default 1.')
flags.DEFINE_float('temperature', 1., 'resample: of what is drawn.')
flags.DEFINE_list('temperatures', ['0', '.25', '.5', '.7', '.85', '1'], 'temperature: these.')
flags.DEFINE_integer('num', 4, 'temperature: samples.')
flags.DEFINE_integer('positive', None, 'attribute: number of the class that has it.')
flags.DEFINE_integer('negative', None, 'attribute: number of the class that has not.')
flags.DEFINE_integer('class_images', 2000, 'attribute: at most so many training images a class.')
flags.DEFINE_enum('mask', 'bottom', ['left', 'right', 'top', 'bottom', 'middle'],
                  'inpaint: the half to fill in; middle: about half of each side.')
flags.DEFINE_integer('ascent_steps', 300, 'inpaint: steps of gradient ascent.')
flags.DEFINE_float('step_size', 1e-3, 'inpaint: of the first step; it adapts.')


def main(_):
    """Loads, computes, writes."""
    program.require('tool', 'out')
    grids.check_output(FLAGS.out, ('.png', '.gif'), FLAGS.overwrite)
    _check_flags()
    from zoo.latent_tools import flows as flow_tools
    from zoo.latent_tools import vaes as vae_tools
    from zoo.runs import run as runs
    run, data, model = runs.opened(FLAGS.workdir, FLAGS.preset, FLAGS.data_dir)
    if model.bins is None or run.conditional:
        raise errors.UsageError(f'--tool={FLAGS.tool} needs a model of images without a condition; '
                                f'got {run.model} on {run.dataset}.')
    if run.discrete:
        raise errors.UsageError(f'--tool={FLAGS.tool} needs latents that are no integers; '
                                f'got those of {run.model}.')
    tools = vae_tools if run.is_vae else flow_tools
    if not hasattr(tools, FLAGS.tool):
        raise errors.UsageError(f'--tool={FLAGS.tool} is for {"flows" if run.is_vae else "VAEs"}; '
                                f'got {run.model}.')
    subject = tools.Subject(run.prepare, data, model, FLAGS.seed)
    numbers = FLAGS.images if FLAGS.images is not None else [] if FLAGS.image_file else range(4)
    with program.naming_flags(), model.averaged_weights():
        images = None
        if FLAGS.tool not in ('temperature', 'manifold'):
            images = subject.images([int(n) for n in numbers], FLAGS.image_file)
        rows = getattr(tools, FLAGS.tool)(subject, images, FLAGS)
    rows, bins = subject.pictures(rows), subject.picture_bins
    if FLAGS.out.endswith('.gif'):
        grids.save_animation(rows.swapaxes(0, 1), FLAGS.out, bins)
    else:
        grids.save_grid(rows.reshape(-1, *rows.shape[2:]), FLAGS.out, bins,
                             columns=rows.shape[1])
    print(f'{FLAGS.out}: {FLAGS.tool}, {rows.shape[0]} rows of {rows.shape[1]} images')


def _check_flags():
    for name, kind in (('images', int), ('temperatures', float)):
        for value in FLAGS[name].value or []:
            try:
                kind(value)
            except ValueError:
                raise errors.UsageError(f'--{name} must be numbers with commas between; '
                                        f'got {value!r}.') from None
    for name, least in (('steps', 2), ('num', 1), ('class_images', 1), ('ascent_steps', 1),
                        ('index', 0), ('seed', 0), ('temperature', 0)):
        if not FLAGS[name].value >= least:
            raise errors.UsageError(f'--{name} must be at least {least}; '
                                    f'got {FLAGS[name].value}.')
    if FLAGS.tool == 'attribute':
        program.require('positive', 'negative')


if __name__ == '__main__':
    program.run(main)
