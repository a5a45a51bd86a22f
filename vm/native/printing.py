"""PRINT and PRINTF: compiled code leaves a record in the message ring, as `vm.native.records` explains."""

from __future__ import annotations

from vm.native.body import Body
from vm.native.emitter import I1, NULL, Block, Value, number
from vm.native.layout import CELL
from vm.native.records import PRINT, Text, Waiting


def lower_print(f: Body, a: int) -> None:
    """PRINT."""
    _record(f, number(PRINT), [f.get(a)])


def lower_printf(f: Body, index: int) -> None:
    """PRINTF."""
    arguments, waiting = f.take_arguments(), f.formats[index]
    if waiting is None:
        _print_now(f, index, arguments)
    elif waiting.texts:
        _record_with_texts(f, index, arguments, waiting)
    else:
        _record(f, _form(f, index), arguments)


def _form(f: Body, index: int) -> Value:
    return f.op("add", f.setting("format_base"), number(index))


def _print_now(f: Body, index: int, arguments: list[Value]) -> None:
    f.stop_unless(f.support("printf", number(index), f.array(arguments)), "raised")


def _record(f: Body, form: Value, arguments: list[Value]) -> None:
    record = f.support("record", number(1 + len(arguments)))
    f.stop_if(f.compare("eq", record, NULL), "raised")
    _fill(f, record, [form, *arguments])


def _fill(f: Body, record: Value, cells: list[Value]) -> None:
    for place, value in enumerate(cells):
        f.store(value, f.at(record, CELL * place))


def _record_with_texts(f: Body, index: int, arguments: list[Value], waiting: Waiting) -> None:
    """Leave a record with copies of the texts; where one cannot be copied, print as if that had not been tried."""
    at_once, done = f.new_block("at_once"), f.new_block("done")
    charged = f.state("bulk_left")
    size = 1 + len(arguments)
    record = f.support("reserve", number(size + len(waiting.texts) + waiting.room // CELL))
    f.stop_if(f.compare("eq", record, NULL), "raised")
    cells, end, room = [_form(f, index), *arguments], f.at(record, CELL * size), number(waiting.room)
    for text in waiting.texts:
        length = _copy_text(f, arguments[text.argument], text, end, room, at_once)
        cells[1 + text.argument] = length
        room = f.op("sub", room, _message_bytes(f, text, length))
        end = f.at(end, f.op("and", f.op("add", length, number(CELL - 1)), number(-CELL)))
    _fill(f, record, cells)
    f.support("commit", end)
    f.jump(done)
    f.block = at_once
    f.set_state("bulk_left", charged)
    _print_now(f, index, arguments)
    f.jump(done)
    f.block = done


def _copy_text(f: Body, address: Value, text: Text, to: Value, room: Value, otherwise: Block) -> Value:
    """Copy a text to a host address, unless it would make more than `room` bytes of the message; its own bytes."""
    if text.most == 0:
        return number(0)
    unit, limit = 1, room
    if text.is_wide:
        unit, limit = 2, f.op("mul", f.op("udiv", room, number(3)), number(2))
    pair = f.support(f"copy_text{unit}", address, number(text.most), to, limit)
    copied = f.new_block("copied")
    f.branch(f.part(pair, 1, I1), copied, otherwise)
    f.block = copied
    return f.part(pair, 0)


def _message_bytes(f: Body, text: Text, length: Value) -> Value:
    """The most bytes of UTF-8 that a text makes: three of each wide unit."""
    return f.op("mul", f.op("udiv", length, number(2)), number(3)) if text.is_wide else length
