"""Measure trained editors on the test split of a dataset.

python eval.py --workdir runs/editor --data_dir data --dataset NAME
"""

import sys

from jaxgan.commands.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
