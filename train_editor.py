"""Train the editor: the encoder of latent shifts and its conditional discriminator.

python train_editor.py --config small --workdir runs/editor --data_dir data --dataset NAME --inverter runs/inverter
"""

import sys

from jaxgan.commands.train import main

if __name__ == "__main__":
    sys.exit(main(["editor", *sys.argv[1:]]))
