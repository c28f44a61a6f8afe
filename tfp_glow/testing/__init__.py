"""Checks of your own bijectors what TFP's users rely on, as the tests check it of ours."""

from tfp_glow.testing.contract import assert_bijector_contract, assert_invertible

__all__ = ['assert_bijector_contract', 'assert_invertible']
