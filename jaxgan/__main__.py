"""`python -m jaxgan` is the console script `jaxgan`."""

import sys

from jaxgan.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
