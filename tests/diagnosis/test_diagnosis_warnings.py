"""Each warning of `diagnose` appears for a planted defect."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from plain_flows import flow_of, normal_batch
from tensorflow_probability import bijectors as tfb

import tfp_glow
from tfp_glow import bijectors as tgb
from tfp_glow.diagnosis import Diagnosis, Layer, Level, limits


def about(path, warnings):
    return [warning for warning in warnings if warning.startswith(f'{path}: ')]


def test_healthy_flows_have_no_warnings(data):
    flow = tfp_glow.flows.glow((8, 8, 1), levels=2, steps_per_level=1, width=4)
    tfp_glow.initialize(flow, data)
    diagnosis = tfp_glow.diagnose(flow, data)
    assert diagnosis.warnings == () and str(diagnosis).endswith('\nno warnings')
    made = tfp_glow.networks.made(8, outputs_per_dim=2, hidden=[16])
    maf = tgb.Chain([tgb.MaskedAutoregressive(made), tfb.Scale(tf.ones(8))])
    assert tfp_glow.diagnose(flow_of(maf, [8]), normal_batch(64, 8)).warnings == ()


def test_uninitialised_flows_and_unscaled_data(data):
    flow = tfp_glow.flows.glow((8, 8, 1), levels=1, steps_per_level=1, width=4)
    advice, *_ = tfp_glow.diagnose(flow, data).warnings
    assert 'call tfp_glow.initialize(flow, batch)' in advice
    tfp_glow.initialize(flow, data)
    warnings = tfp_glow.diagnose(flow, 8 * (data + 1)).warnings
    assert any('latents: mean of the latents' in w and 'outside of +-0.5' in w for w in warnings)
    assert any('latents: standard deviation of the latents' in w and 'outside of [0.5, 2]' in w
               for w in warnings)


def test_extreme_scales():
    def coupling(log_scale, name):
        return tgb.Coupling(lambda kept: tf.fill(kept.shape, log_scale),
                            tgb.Multiplicative(lambda raw: raw), event_ndims=1, name=name)
    chain = tgb.Chain([coupling(-10., 'tiny'), coupling(10., 'huge')])
    warnings = tfp_glow.diagnose(flow_of(chain, [4]), normal_batch(64, 4)).warnings
    assert warnings == (
        'tiny: least scale 4.5e-05 is below 0.001; sampling divides by it.',
        'huge: greatest scale 2.2e+04 is above 1000; the density multiplies with it.')


def test_ill_conditioned_and_singular_convolutions():
    def warnings(singular_values):
        conv = tgb.DenseConv1x1(tf.linalg.diag(singular_values)[:, ::-1])
        diagnosis = tfp_glow.diagnose(flow_of(conv, [1, 1, 2]), normal_batch(64, 1, 1, 2))
        return about('dense_conv1x1', diagnosis.warnings)
    assert warnings([1., 1.]) == []
    assert warnings([100., .01]) == [
        'dense_conv1x1: condition number 1e+04 is above 1000; the matrix is nearly singular.']
    broken = warnings([1., 0.])
    assert any('values must be finite' in w for w in broken)
    assert any('condition number inf is above 1000' in w for w in broken)
    assert any('least scale 0 is below 0.001' in w for w in broken)


def test_round_trips_that_fail():
    broken = tfb.Inline(
        forward_fn=lambda x: x + .5, inverse_fn=lambda y: y, name='broken',
        inverse_log_det_jacobian_fn=tf.zeros_like, forward_min_event_ndims=0)
    batch = np.linspace(-1.5, 1.5, 64)[:, np.newaxis] * [1., 1.]
    diagnosis = tfp_glow.diagnose(flow_of(tfb.Chain([broken, tfb.Scale(1.)]), [2]), batch / 1.5)
    assert [layer.round_trip_error for layer in diagnosis.layers] == [pytest.approx(.5), 0]
    assert diagnosis.warnings == ('broken: round-trip error 0.5 is above 0.001.',
                              'whole flow: round-trip error 0.5 is above 0.001.')
    diagnosis = tfp_glow.diagnose(flow_of(broken, [2]), 20 / 1.5 * batch)  # The unit is max |y|.
    assert diagnosis.round_trip_error == pytest.approx(.5 / 20)
    mixture = tgb.MixtureLogisticCDF([0., 0.], [-9., 9.], [0., 0.], max_iterations=1)
    assert tfp_glow.diagnose(flow_of(mixture, [2]), batch).round_trip_error == np.inf


def test_weights_that_are_not_finite(data):
    flow = tfp_glow.flows.glow((8, 8, 1), levels=1, steps_per_level=2, width=4)
    tfp_glow.initialize(flow, data)
    shift = next(v for v in flow.variables if v.name.startswith('glow/level_0/act_norm/shift'))
    shift.assign(tf.tensor_scatter_nd_update(shift, [[1, 2]], [np.nan]))
    diagnosis = tfp_glow.diagnose(flow, data)
    assert diagnosis.warnings == (
        f'1 of {len(flow.variables)} variables must be finite and hold NaN or infinity: '
        'glow/level_0/act_norm/shift.',
        'level_0/repeat[1]/act_norm: values must be finite and are not, from this layer on.')
    assert np.isfinite(diagnosis.layers[3].round_trip_error)
    plain = json.loads(json.dumps(diagnosis.to_dict(), allow_nan=False))
    assert plain['layers'][4]['round_trip_error'] == plain['round_trip_error'] == 'nan'
    assert plain['layers'][0]['least_scale'] is None and plain['layers'][1]['log_det'] > 0
    for v in flow.trainable_variables:
        v.assign(v * np.nan)
    count = len(flow.trainable_variables)
    first = limits.variable_warnings({str(i): v for i, v in enumerate(flow.trainable_variables)})[0]
    assert first == (f'{count} of {count} variables must be finite and hold NaN or infinity: '
                     '0, 1, 2 and more.')


HEALTHY = Layer('layer', 'Scale', 0., 1., 1., 1., 1., 1.)


@pytest.mark.parametrize('field, within, beyond', [
    ('round_trip_error', .99e-3, 1.01e-3), ('least_scale', 1.01e-3, .99e-3),
    ('greatest_scale', 999., 1001.), ('condition_number', 999., 1001.)])
def test_limits_of_layers(field, within, beyond):
    def warnings(value):
        layer = dataclasses.replace(HEALTHY, **{field: value})
        return limits.warnings(Diagnosis((layer,), (), 0., 1., ()))
    assert warnings(within) == []
    warning, = warnings(beyond)
    assert field.split('_')[0] in warning and f'{beyond:.2g}' in warning


@pytest.mark.parametrize('within, beyond', [
    ((.49, 1.), (.51, 1.)), ((-.49, 1.), (-.51, 1.)), ((0., .51), (0., .49)),
    ((0., 1.99), (0., 2.01))])
def test_limits_of_latents(within, beyond):
    def warnings(mean, std):
        return limits.warnings(Diagnosis((HEALTHY,), (Level('level_0', mean, std),), 0., 1., ()))
    assert warnings(*within) == [] and len(warnings(*beyond)) == 1
