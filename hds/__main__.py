"""`python -m hds`: the same as `hds`."""

from hds.cli import entry

if __name__ == "__main__":
    entry()
