"""`python -m jaxgan` is the console script `jaxgan`."""

from jaxgan.commands.main import script

if __name__ == "__main__":
    script()
