"""Lazy regularisation: costly terms enter every few steps, with a weight that makes up for it.

References:
  Karras et al., Analyzing and improving the image quality of StyleGAN, 2019, appendix B.
"""

from collections.abc import Callable
from functools import cache

from jaxgan.configs import Config, StyleGANConfig

Term = tuple[float, int]  # weight, and steps between two of it


def terms(config: Config) -> list[Term]:
    """R1, whose published form has half its gamma, and of a StyleGAN the path length."""
    found = [(0.5 * config.r1_gamma, config.r1_interval)]
    if isinstance(config, StyleGANConfig):
        found.append((config.path_weight, config.path_interval))
    return found


def schedule(make_step: Callable[..., Callable], terms: list[Term]) -> Callable[[int], Callable]:
    """Steps done -> the step function to run next.

    Every `interval` steps a term is included with its weight times the interval, otherwise not at all. Each combination that
    occurs is a function compiled by itself, because XLA runs a conditional's branches without its fast convolutions on CPUs.

    Args:
      make_step: Weights of the terms in the next step, 0 for those left out -> mapped step.
      terms: The terms; all of them are in the first step.
    """
    made = cache(make_step)
    return lambda done: made(*(0.0 if done % interval else weight * interval for weight, interval in terms))
