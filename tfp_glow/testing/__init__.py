"""A testing kit: what TFP's users rely on, checked of your own bijectors as of ours."""

from tfp_glow.testing.contract import assert_bijector_contract, assert_invertible

__all__ = ['assert_bijector_contract', 'assert_invertible']
