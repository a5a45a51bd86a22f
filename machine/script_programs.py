"""Scripts for another program (`#!`) that are started: the program that their first line names, as the kernel does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from machine.loaders import LoadError, looks_at, scripts
from machine.options import MachineOptions, Program
from vm import FileRefused

if TYPE_CHECKING:
    from machine.kernel import Kernels


def interpreted(
    given: Program, options: MachineOptions, kernels: Kernels
) -> tuple[Program, tuple[bytes, bytes] | None]:
    """A program as it is; instead of a script its interpreter, with the paths of both in the guest's tree.

    Raises LoadError for an interpreter that is not there, and for a script that it would not find.
    """
    content, world = given.content, options.world
    is_for_linux = given.kind is None and options.kernel in (None, "linux")
    if world is None or world.root is None or not is_for_linux or not isinstance(content, Path):
        return given, None
    try:
        data = looks_at(content)
    except FileRefused:
        return given, None
    if not data.startswith(scripts.BEGINNING) or scripts.interpreter_of(data) is None:
        return given, None
    kernel = kernels.get("linux")
    script = path = kernel.path_of(content)
    if path is None or script is None:
        hint = (
            "it has to lie in the folder that the guest is shown, and not in /tmp if that is the guest's own (`--root`)"
        )
        raise LoadError(f"{content} is a script, which its interpreter would not find", hint)
    texts = [path, *(each.encode("utf-8", "surrogateescape") for each in given.arguments)]
    for _ in range(scripts.MOST_SCRIPTS + 1):
        interpreter = scripts.interpreter_of(data) if data.startswith(scripts.BEGINNING) else None
        if interpreter is None:
            arguments = [text.decode("utf-8", "surrogateescape") for text in texts]
            return replace(given, source=data, name=given.process_name, arguments=arguments), (path, script)
        texts = [*interpreter.arguments(path), *texts[1:]]
        path = interpreter.path
        data = kernel.program_file(path)
    raise LoadError(f"{content} is a script for a script, and so on: there are more than {scripts.MOST_SCRIPTS}")
