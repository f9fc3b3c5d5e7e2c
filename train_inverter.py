"""Train the inverter against a StyleGAN's frozen generator.

python train_inverter.py --config small --workdir runs/inverter --data_dir data --dataset NAME --stylegan runs/stylegan
"""

import sys

from jaxgan.commands.train import main

if __name__ == "__main__":
    sys.exit(main(["inverter", *sys.argv[1:]]))
