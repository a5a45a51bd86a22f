"""Programs as loaders describe them: pure data, mapped by `machine.children`.

A loader turns bytes that nobody vouches for into an `Image`, or raises LoadError. It maps nothing and knows no CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from machine.loaders import elf as elf, initial_stack as initial_stack, scripts as scripts
    from machine.loaders.image import (
        Image as Image,
        LoadError as LoadError,
        Placement as Placement,
        UnreadableFile as UnreadableFile,
    )
    from machine.loaders.initial_stack import (
        LINUX_STACK_SIZE as LINUX_STACK_SIZE,
        MAPPINGS_TOP as MAPPINGS_TOP,
        STACK_SIZE as STACK_SIZE,
        STACK_TOP as STACK_TOP,
    )
    from machine.loaders.modules import (
        Broken as Broken,
        Module as Module,
        WindowsPlan as WindowsPlan,
        ntdll_of as ntdll_of,
        plan_of as plan_of,
        plan_without_program as plan_without_program,
        system_files as system_files,
    )
    from machine.loaders.pe_file import PeFile as PeFile
    from machine.loaders.pe_headers import (
        PeField as PeField,
        PeHeaders as PeHeaders,
        PeSection as PeSection,
        read_headers as read_headers,
    )
    from machine.loaders.reading import (
        KIND_OF_SUFFIX as KIND_OF_SUFFIX,
        KINDS as KINDS,
        PROGRAMS as PROGRAMS,
        SCRIPTS as SCRIPTS,
        TEXT as TEXT,
        describe as describe,
        is_known as is_known,
        looks_at as looks_at,
        read_image as read_image,
        read_program as read_program,
    )
    from machine.loaders.scripts import (
        BEGINNING as BEGINNING,
        LOOKED_AT as LOOKED_AT,
        MOST_SCRIPTS as MOST_SCRIPTS,
        Interpreter as Interpreter,
        interpreter_of as interpreter_of,
    )
    from machine.loaders.symbols import (
        Symbol as Symbol,
        elf_symbols as elf_symbols,
        module_name as module_name,
    )
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "image": "Image LoadError Placement UnreadableFile",
            "initial_stack": "LINUX_STACK_SIZE MAPPINGS_TOP STACK_SIZE STACK_TOP",
            "modules": "Broken Module WindowsPlan ntdll_of plan_of plan_without_program system_files",
            "pe_file": "PeFile",
            "pe_headers": "PeField PeHeaders PeSection read_headers",
            "reading": "KINDS KIND_OF_SUFFIX PROGRAMS SCRIPTS TEXT describe is_known looks_at read_image read_program",
            "scripts": "BEGINNING LOOKED_AT MOST_SCRIPTS Interpreter interpreter_of",
            "symbols": "Symbol elf_symbols module_name",
        },
        late="asm elf pe raw scripts",
    )
