"""The version and the name under which hds is distributed, where they cost nothing to read."""

VERSION = "0.1.0"
DISTRIBUTION = "hds-hyperdbg"  # the public index has another project of the name hds


def install_command(extra: str) -> str:
    """What installs the parts that are optional: an extra of pyproject.toml."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"
