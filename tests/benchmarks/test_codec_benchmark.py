"""Tests zoo.benchmark --codec: all codecs get the same images, and each is checked."""

import json
import types

import numpy as np
import pytest
import tiny_integer_flow
import tiny_run

from zoo.benchmarks import codecs
from zoo.cli import errors
from zoo.runs import preset, preset_folder


@pytest.mark.parametrize('channels', [1, 3])
def test_other_codecs_are_lossless(channels):
    images = tiny_integer_flow.images(channels, size=(6, 5), count=2)
    for name, (encode, decode) in codecs.others().items():
        if encode is None:
            assert 'JPEG-XL' in name and 'tfp-glow[bench]' in decode
            continue
        for kind in ('noise', 'photo'):
            row = codecs._measured(name, images[kind], None, encode, decode)
            assert row['bits_per_dim'] > 5
    with pytest.raises(errors.Failure, match='JPEG does not give back'):
        codecs._measured('JPEG', images['noise'], None, codecs._saving('JPEG'), codecs._opened)


def test_a_mosaic_has_all_images():
    images = np.arange(5 * 2 * 3 * 3, dtype=np.uint8).reshape([5, 2, 3, 3])
    whole = codecs.mosaic(images)
    assert whole.shape == (4, 9, 3)
    for number, image in enumerate(images):
        row, column = divmod(number, 3)
        np.testing.assert_array_equal(
            whole[2 * row:2 * row + 2, 3 * column:3 * column + 3], image)
    assert not np.any(whole[2:, 6:])


def test_crops_that_overlap_are_left_out():
    photo = np.random.default_rng(0).integers(0, 256, [12, 12, 3]).astype(np.uint8)
    crops = np.stack([photo[i:i + 8, j:j + 8] for i in (0, 4) for j in (0, 4)])
    assert codecs.distinct(crops) == [0]
    black = np.zeros_like(crops[:2])  # Two black crops are no overlap.
    assert codecs.distinct(np.concatenate([crops, black, 255 - crops[3:]])) == [0, 4, 5, 6]


def test_the_table(monkeypatch, tmp_path, capsys):
    model = tiny_integer_flow.TinyIntegerFlow(channels=1)
    model.discrete = True
    images = 64 + tiny_integer_flow.images(1, count=3)['photo'] // 2
    data = types.SimpleNamespace(
        sizes={'test': 3}, take=lambda split, count: images[:count], crop=lambda x: x,
        describe=lambda: 'tiny photographs.')
    tiny = types.SimpleNamespace(
        flow=model, run=types.SimpleNamespace(load_data=lambda folder: data))
    monkeypatch.setattr(preset, 'read', lambda name: tiny)
    monkeypatch.setattr(preset_folder, 'find', lambda name: tmp_path)
    with tiny_run.program('benchmark') as benchmark:
        benchmark(codec=True, preset='tiny', out=tmp_path / 'x.json')
        for given, words in [({'codec': True}, '--preset must be given'),
                             ({'codec': True, 'preset': 'x', 'size': 8},
                              '--size must be left out with --codec'),
                             ({'codec': True, 'preset': 'x', 'images': 0},
                              '--images must be at least 1; got 0')]:
            with pytest.raises(errors.UsageError, match=words):
                benchmark(**given)
    printed, report = capsys.readouterr().out, json.loads((tmp_path / 'x.json').read_text())
    names = [row['codec'] for row in report['rows']]
    assert names[:4] == ['tfp_glow', 'tfp_glow, one file for all', 'PNG, optimised',
                         'WebP, lossless']
    single, whole = report['rows'][:2]
    assert single['bits_per_dim'] > whole['bits_per_dim'] > 6  # Headers weigh most in small files.
    assert single['ratio'] == 1 and report['images'] == report['distinct'] == 3
    assert all(row['tiled_bits_per_dim'] == row['distinct_bits_per_dim'] > 0
               for row in report['rows'] if 'tiled_bits_per_dim' in row)
    for word in (*names, 'M symbols/s', 'the networks take', '3 test images of tiny photographs.'):
        assert word in printed
    for verb in ('encoding', 'decoding'):
        assert report[verb]['rate'] > 0 and 0 < report[verb]['network_share'] < 1
