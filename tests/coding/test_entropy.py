"""Tests tables and the entropy coder against float64 formulas and exact integer arithmetic."""

import constriction
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from tfp_glow import distributions
from tfp_glow.coding import entropy, mixtures, tables

queue, stack = constriction.stream.queue, constriction.stream.stack

GOLDEN = [50308979, 144198718, 639715323, 4543042294, 481180111]
WORDS = [13, 4197563477, 527800847]


def logistic(loc, scale):
    loc, scale = np.asarray(loc, np.float32), np.asarray(scale, np.float32)
    centres, keys = tables.logistic_keys(loc, scale)
    return entropy.TablePrior(keys, centres, tables.logistic_table)


def coded(values, prior):
    coder = queue.RangeEncoder()
    prior.encode(coder, values)
    return coder.get_compressed()


def round_trip(values, prior):
    words = coded(values, prior)
    decoded = prior.decode(queue.RangeDecoder(words), values.shape)
    assert decoded.dtype == np.int32
    np.testing.assert_array_equal(decoded, values)
    return 32 * len(words) / values.size


def drawn(generator, loc, scale):
    u = generator.random(loc.shape)
    return np.floor(loc + scale * np.log(u / (1 - u)) + .5).astype(np.int32)


@pytest.mark.parametrize('middle, spread', [(-3., .5), (0., 1.), (2., 1.), (6., 1.5)])
def test_codes_are_as_long_as_the_probabilities_say(middle, spread):
    generator = np.random.default_rng(0)
    scale = np.exp(generator.normal(middle, spread, 30000)).astype(np.float32)
    loc = generator.normal(0, 9, scale.shape).astype(np.float32)
    values = drawn(generator, loc, np.maximum(scale, 1e-3))
    ideal = -distributions.DiscretizedLogistic(
        loc.astype(np.float64), scale.astype(np.float64)).log_prob(values).numpy() / np.log(2)
    bits = round_trip(values, logistic(loc, scale))
    assert -.01 < bits - np.mean(ideal) < 4e-3


def test_what_rounding_the_parameters_costs():
    """It is the Kullback-Leibler divergence of the tables, without the chance of a sample."""
    generator, costs = np.random.default_rng(1), []
    for scale in np.exp(generator.uniform(np.log(1 / 8), np.log(2000), 300)).astype(np.float32):
        loc = np.float32(generator.uniform(-50, 50))
        (centre,), (key,) = tables.logistic_keys(loc[np.newaxis], scale[np.newaxis])
        table = tables.logistic_table(int(key))
        cells = (table.low + np.arange(table.size + 1)) << table.shift
        cdf = scipy.special.expit((cells + int(centre) - .5 - np.float64(loc)) / scale)
        p = np.append(np.diff(cdf), 1 - cdf[-1] + cdf[0])
        q = table.masses / 2**24
        costs.append(np.sum(scipy.special.xlogy(p, p) - p * np.log(q)) / np.log(2))
    assert 0 < np.mean(costs) < 1e-3 and max(costs) < 2e-3


