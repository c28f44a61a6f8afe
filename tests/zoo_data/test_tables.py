"""Tests a user's own tables: what is read, how it is split, and the errors for bad input."""

import numpy as np
import pytest

from zoo import data
from zoo.cli import errors
from zoo.data import tables

ROWS = np.random.default_rng(0).normal([3., -2.], [5., .1], [100, 2])
LABELS = np.arange(100) % 3


def write(path, rows, names=None, delimiter=','):
    lines = [delimiter.join(names)] if names else []
    lines += [delimiter.join(map(repr, map(float, row))) for row in rows]
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return path


def everything(table):
    """Returns all rows of the data set by split, in the file's own units."""
    return {s: table.unscale(table.take(s, n)) for s, n in table.sizes.items()}


@pytest.mark.parametrize('delimiter', [',', ';', '\t'])
@pytest.mark.parametrize('names', [['a', 'b'], ['width', '2020'], None])
def test_csv_with_and_without_names(delimiter, names, tmp_path):
    parts, columns = tables.read(write(tmp_path / 't.csv', ROWS, names, delimiter))
    np.testing.assert_array_equal(parts[None].values, ROWS)
    assert columns == (names or ['1', '2']) and parts[None].labels is None


def test_csv_of_spreadsheets(tmp_path):
    """They may have a byte order mark, quotes, blank lines, blanks, another system's line ends."""
    lines = ['\ufeff"a, b" , c', '', *[f'"{a}", {b} ' for a, b in ROWS], ',', '']
    (tmp_path / 't.csv').write_bytes('\r\n'.join(lines[:-2]).encode())
    parts, columns = tables.read(tmp_path / 't.csv')
    np.testing.assert_array_equal(parts[None].values, ROWS)
    assert columns == ['a, b', 'c']


def test_a_table_is_split_by_a_seeded_shuffle(tmp_path):
    path = write(tmp_path / 't.csv', ROWS, ['a', 'b'])
    table = data.load_vectors(str(path))
    assert table.sizes == {'train': 80, 'validation': 10, 'test': 10}
    assert table.splits == {'train': 'rows 0..79 of 100 shuffled by seed 0',
                            'validation': 'rows 80..89 of 100 shuffled by seed 0',
                            'test': 'rows 90..99 of 100 shuffled by seed 0'}
    assert table.describe() == (f'{path}: 2 columns, standardised; ' + ', '.join(
        f'{s} {n} ({table.splits[s]})' for s, n in table.sizes.items()) + '.')
    rows = everything(table)
    order = [int(np.argmin(np.abs(ROWS - row).sum(1))) for part in rows.values() for row in part]
    assert sorted(order) == list(range(100)) and order != list(range(100))
    for part, indices in zip(rows.values(), np.split(np.array(order), [80, 90])):
        np.testing.assert_allclose(part, ROWS[indices], rtol=1e-6)
    train = ROWS[order[:80]]
    np.testing.assert_allclose(table.mean, train.mean(0))
    np.testing.assert_allclose(table.std, train.std(0))
    np.testing.assert_array_equal(data.load_vectors(path).take('test', 10), table.take('test', 10))
    other = data.load_vectors(path, seed=1)
    assert np.any(everything(other)['test'] != rows['test']) and 'seed 1' in other.splits['test']


def test_thirty_rows_leave_three_to_test(tmp_path):
    table = data.load_vectors(write(tmp_path / 't.csv', ROWS[:30, :1]))
    assert list(table.sizes.values()) == [24, 3, 3] and table.event_shape == (1,)
    assert table.describe().startswith(f'{tmp_path}/t.csv: 1 column, standardised; train 24 ')


def test_large_numbers_are_standardised_in_float64(tmp_path):
    far = 1e9 + ROWS
    np.savez(tmp_path / 't.npz', x=far)
    table = data.load_vectors(tmp_path / 't.npz')
    np.testing.assert_allclose(table.take('train', 80).std(0), 1, rtol=1e-5)
    assert abs(table.take('train', 80).mean()) < 1e-5


