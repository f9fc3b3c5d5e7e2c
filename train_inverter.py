"""Train the inverter against a StyleGAN's frozen generator.

python train_inverter.py --config small --workdir runs/inverter --data_dir data --dataset NAME --stylegan runs/stylegan
"""

import sys

from jaxgan.launch import main

if __name__ == "__main__":
    sys.exit(main("inverter"))
