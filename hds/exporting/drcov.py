"""Coverage in the format of DynamoRIO's drcov, version 2, which Lighthouse and others read.

A file has one run: all its processes together, a module once, wherever it lay.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from hds.exporting.runs import RecordedRun, shown
from hds.recorded_runs import BadRun
from vm.facts.limits import Limits

_BLOCK = struct.Struct("<IHH")  # offset in the module, size, number of the module
_LARGEST, _MOST_MODULES, _HIGHEST = 0xFFFF, 0xFFFF, 0xFFFF_FFFF
_HINT = "`hds run --format json --record blocks` records the code that is executed"


def chunks(runs: Sequence[RecordedRun], limits: Limits) -> Iterator[bytes]:
    """The header and the module table as text, the blocks as they are in memory. Raises BadRun."""
    (run,) = runs
    modules: dict[str, tuple[int, int, int]] = {}  # number, start, end, by path
    blocks: dict[bytes, None] = {}
    found = False
    for record in run:
        if record["type"] != "coverage":
            continue
        found = True
        numbers = []
        for module in record["modules"]:
            path = shown(module["path"]).replace("\n", "\\n")
            number, start, end = modules.get(path, (len(modules), module["start"], module["end"]))
            modules[path] = number, start, max(end, start + module["end"] - module["start"])
            numbers.append(number)
        for block in record["blocks"]:
            if len(block) != 3 or not 0 <= block[0] < len(numbers) or min(block) < 0 or block[1] > _HIGHEST:
                raise BadRun(f"{run.name}: {block} is no block of a module", _HINT)
            blocks[_BLOCK.pack(block[1], min(block[2], _LARGEST), numbers[block[0]])] = None
        if len(modules) > _MOST_MODULES:
            raise BadRun(f"{run.name}: more than {_MOST_MODULES} modules have code")
    if not found:
        raise BadRun(f"{run.name} has no records of blocks", _HINT)
    yield b"DRCOV VERSION: 2\nDRCOV FLAVOR: hds\n"
    yield f"Module Table: version 2, count {len(modules)}\nColumns: id, base, end, entry, path\n".encode()
    for path, (number, start, end) in modules.items():
        yield f"{number:3}, {start:#018x}, {end:#018x}, {0:#018x}, {path}\n".encode()
    yield f"BB Table: {len(blocks)} bbs\n".encode()
    yield b"".join(blocks)