@pytest.mark.parametrize('arrays', [{'x': ROWS, 'other': LABELS}, {'rows': ROWS}])
def test_npz_of_one_array(arrays, tmp_path):
    np.savez(tmp_path / 't.npz', **arrays)
    parts, columns = tables.read(tmp_path / 't.npz')
    np.testing.assert_array_equal(parts[None].values, ROWS)
    assert columns == ['1', '2']


def test_npz_keeps_its_splits_and_labels(tmp_path):
    split = {'train': ROWS[:60], 'validation': ROWS[60:75], 'test': ROWS[75:]}
    classes = {f'{s}_y': np.arange(len(x)) % 3 for s, x in split.items()}
    np.savez(tmp_path / 't.npz', **split, **classes)
    table = data.load_vectors(tmp_path / 't.npz', label='y')
    assert table.splits == {s: f'array {s}' for s in split} and table.num_classes == 3
    for s, x in split.items():
        (rows, labels), = table.evaluation(s, 100, labels=True)
        np.testing.assert_allclose(table.unscale(rows), x, rtol=1e-5)
        np.testing.assert_array_equal(labels, classes[f'{s}_y'])


@pytest.mark.parametrize('names, label', [(['a', 'kind', 'b'], 'kind'), (None, '2')])
def test_a_label_column_is_left_out(names, label, tmp_path):
    rows = np.insert(ROWS, 1, LABELS, axis=1)
    table = data.load_vectors(write(tmp_path / 't.csv', rows, names), label=label)
    assert table.columns == (('a', 'b') if names else ('1', '3')) and table.num_classes == 3
    (x, labels), = table.evaluation('train', 80, labels=True)
    for row, k in zip(table.unscale(x), labels):
        assert k == LABELS[np.argmin(np.abs(ROWS - row).sum(1))]
    with pytest.raises(ValueError, match='labels must be False: .* has no classes'):
        data.load_vectors(write(tmp_path / 'plain.csv', ROWS)).train(8, 0, labels=True)


def lines(*changes, names='a,b'):
    """Returns a good CSV of 30 rows with some of its lines, counted from 1, replaced."""
    text = [names, *[f'{a},{b}' for a, b in ROWS[:30]]]
    for line, value in changes:
        text[line - 1] = value
    return '\n'.join(text).encode()


@pytest.mark.parametrize('content, message', [
    (lines((4, '1.5,red')), "all values must be numbers; column 'b' holds the text 'red' in line "
     '4. Leave out such rows or columns.'),
    (lines((4, '1.5, ')), "all values must be numbers; column 'b' holds nothing in line 4."),
    (b'red,1\nblue,2\n' * 20, "column '1' holds the text 'red' in line 1."),
    (b'colour,x\n' + b'red,3\n' * 30, "column 'colour' holds the text 'red' in line 2."),
    (b'1,5;2,5\n' * 40, "column '1' has the decimal comma '1,5' in line 1."),
    (lines((9, '1,nan'), (11, 'inf,2')), "all values must be finite; column 'b' holds nan in "
     'line 9, 2 values in all.'),
    (lines((9, '-inf,1')), "column 'a' holds -inf in line 9, 1 values in all."),
    (lines((7, '1,2,3')), 'all rows must have as many values, 2 as in the first; line 7 has 3.'),
    (lines((7, '1')), 'all rows must have as many values, 2 as in the first; line 7 has 1.'),
    (b'\n'.join(lines().splitlines()[:-1]), 'it must have 30 rows or more, 3 or more in each '
     'split; got 29.'),
    (b'a,b\n', 'all values must be numbers'),
    (b'', 'it must hold a table; the file is empty.'),
    (b' \n\n', 'it must hold a table; the file is blank.'),
    (b'a,b\n' + b'1,2\n1,3\n' * 20, "every column must vary in the training rows, with a finite "
     "variance above 0; 'a' does not."),
    (b'a,b\n' + b'1e200,2\n-1e200,3\n' * 20, "variance above 0; 'a' does not."),
    ('a,b\n1,é\n'.encode('latin-1'), 'it must be CSV in UTF-8;'),
    (b'a,b\n1,"' + b'2' * 200_000 + b'"\n', 'it must be CSV in UTF-8; field larger than'),
])
def test_bad_csv(content, message, tmp_path):
    check(tmp_path / 't.csv', content, message)


