"""Train the StyleGAN.

python train_stylegan.py --config small --workdir runs/stylegan --data_dir data --dataset NAME
"""

import sys

from jaxgan.commands.train import main

if __name__ == "__main__":
    sys.exit(main(["stylegan", *sys.argv[1:]]))
