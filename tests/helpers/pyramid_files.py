"""A narrow encoder of pSp's and e4e's form for the generator of stylegan2_files, in files of their form."""

import numpy as np
from helpers.stylegan2_files import LATENT, rosinality, states, tensors

WIDTH, LAYERS = 2, 6


def encoder_state(units=(3, 4, 14, 3)):
    """An encoder's tensors, drawn at random, by the names that pSp and e4e share."""
    rng, state = np.random.default_rng(0), {}

    def conv(name, inputs, outputs, size=3):
        weight = rng.standard_normal((outputs, inputs, size, size)) / np.sqrt(inputs * size**2)
        state[f"{name}.weight"] = weight.astype(np.float32)

    def norm(name, size):
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}.{leaf}"] = rng.uniform(0.5, 1.5, size).astype(np.float32)
        state[f"{name}.num_batches_tracked"] = np.int64(7)

    def vector(name, size):
        state[name] = rng.uniform(0.1, 0.4, size).astype(np.float32)

    conv("input_layer.0", 3, WIDTH)
    norm("input_layer.1", WIDTH)
    vector("input_layer.2.weight", WIDTH)
    widths = [WIDTH << level for level, count in enumerate(units) for _ in range(count)]
    for number, (inputs, outputs) in enumerate(zip([WIDTH, *widths], widths, strict=False)):
        if inputs != outputs:
            conv(f"body.{number}.shortcut_layer.0", inputs, outputs, 1)
            norm(f"body.{number}.shortcut_layer.1", outputs)
        scope = f"body.{number}.res_layer"
        norm(f"{scope}.0", inputs)
        conv(f"{scope}.1", inputs, outputs)
        vector(f"{scope}.2.weight", outputs)
        conv(f"{scope}.3", outputs, outputs)
        norm(f"{scope}.4", outputs)
        conv(f"{scope}.5.fc1", outputs, max(outputs // 16, 1), 1)
        conv(f"{scope}.5.fc2", max(outputs // 16, 1), outputs, 1)
    for name, inputs in (("latlayer1", 4 * WIDTH), ("latlayer2", 2 * WIDTH)):
        conv(name, inputs, 8 * WIDTH, 1)
        vector(f"{name}.bias", 8 * WIDTH)
    for layer in range(LAYERS):
        for i in range(4 if layer < 3 else 5):
            conv(f"styles.{layer}.convs.{2 * i}", LATENT if i else 8 * WIDTH, LATENT)
            vector(f"styles.{layer}.convs.{2 * i}.bias", LATENT)
        state[f"styles.{layer}.linear.weight"] = rng.standard_normal((LATENT, LATENT)).astype(np.float32)
        vector(f"styles.{layer}.linear.bias", LATENT)
    return state


def write(path, encoder, **content):
    """The file {"state_dict", "latent_avg", "opts"} of an encoder with its decoder."""
    import torch

    decoder = rosinality(*states())[0]
    state = {f"decoder.{name}": value for name, value in decoder.items()}
    state |= {f"encoder.{name}": value for name, value in encoder.items()}
    average = torch.linspace(-1, 1, LAYERS * LATENT).reshape(LAYERS, LATENT)
    torch.save({"state_dict": tensors(state), "latent_avg": average, "opts": {"output_size": 16}} | content, path)
    return path