@pytest.mark.parametrize('arrays, message', [
    ({'x': np.array([['a', 'b']] * 40)}, "array 'x' must be of floats or integers; got dtype=<U1."),
    ({'x': ROWS > 0}, "array 'x' must be of floats or integers; got dtype=bool."),
    ({'x': ROWS + 1j}, "array 'x' must be of floats or integers; got dtype=complex128."),
    ({'x': np.array([{'a': 1}] * 40)}, 'none of them pickled objects; Object arrays cannot be '
     'loaded'),
    ({'x': np.zeros([40, 8, 8])}, "array 'x' must have the shape [rows, columns]; "
     'got [40, 8, 8].'),
    ({'x': np.float64(3)}, "array 'x' must have the shape [rows, columns]; got []."),
    ({'x': np.zeros([40, 0])}, 'it must have a column of values; it has none.'),
    ({'x': np.where(np.arange(200).reshape(100, 2) == 7, np.nan, ROWS)},
     "all values must be finite; column '2' holds nan in row 3 of x, 1 values in all."),
    ({'x': ROWS[:29]}, 'it must have 30 rows or more'),
    ({'a': ROWS, 'b': ROWS}, 'it lacks x and has a, b.'),
    ({}, 'it lacks x and has none.'),
    ({'train': ROWS, 'test': ROWS}, 'it lacks validation and has train, test.'),
    ({'train': ROWS, 'test': ROWS, 'validation': ROWS[:, :1]},
     "all splits must have as many columns; got {'train': 2, 'validation': 1, 'test': 2}."),
    ({'train': ROWS, 'test': ROWS[:2], 'validation': ROWS}, '3 or more in each split; got 100, '
     '100, 2.'),
    ({'x': ROWS * [1, 0]}, "'2' does not."),
])
def test_bad_npz(arrays, message, tmp_path):
    np.savez(tmp_path / 't.npz', **arrays)
    check(tmp_path / 't.npz', None, message)


@pytest.mark.parametrize('content', [b'PK\x03\x04 no zip', b'1,2\n3,4\n', b'\x80\x04K\x01.'])
def test_what_is_no_npz(content, tmp_path):
    check(tmp_path / 't.npz', content, 'it must be a whole npz file of arrays of numbers')


def test_a_damaged_npz(tmp_path):
    np.savez_compressed(tmp_path / 't.npz', x=ROWS)
    whole = (tmp_path / 't.npz').read_bytes()
    damaged = whole[:500] + bytes(b ^ 255 for b in whole[500:600]) + whole[600:]
    for content in (whole[:-50], damaged):
        check(tmp_path / 't.npz', content, 'it must be a whole npz file of arrays of numbers')


@pytest.mark.parametrize('labels, label, message', [
    (LABELS - 1, 'y', "array 'y' must hold classes, integers from 0, fewer than there are rows; "
     'got -1.'),
    (LABELS + .5, 'y', "array 'y' must hold classes, integers from 0"),
    (LABELS * 50, 'y', 'got 100.'),
    (LABELS * np.nan, 'y', 'got nan.'),
    (LABELS[:50], 'y', "array 'y' must have one label for each of the 100 rows; got [50, 1]."),
    (LABELS, 'z', 'it lacks z and has x, y.'),
])
def test_bad_labels(labels, label, message, tmp_path):
    np.savez(tmp_path / 't.npz', x=ROWS, y=labels)
    check(tmp_path / 't.npz', None, message, label=label)