def test_masses_are_integers_that_the_coder_takes_as_they_are():
    """One step of an ANS coder shows the interval of a symbol: state -> (s // m, low + s % m)."""
    generator = np.random.default_rng(2)
    for key in generator.integers(0, len(tables._FRACTIONS), 40) * 64:
        table = tables.logistic_table(int(key))
        assert table.masses.dtype == np.int64 and table.masses.sum() == 2**24
        assert table.masses.min() >= 1 and table.masses[-1] >= 2**11
        symbol = int(generator.integers(table.size + 1))
        mass, low = int(table.masses[symbol]), int(table.masses[:symbol].sum())
        state = int(generator.integers(2**32, 2**63))
        coder = stack.AnsCoder(np.array([state % 2**32, state >> 32], np.uint32))
        coder.encode_reverse(np.array([symbol], np.int32), table.model)
        words = [state % 2**32] if state >> 40 >= mass else []
        state >>= 32 * len(words)
        state = (state // mass << 24) + low + state % mass
        words += [state % 2**32] + ([state >> 32] if state >> 32 else [])
        assert coder.get_compressed().tolist() == words


def test_golden_masses():
    """A change of a table needs a new version of the format."""
    scale, loc = np.float32([.04, .5, 3., 90.]), np.float32([-.25, .6, 7., 1000.4])
    computed = [tables.logistic_table(int(key)) for key in tables.logistic_keys(loc, scale)[1]]
    computed.append(tables.mixture_table(np.float32([0, 1, -5, 5.5, 1, 2.5]).tobytes()))
    sums = [int(np.sum(table.masses * np.arange(len(table.masses)))) for table in computed]
    assert sums == GOLDEN


def test_keys_are_one_rounding():
    scale = np.float32([1e-30, 2**-5, 1., 1.0624, 1.0626, 2., 1e30])
    _, keys = tables.logistic_keys(np.zeros_like(scale), scale)
    assert (keys // 64).tolist() == [0, 0, 80, 80, 81, 96, 367]
    loc = np.float32([-1e-20, -.5, 0., .99, 3.999, -2.001])
    centres, keys = tables.logistic_keys(loc, np.ones_like(loc))  # The fractions are eighths.
    assert centres.tolist() == [-1, -1, 0, 0, 3, -3]
    assert (keys % 64).tolist() == [7, 4, 0, 7, 7, 7]


def test_exp_is_the_exponential():
    t = np.linspace(-50, 50, 1001)
    np.testing.assert_allclose(tables.exp(t), np.exp(t), rtol=1e-12)


def test_every_distance_escapes_and_returns():
    """Values up to the edge of the range are coded with the narrowest and the widest tables."""
    distances = np.unique(np.concatenate([2**np.arange(24), 2**np.arange(24) - 1, [1500]]))
    values = np.concatenate([-distances, distances, [0]])
    for scale in (1e-9, .3, 10., 3e5):
        for loc in (-2.**22.9, -.5, 0., 77.3, 2.**22.9):
            round_trip(values, logistic(np.full(values.shape, loc), np.full(values.shape, scale)))


def test_values_of_any_shape_and_priors_that_broadcast():
    generator = np.random.default_rng(3)
    loc = generator.normal(0, 3, [4, 5]).astype(np.float32)
    values = drawn(generator, np.broadcast_to(loc, [7, 4, 5]), 2.)
    shared = coded(values, logistic(loc, np.full_like(loc, 2.)))
    whole = np.broadcast_to(loc, values.shape)
    np.testing.assert_array_equal(shared, coded(values, logistic(whole, np.full_like(whole, 2.))))
    round_trip(values, logistic(loc, np.full_like(loc, 2.)))
    round_trip(values[:1, :1, :1], logistic(loc[:1, :1], np.ones([1, 1])))


@pytest.mark.parametrize('spread', [1., 300.])
def test_mixtures(spread):
    generator = np.random.default_rng(4)
    parameters = np.float32([generator.normal(size=5), spread * generator.normal(size=5),
                             spread * np.exp(generator.normal(size=5))])
    logits, loc, scale = parameters
    mixture = distributions.DiscretizedLogisticMixture(
        *map(np.float64, (logits, loc, scale)))
    values = mixture.sample(20000, seed=[1, 2]).numpy().astype(np.int32)
    ideal = -tf.reduce_mean(mixture.log_prob(values)) / np.log(2)
    prior = entropy.TablePrior(np.zeros([], int), np.zeros([], np.int32),
                          lambda key: tables.mixture_table(parameters.tobytes()))
    assert abs(round_trip(values, prior) - ideal) < 4e-3
    round_trip(np.array([-2**23, 2**23, 0]), prior)


def test_words_that_are_no_code_do_not_crash():
    generator = np.random.default_rng(5)
    prior = logistic(generator.normal(0, 50, 200), np.exp(generator.normal(0, 4, 200)))
    refused = 0
    for _ in range(50):
        words = generator.integers(0, 2**32, generator.integers(0, 90)).astype(np.uint32)
        try:
            values = prior.decode(queue.RangeDecoder(words), (200,))
            assert values.shape == (200,)
        except AssertionError:
            refused += 1
    assert refused < 50


@pytest.mark.slow
def test_speed():
    """It codes three million symbols a second, half as many back; a busy machine may fail."""
    import time
    generator = np.random.default_rng(6)
    scale = np.exp(generator.normal(0, 1, 49152)).astype(np.float32)
    loc = generator.normal(0, 5, scale.shape).astype(np.float32)
    values, best = drawn(generator, loc, scale), [0, 0]
    words = coded(values, logistic(loc, scale))
    for _ in range(5):
        start = time.process_time()
        coded(values, logistic(loc, scale))
        middle = time.process_time()
        logistic(loc, scale).decode(queue.RangeDecoder(words), values.shape)
        best = [max(best[0], values.size / (middle - start)),
                max(best[1], values.size / (time.process_time() - middle))]
    assert best[0] > 3e6 and best[1] > 1.5e6, best


def own_mixtures(generator, count, components, middle, spread):
    scale = np.exp(generator.normal(middle, spread, [count, components]))
    loc = 2 * scale * generator.normal(size=scale.shape) + generator.normal(0, 5, [count, 1])
    return [p.astype(np.float32) for p in (generator.normal(size=scale.shape), loc, scale)]


@pytest.mark.parametrize('components, middle, spread', [(3, 0., 1.), (5, 2., .5), (2, -3., 1.),
                                                        (2, 6., .3)])
def test_a_mixture_for_each_integer(components, middle, spread):
    parameters = own_mixtures(np.random.default_rng(7), 9000, components, middle, spread)
    mixture = distributions.DiscretizedLogisticMixture(*(p.astype(np.float64) for p in parameters))
    values = mixture.sample(seed=[3, 4]).numpy().astype(np.int32)
    ideal = -tf.reduce_mean(mixture.log_prob(values)) / np.log(2)
    assert -1e-3 < round_trip(values, mixtures.MixturePrior(*parameters)) - ideal < 1e-2


def test_any_integer_under_any_mixture():
    generator, count = np.random.default_rng(8), 500
    parameters = [generator.normal(0, 30, [count, 3]),
                  generator.uniform(-2**22.9, 2**22.9, [count, 3]),
                  np.exp(generator.uniform(-60, 60, [count, 3]))]
    parameters = [p.astype(np.float32) for p in parameters]
    values = generator.integers(-2**23, 2**23, [5, 100])
    round_trip(values, mixtures.MixturePrior(*parameters))
    near = np.round(parameters[1][:, 0]).astype(np.int32)
    round_trip(near, mixtures.MixturePrior(*parameters))
    ends = np.repeat([-2**23, 2**23], 250)
    round_trip(ends, mixtures.MixturePrior(*(p[:, :1] for p in parameters)))


def test_golden_words():
    """Mixtures code as they did: another stream needs a new version of the format."""
    n = np.arange(150).reshape([50, 3])
    parameters = np.float32([n % 7 / 2, n % 40 - 20, .5 + n % 11])
    words = coded(np.arange(-25, 25), mixtures.MixturePrior(*parameters))
    assert [len(words), *words[:2].tolist()] == WORDS
