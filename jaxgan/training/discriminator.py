"""The discriminator's half of a step, shared by the three stages."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan import losses

Score = Callable[..., jax.Array]  # (params, images, condition) -> scores [B]


def gradients(
    score: Score,
    params: dict,
    real: tuple[jax.Array, jax.Array | None],
    fake: tuple[jax.Array, jax.Array | None],
    r1_weight: float,
    mismatched: tuple[jax.Array, jax.Array] | None = None,
    mismatched_share: float = 0.0,
) -> tuple[dict, dict[str, jax.Array]]:
    """Gradient of the logistic loss, plus r1_weight * E |grad D(real)|^2 where the weight is not 0.

    real and fake are pairs (images [B, R, R, 3], condition [B, R, R, 3] or None). The gradient penalty is with respect to
    the images, not the condition. Returns this device's gradient and metrics.

    `mismatched`, real images with the conditions of others, takes `mismatched_share` of the weight of the fakes: the
    discriminator then cannot do by realism alone and learns whether image and condition match (Reed et al. 2016, GAN-CLS).

    The forward pass on the fake images is the one the generator's loss makes; XLA merges the two.
    """

    def real_terms(params: dict) -> tuple[jax.Array, dict[str, jax.Array]]:
        if r1_weight:
            scores, penalty = losses.scores_and_r1(lambda images: score(params, images, real[1]), real[0])
        else:
            scores, penalty = score(params, *real), jnp.zeros((), jnp.float32)
        weighted = r1_weight * penalty
        return losses.discriminator_real(scores) + weighted, {"d_real_score": scores.mean(), "r1": weighted}

    def fake_terms(params: dict) -> tuple[jax.Array, dict[str, jax.Array]]:
        scores = score(params, jax.lax.stop_gradient(fake[0]), fake[1])
        loss, metrics = losses.discriminator_fake(scores), {"d_fake_score": scores.mean()}
        if mismatched_share:
            scores = score(params, *mismatched)
            metrics["d_mismatched_score"] = scores.mean()
            loss = (1.0 - mismatched_share) * loss + mismatched_share * losses.discriminator_fake(scores)
        return loss, metrics

    def loss(params: dict) -> tuple[jax.Array, dict[str, jax.Array]]:
        real_loss, real_metrics = real_terms(params)
        fake_loss, fake_metrics = fake_terms(params)
        return real_loss + fake_loss, {"d_loss": real_loss + fake_loss, **real_metrics, **fake_metrics}

    return jax.grad(loss, has_aux=True)(params)


def r1_schedule(make_step: Callable[[float], Callable], gamma: float, interval: int) -> Callable[[int], Callable]:
    """Lazy regularisation (Karras et al. 2019, appendix B): steps done -> the step function to run next.

    Every `interval` steps R1 is taken with gamma / 2 times the interval as weight, otherwise not at all. These are two
    functions compiled apart, as XLA runs a conditional's branches without its fast convolutions on CPUs.

    Args:
      make_step: r1_weight -> mapped step.
    """
    regularised = make_step(0.5 * gamma * interval)
    plain = make_step(0.0) if interval > 1 else regularised
    return lambda done: regularised if done % interval == 0 else plain
