"""`zoo.train` takes the flags of one model and refuses others, useless ones and wrong values."""

import pytest
import tiny_run

DIGITS = ('--dataset=digits',)


def refused(folder, *flags):
    """Returns the line that zoo.train ends with; it must make no run directory."""
    done = tiny_run.finish('train', f'--workdir={folder}/run', *flags)
    assert done.returncode == 2, done.stdout
    line, = done.stderr.splitlines()
    assert line.startswith('error: ') and not (folder / 'run').exists()
    return line.removeprefix('error: ')


@pytest.mark.parametrize('flags, flag, model, others', [
    (['--model=glow', '--posterior=iaf'], '--posterior', 'glow',
     'conv_vae, dense_vae, pixel_vae, resnet_vae'),
    (['--blocks=9'], '--blocks', 'glow', 'conv_vae, flow_pp, pixel_vae, real_nvp'),
    (['--hidden=7'], '--hidden', 'glow', 'dense_vae, iaf, made, maf'),
    (['--model=maf', '--nobatch_norm', '--noreversible'], '--reversible', 'maf', 'glow'),
    (['--model=conv_vae', '--minimum_scale=.1'], '--minimum_scale', 'conv_vae', 'glow')])
def test_a_flag_of_another_model_names_both(flags, flag, model, others, tmp_path):
    line = refused(tmp_path, *DIGITS, *flags)
    assert line.removeprefix('--no').removeprefix('--').startswith(
        f'{flag[2:]} must be left out for --model={model}: it is a flag of ')
    assert set(others.split(', ')) <= set(line.rstrip('.').partition('flag of ')[2].split(', '))


@pytest.mark.parametrize('flags, words', [
    (['--coupling=additive', '--minimum_scale=.1'],
     '--minimum_scale must be left out with --coupling=additive: it is used with '
     '--coupling=affine only; got 0.1.'),
    (['--model=conv_vae', '--posterior=gaussian', '--iaf_steps=3'],
     '--iaf_steps must be left out with --posterior=gaussian: it is used with --posterior=iaf '
     'only; got 3.'),
    (['--model=maf', '--inner=affine', '--components=3'],
     '--components must be left out with --inner=affine: it is used with --inner=mixture only; '
     'got 3.'),
    (['--classification_weight=.1'],
     '--classification_weight must be left out with --conditional=False: it is used with '
     '--conditional only; got 0.1.')])
def test_a_flag_without_use_beside_others(flags, words, tmp_path):
    assert refused(tmp_path, *DIGITS, *flags) == words


@pytest.mark.parametrize('flag, rule', [
    ('--learning_rate=nan', 'must be finite and above 0'),
    ('--clip_norm=inf', 'must be finite and at least 0'),
    ('--sample_temperature=inf', 'must be finite and at least 0'),
    ('--warmup_epochs=nan', 'must be finite and at least 0'),
    ('--seed=99999999999999', 'must be at most 2**31 - 1'),
    ('--seed=-5', 'must be at least 0'),
    ('--epochs=99999999999', 'must be at most 1,000,000'),
    ('--epochs=1.5', 'must be an integer'),
    ('--width=0', 'must be at least 1'),
    ('--minimum_scale=2', 'must be in [0, 1)'),
    ('--ema=1', 'must be in [0, 1)'),
    ('--bits=9', 'must be in [1, 8]'),
    ('--verbose=3', 'must be in [0, 2]')])
def test_a_number_out_of_its_range_names_the_flag(flag, rule, tmp_path):
    name, value = flag.split('=')
    assert refused(tmp_path, *DIGITS, flag) == f'{name} {rule}; got {value}.'


def test_one_model_in_flagfiles_and_on_the_command_line(tmp_path):
    """The same name twice is fine; then the next mistake is reported."""
    file = tmp_path / 'x.flags'
    file.write_text('--model=maf\n--hidden=0\n')
    for flags in ([], ['--model=maf']):
        assert refused(tmp_path, f'--flagfile={file}', *DIGITS, *flags) == (
            "--hidden must be positive integers separated by commas; got '0'.")
    assert refused(tmp_path, f'--flagfile={file}', *DIGITS, '--model=glow') == (
        '--model must be given one value, in flagfiles and on the command line together; '
        'got maf and glow.')


@pytest.mark.parametrize('flags, words', [
    (['--recipe=posteriors'], ['--recipe', 'for --model=glow', "got 'posteriors'",
                               'It is a recipe of conv_vae.']),
    (['--model=maf', '--recipe=papr'], ['--recipe', "got 'papr'", "Did you mean 'paper'?"]),
    (['--model=real_nvpp'], ['--model', "got 'real_nvpp'", "Did you mean 'real_nvp'?"]),
    (['--model='], ['--model', "got ''"]),
    (['--widht=4'], ['--widht is no flag of this program', 'Did you mean --width?'])])
def test_wrong_names_come_with_the_near_one(flags, words, tmp_path):
    line = refused(tmp_path, *DIGITS, *flags)
    assert all(word in line for word in words), line


@pytest.mark.parametrize('flags, words', [
    (['--pad'], '--pad must be left out for vectors; got True.'),
    (['--noflips'], '--flips must be left out for vectors; got False.'),
    (['--bits=5'], '--bits must be left out for vectors; got 5.'),
    (['--binarize=dynamic'], "--binarize must be left out for vectors; got 'dynamic'."),
    (['--shifts=.1'], '--shifts must be left out for vectors; got 0.1.'),
    (['--model=glow'], "--dataset must be one of images for --model=glow; got 'moons'.")])
def test_vectors_have_no_flags_of_images(flags, words, tmp_path):
    model = [] if '--model=glow' in flags else ['--model=maf']
    assert refused(tmp_path, '--dataset=moons', *model, *flags) == words
