"""Each platform is given the form of a convolution that it has fast code for."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from jaxgan.models.strided import strided_conv2d, transposed_conv2d, upscale_conv2d
from jaxgan.runtime import compiling_for


@pytest.mark.parametrize("platform, native", [("cpu", False), ("cuda", True), ("tpu", True)])
@pytest.mark.parametrize(
    "convolve, size, window",
    [
        (partial(strided_conv2d, pad=1), 4, "stride = [2, 2]"),
        (transposed_conv2d, 3, "lhs_dilate = [2, 2]"),
        (upscale_conv2d, 3, "lhs_dilate = [2, 2]"),
    ],
    ids=["strided", "transposed", "upscale"],
)
def test_platforms_get_their_forms(convolve, size, window, platform, native):
    with compiling_for(platform):
        traced = jax.jit(lambda x, kernel: convolve(x, kernel)).trace(jnp.zeros((1, 8, 8, 2)), jnp.zeros((size, size, 2, 3)))
    lowered = traced.lower(lowering_platforms=(platform,)).as_text()
    assert (window in lowered) == native
    assert ("stablehlo.convolution" in lowered) == (native or convolve is upscale_conv2d)
    assert ("stablehlo.dot_general" in lowered) != native
