"""Training of the StyleGAN: generator and discriminator."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan import losses
from jaxgan.config import GeneratorConfig, StyleGANConfig
from jaxgan.models.stylegan import Discriminator, Generator, truncate
from jaxgan.training import discriminator, parallel
from jaxgan.training.augment import augment
from jaxgan.training.state import TrainState, adam, apply_gradients, create, moving_average, step_key, to_float, to_uint8

GRID = (4, 8)  # rows and columns of the sample grid


def init_state(config: StyleGANConfig) -> TrainState:
    """Fresh networks, drawn from config.run.seed."""
    gen = config.generator
    key_g, key_d = jax.random.split(jax.random.key(config.run.seed))
    generator = Generator(gen).init(key_g, jnp.zeros((1, gen.latent_size), jnp.float32))
    images = jnp.zeros((1, gen.resolution, gen.resolution, 3), jnp.float32)
    params = {
        "generator": generator["params"],
        "discriminator": Discriminator(config.discriminator).init(key_d, images)["params"],
    }
    extra = {"noise": generator.get("noise", {}), "w_avg": jnp.zeros((gen.num_layers, gen.latent_size), jnp.float32)}
    return create(params, adam(config.adam, config.run), extra, ema={"generator": generator["params"]})


def mix_styles(keys: jax.Array, w: jax.Array, other: jax.Array, probability: float) -> jax.Array:
    """Style mixing: with the probability, the layers from a cut on, uniform in [1, L), come from the other latent.

    keys [B]; w and other [B, L, latent].
    """
    layers = w.shape[1]

    def cut(key: jax.Array) -> jax.Array:
        key_cut, key_mix = jax.random.split(key)
        mixed = jax.random.uniform(key_mix) < probability
        return jnp.where(mixed, jax.random.randint(key_cut, (), 1, layers), layers)

    own = jnp.arange(layers)[None, :] < jax.vmap(cut)(keys)[:, None]
    return jnp.where(own[:, :, None], w, other)


def make_train_step(config: StyleGANConfig, r1_weight: float) -> Callable:
    """The step (state, {}, batch with image uint8 [B, R, R, 3]) -> (state, metrics), for parallel.pmap_step."""
    gen, generator, critic = config.generator, Generator(config.generator), Discriminator(config.discriminator)
    optimizer = adam(config.adam, config.run)

    def step(state: TrainState, frozen: dict, batch: dict) -> tuple[TrainState, dict]:
        real = to_float(batch["image"])
        count = real.shape[0]
        keys = parallel.per_image_keys(step_key(config.run.seed, state.step), count)
        split = jnp.moveaxis(jax.vmap(lambda key: jax.random.split(key, 5))(keys), 1, 0)
        key_z, key_other, key_mix, key_noise, key_augment = split

        def score(params: dict, images: jax.Array, condition: None = None) -> jax.Array:
            return critic.apply({"params": params}, augment(config.augment, key_augment, images), condition)

        def generator_loss(params: dict) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
            variables = {"params": params, "noise": state.extra["noise"]}
            normal = jax.vmap(lambda key: jax.random.normal(key, (gen.latent_size,), jnp.float32))
            w = generator.apply(variables, jnp.concatenate([normal(key_z), normal(key_other)]), method="map")
            mixed = mix_styles(key_mix, w[:count], w[count:], config.style_mixing)
            fake = generator.apply(variables, mixed, key_noise, method="synthesize")
            return losses.generator_logistic(score(state.params["discriminator"], fake)), (fake, w)

        (g_loss, (fake, w)), g_grads = jax.value_and_grad(generator_loss, has_aux=True)(state.params["generator"])
        d_grads, metrics = discriminator.gradients(score, state.params["discriminator"], (real, None), (fake, None), r1_weight)
        new = apply_gradients(state, optimizer, {"generator": g_grads, "discriminator": d_grads})
        w_mean = parallel.mean(w.mean(axis=0))
        w_avg = w_mean + config.w_avg_decay * (state.extra["w_avg"] - w_mean)
        global_batch = config.run.batch_size
        ema = moving_average(state.ema["generator"], new.params["generator"], config.ema_half_life, global_batch)
        new = new.replace(extra={**state.extra, "w_avg": w_avg}, ema={"generator": ema})
        return new, parallel.mean({"g_loss": g_loss, **metrics})

    return step


def inference_variables(state: TrainState) -> dict:
    """What inference needs: the averaged generator with its noise maps and w_avg, and the discriminator for later stages."""
    return {
        "generator": {"params": state.ema["generator"], "noise": state.extra["noise"]},
        "w_avg": state.extra["w_avg"],
        "discriminator": state.params["discriminator"],
    }


def generate(config: GeneratorConfig, variables: dict, z: jax.Array, truncation: float = 0.7) -> jax.Array:
    """Images [B, R, R, 3] in [-1, 1] of z [B, latent], truncated in the first 8 layers; variables of inference_variables."""
    generator = Generator(config)
    w = truncate(generator.apply(variables["generator"], z, method="map"), variables["w_avg"], truncation)
    return generator.apply(variables["generator"], w, method="synthesize")


def make_sampler(config: StyleGANConfig) -> Callable:
    """(state, {}, batch) -> uint8 images [rows, columns, R, R, 3] of fixed latents, truncation 0.7."""
    rows, columns = GRID
    z = jax.random.normal(jax.random.key(config.run.seed + 1), (rows * columns, config.generator.latent_size), jnp.float32)

    @jax.jit
    def sample(state: TrainState, frozen: dict, batch: dict) -> jax.Array:
        images = to_uint8(generate(config.generator, inference_variables(state), z))
        return images.reshape(rows, columns, *images.shape[1:])

    return sample
