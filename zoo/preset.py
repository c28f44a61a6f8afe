"""Presets: trained weights that come with the package, or lie in a folder of the user's.

A preset is a folder with `config.json`, `weights.npz`, `card.json` and its text `card.md`, pictures
of samples and of the learning curve, and `sha256.json`, the sums of all others, which are checked
before anything is read. Weights are arrays, never pickled objects.
"""

import dataclasses
import difflib
import hashlib
import json
import pathlib
import zipfile

import numpy as np

from zoo import errors

FOLDER = pathlib.Path(__file__).parent / 'presets'
FILES = ('config.json', 'weights.npz', 'card.json', 'card.md', 'curve.png', 'samples.png')
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Preset:
    """A trained model with what is known of it.

    Attributes:
        name: of the preset, the name of its folder.
        subject: what was trained, its averaged weights loaded: a flow, a
            `tfd.TransformedDistribution`, or a VAE, a `tfp_glow.vaes.LatentModel`.
        model: the `FlowModel` or `VAEModel` around it, not compiled: `bits`.
        run: the `zoo.runs.Run` that trained it.
        data: what it was trained on: `event_shape`, `original_shape`, `bins`, `classes`.
        card: data, split, seed, time, figures, licence and command, as a dictionary.
        path: its folder.
    """

    name: str
    subject: object
    model: object
    run: object
    data: dict
    card: dict
    path: pathlib.Path

    @property
    def flow(self):
        """The flow.

        Raises:
            UsageError: it is a VAE.
        """
        if self.run.is_vae:
            raise errors.UsageError(f'preset must be that of a flow; {self.name!r} is a VAE.')
        return self.subject


def names():
    """The names of the presets that come with the package."""
    return sorted(p.parent.name for p in FOLDER.glob('*/config.json'))


def described():
    """`{name: what it is, in one line}`."""
    found = {}
    for name in names():
        card = _json(FOLDER / name / 'card.json')
        found[name] = (f'{card["model"]} on {card["dataset"]}: {card["figure"]}, '
                       f'{card["training_seconds"] / 60:.0f} minutes of training')
    return found


def read(name_or_path):
    """The `Preset` of a name in `names()` or in a folder.

    Raises:
        UsageError: there is none; a file is missing or not as it was written; its configuration
            is of a newer version; its weights are those of another model.
    """
    folder = _folder(name_or_path)
    _check_sums(folder)
    config = _json(folder / 'config.json')
    if config.get('preset_format', 0) > FORMAT:
        raise errors.UsageError(f'preset {folder.name!r} must be of format {FORMAT} or older; '
                                f'it has {config["preset_format"]}.')
    from zoo import runs  # Late: a wrong name is reported at once.
    try:
        run, data = runs.Run.from_json(config['run']), config['data']
        model = run.assemble(tuple(data['event_shape']), data['bins'], data['classes'],
                             data['dims'], data['examples'], training=False)
    except (ValueError, TypeError, KeyError) as error:
        raise errors.UsageError(f'preset {folder.name!r} has a config.json that cannot be read '
                                f'({error}).') from None
    try:
        with np.load(folder / 'weights.npz', allow_pickle=False) as weights:
            model.load_own_variables(weights)
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise errors.UsageError(f'preset {folder.name!r} has a weights.npz that does not hold the '
                                f'weights of its config.json ({error}).') from None
    card = _json(folder / 'card.json')
    return Preset(folder.name, model.objective.module, model, run, data, card, folder)


def write(run, data, model, folder, fill):
    """Writes the averaged weights of `model` as a preset into the new folder `folder`.

    Args:
        run: the `Run`.
        data: its data.
        model: its `FlowModel` or `VAEModel`.
        folder: must not be there, or be empty.
        fill: called with the folder before the sums are made; writes the other files.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    about = {'event_shape': list(data.event_shape), 'bins': model.bins, 'dims': data.dims,
             'original_shape': list(getattr(data, 'original_shape', data.event_shape)),
             'classes': data.num_classes if run.conditional else None,
             'examples': data.sizes['train']}
    config = {'preset_format': FORMAT, 'run': run.to_json(), 'data': about}
    (folder / 'config.json').write_text(json.dumps(config, indent=2) + '\n')
    with model.averaged_weights():
        values = {}
        model.save_own_variables(values)
        _save(folder / 'weights.npz', values)
    fill(folder)
    sums = {name: _sum(folder / name) for name in FILES}
    (folder / 'sha256.json').write_text(json.dumps(sums, indent=2) + '\n')


def _save(path, arrays):
    """An npz for `np.load`, smaller than NumPy's own: of rounded weights by a fifth."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_LZMA) as archive:
        for name, array in arrays.items():
            with archive.open(f'{name}.npy', 'w', force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


def published(name_or_path):
    """`(folder, card)` of a preset that was checked by `read`, without its weights."""
    folder = _folder(name_or_path)
    return folder, _json(folder / 'card.json')


def settled(run, data, model, mantissa_bits=23):
    """A copy of the `model` of a `run` on `data` that has the averaged weights as its own.

    Its trained weights are rounded to so many of the 23 bits of their mantissas.
    """
    values = {}
    with model.averaged_weights():
        model.save_own_variables(values)
    copy = run.build(data, training=False)
    copy.load_own_variables(values)
    dropped = 23 - mantissa_bits
    for weight in copy.trainable_variables if dropped else ():
        bits = np.asarray(weight, np.float32).view(np.uint32)
        bits = (bits + np.uint32(1 << dropped - 1)) >> dropped << dropped  # Ties away from zero.
        weight.assign(bits.view(np.float32))
    return copy


def _folder(name_or_path):
    known = names()
    if str(name_or_path) in known:
        return FOLDER / str(name_or_path)
    path = pathlib.Path(name_or_path)
    if path.is_dir():
        return path
    near = difflib.get_close_matches(str(name_or_path), known, n=1, cutoff=0.)
    meant = f' Did you mean {near[0]!r}?' if near else ''
    listed = f'one of {", ".join(known)}, or ' if known else ''
    raise errors.UsageError(f'preset must be {listed}a folder; '
                            f'got {str(name_or_path)!r}.{meant}')


def _check_sums(folder):
    try:
        sums = _json(folder / 'sha256.json')
        wrong = [name for name in FILES if sums[name] != _sum(folder / name)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.UsageError(f'preset must be a folder with {", ".join(FILES)} and sha256.json; '
                                f'{str(folder)!r} lacks something ({error}).') from None
    if wrong:
        raise errors.UsageError(f'preset {folder.name!r} must be as it was written; '
                                f'{", ".join(wrong)} is cut short or changed (SHA-256).')


def _sum(path):
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def _json(path):
    return json.loads(path.read_text(encoding='utf-8'))
