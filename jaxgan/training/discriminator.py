"""The discriminator's half of a step, shared by the three stages."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan import losses
from jaxgan.training.micro_batches import in_micro_batches

Score = Callable[..., jax.Array]  # (params, images, condition) -> scores [B]
Pair = tuple[jax.Array, jax.Array | None]  # images [B, R, R, 3] and what else `score` takes of each


def gradients(
    score: Score,
    params: dict,
    real: Pair,
    fake: Pair,
    r1_weight: float,
    mismatched: Pair | None = None,
    mismatched_share: float = 0.0,
    micro_batch: int = 0,
) -> tuple[dict, dict[str, jax.Array]]:
    """Gradient of the logistic loss, plus r1_weight * E |grad D(real)|^2.

    The forward pass on the fake images is the one that the generator's loss makes; XLA merges the two.

    Args:
      score: The discriminator.
      params: Its parameters.
      real, fake: Images, and what else the discriminator takes: landmark images [B, R, R, 3], random keys [B] or None.
      r1_weight: Weight of the penalty, whose gradient is with respect to the images, not the condition; 0 leaves it out.
      mismatched: Real images with the conditions of others. The discriminator then cannot judge by realism alone and learns
        whether image and condition match.
      mismatched_share: Their share of the weight of the fakes.
      micro_batch: Images of each kind that are scored at once; 0 for all.

    Returns:
      This device's gradient and metrics; r_t is the mean sign of real scores, 0 without overfitting and 1 at its worst.

    References:
      Reed et al. 2016 (GAN-CLS); Karras et al. 2020, section 3 (r_t).
    """

    def real_terms(params: dict, real: Pair) -> tuple[jax.Array, dict[str, jax.Array]]:
        if r1_weight:
            scores, penalty = losses.scores_and_r1(lambda images: score(params, images, real[1]), real[0])
        else:
            scores, penalty = score(params, *real), jnp.zeros((), jnp.float32)
        weighted = r1_weight * penalty
        metrics = {"d_real_score": scores.mean(), "r_t": jnp.sign(scores).mean(), "r1": weighted}
        return losses.discriminator_real(scores) + weighted, metrics

    def fake_terms(params: dict, fake: Pair, mismatched: Pair | None) -> tuple[jax.Array, dict[str, jax.Array]]:
        scores = score(params, jax.lax.stop_gradient(fake[0]), fake[1])
        loss, metrics = losses.discriminator_fake(scores), {"d_fake_score": scores.mean()}
        if mismatched_share:
            scores = score(params, *mismatched)
            metrics["d_mismatched_score"] = scores.mean()
            loss = (1.0 - mismatched_share) * loss + mismatched_share * losses.discriminator_fake(scores)
        return loss, metrics

    def loss(params: dict, real: Pair, fake: Pair, mismatched: Pair | None) -> tuple[jax.Array, dict[str, jax.Array]]:
        real_loss, real_metrics = real_terms(params, real)
        fake_loss, fake_metrics = fake_terms(params, fake, mismatched)
        return real_loss + fake_loss, {"d_loss": real_loss + fake_loss, **real_metrics, **fake_metrics}

    def compute(*pairs: Pair | None) -> tuple[tuple, tuple[dict, dict[str, jax.Array]]]:
        return (), jax.grad(loss, has_aux=True)(params, *pairs)

    _, means = in_micro_batches(compute, micro_batch, real, fake, mismatched)
    return means
