"""`python -m hds`: the same as `hds`."""

from hds.cli.main import entry

if __name__ == "__main__":
    entry()