@pytest.mark.parametrize('names', [['a', 'b'], ['y', 'y']])
def test_a_label_column_must_be_there_once(names, tmp_path):
    write(tmp_path / 't.csv', ROWS, names)
    check(tmp_path / 't.csv', None, "it must have one column 'y' for the labels; it has "
          f"'{names[0]}', '{names[1]}'.", label='y')


def test_files_that_cannot_be_read(tmp_path):
    check(tmp_path / 'none.csv', None, 'it must be a file that can be read; No such file')
    (tmp_path / 'folder.csv').mkdir()
    check(tmp_path / 'folder.csv', None, 'it must be a file that can be read; Is a directory')


def check(path, content, message, **options):
    """`load_vectors` must raise one line, which begins with the flag and the file."""
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(errors.UsageError) as caught:
        data.load_vectors(path, '--table', **options)
    text = str(caught.value)
    assert text.startswith(f'--table={path}: ') and '\n' not in text
    assert message in text


def test_the_index_of_pandas_is_left_out(tmp_path, capsys):
    path = tmp_path / 't.csv'
    rows = [f'{i},{x},{y}' for i, (x, y) in enumerate(ROWS[:40, :2])]
    path.write_text('\n'.join([',height,width', *rows]))
    table = data.load_vectors(path)
    assert table.columns == ('height', 'width')
    assert 'column 1, which has no name and counts the rows, is left out' in capsys.readouterr().out
    path.write_text('\n'.join([',height,width', *rows[5:]]))
    check(path, None, 'every column must have a name; column 1 has none, and does not count')


@pytest.mark.parametrize(('first', 'header', 'columns'), [
    ('0,1,2', 'auto', ('0', '1', '2')), ('1,2,3', 'auto', ('1', '2', '3')),
    ('0,1,2', 'no', ('1', '2', '3')), ('1990,1991,1992', 'yes', ('1990', '1991', '1992')),
    ('7,3,9', 'auto', ('1', '2', '3'))])
def test_numbers_as_names(tmp_path, capsys, first, header, columns):
    path = tmp_path / 't.csv'
    rows = [','.join(map(str, row)) for row in ROWS[:40, [0, 1, 0]]]
    path.write_text('\n'.join([first, *rows]))
    table = data.load_vectors(path, header=header)
    assert table.columns == columns
    assert sum(table.sizes.values()) == 40 + (header == 'no' or first == '7,3,9')
    assert ('is taken for names' in capsys.readouterr().out) == (
        header == 'auto' and first != '7,3,9')
    path.write_text('\n'.join(['1990,1991,1992', *rows]))
    check(path, None, "its first line, '1990', '1991', '1992', may be names or values: give --head")


def test_decimal_commas_are_named(tmp_path):
    rows = [';'.join(str(v).replace('.', ',') for v in row) for row in ROWS[:40, :2]]
    (tmp_path / 't.csv').write_text('\n'.join(['a;b', *rows]))
    check(tmp_path / 't.csv', None, "numbers must have decimal points; column 'a' has the decimal")


@pytest.mark.parametrize(('first', 'message'), [
    ('NA,2.5', "its first line, 'NA', '2.5', may be names or values: give --header=yes"),
    ('?,2.5', 'may be names or values'), ('null,1', 'may be names or values'),
    (',,b', 'every column must have a name; column 2 has none')])
def test_first_lines_that_are_neither(tmp_path, first, message):
    rows = [','.join([str(i)] * (first.count(',') + 1)) for i in range(40)]
    (tmp_path / 't.csv').write_text('\n'.join([first, *rows]))
    check(tmp_path / 't.csv', None, message)


def test_names_with_underscores_are_no_numbers(tmp_path):
    (tmp_path / 't.csv').write_text('\n'.join(['1_1,1_2', *(
        ','.join(map(str, row)) for row in ROWS[:40, :2])]))
    assert data.load_vectors(tmp_path / 't.csv').columns == ('1_1', '1_2')
    assert data.load_vectors(tmp_path / 't.csv', header='yes').columns == ('1_1', '1_2')
