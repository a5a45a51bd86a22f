"""THE table of laws: what must hold for every case, how a case is drawn, and how it is checked.

A check gives None, or one line that says how the law is broken. It may raise: an exception that nobody expects breaks
every law. Cases are texts, or the bytes of a `.hdc` file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import msgspec
from msgspec.structs import replace

from hds.fuzzing.broken import broken, damaged
from hds.fuzzing.bytecode import hostile_file
from hds.fuzzing.carriers import carriers_differ
from hds.fuzzing.choices import Choices
from hds.fuzzing.commands import ASSEMBLY, command_file
from hds.fuzzing.crowd import crowd, crowd_differs
from hds.fuzzing.isolation import noticed, pair
from hds.fuzzing.loaded import hostile_program, loaded_twice
from hds.fuzzing.programs import program
from hds.fuzzing.runs import run_case
from hds.fuzzing.world import Effects, Observation, difference, observe, world
from hds.report import render_fault
from lang import Compilation, Compiler, Diagnostics, Severity, SourceFile, parse, render, syntax
from vm import (
    Engine,
    Fault,
    FaultKind,
    GlobalConflict,
    GlobalStore,
    Interpreter,
    Program,
    ProgramFormatError,
    VerificationError,
    decode_program,
    encode_program,
    is_bundle,
    listing_of,
    read_bundle,
    verify,
    write_bundle,
)
from vm.facts.limits import DEFAULT_LIMITS, Limits

Case = str | bytes
ASSEMBLY_WORDS = (
    "mov", "add", "lea", "jmp", "call", "ret", "push", "cmp", "jne", "rep movsb", "lock", "xchg", "rax", "eax", "al",
    "r8d", "xmm0", "[rcx+8]", "[rip+4]", "[rax+rbx*4+10]", "qword ptr", "byte", "gs:[60]", "55", "0x10", "0n12",
    "ffffffffffffffff", "-1", ",", ";", "\n", ":", "label", "db", "dq", '"text"', ".byte", ".include", "#", "(", "]",
    "%rax", "$5", "{", "int3", "nop", "é", "\0", "'", *ASSEMBLY,
)  # fmt: skip
HOSTILE_LIMITS = Limits(max_steps=3000, max_bulk_bytes=0x10_0000, max_call_depth=20, max_stack_bytes=0x4000)


class Law(msgspec.Struct, frozen=True):
    """`make` draws a case, `check` says how it breaks the law; `weight`: how often it is tried."""

    name: str
    doc: str
    make: Callable[[Choices], Case]
    check: Callable[[Case], str | None]
    weight: int = 1


class NativeMissing(Exception):  # noqa: N818 - it says what is the case
    """The native engine cannot be imported here."""


@cache
def reference(limits: Limits = DEFAULT_LIMITS) -> Engine:
    """The reference engine."""
    return Interpreter(limits)


@cache
def native(limits: Limits = DEFAULT_LIMITS, **how: int) -> Engine:
    """The native engine; `how` are its other settings. Raises NativeMissing."""
    try:
        from vm.native import NativeEngine
    except ImportError as error:
        raise NativeMissing(str(error)) from None
    engine: Engine = NativeEngine(limits, **how)
    return engine


def compiled(text: str) -> Compilation:
    """A script, compiled without portability remarks."""
    return Compiler(portability=False).compile(SourceFile("case.hds", text))


def _program(text: Case) -> Program:
    assert isinstance(text, str)
    made = compiled(text)
    errors = [item for item in made.diagnostics if item.severity is Severity.ERROR]
    if made.program is None:
        raise AssertionError("a generated program does not compile: " + render(errors[0]))
    return made.program


# --- programs ---------------------------------------------------------------------------------------------------------


def _check_engines(case: Case) -> str | None:
    made = _program(case)
    expected = observe(reference(), made, DEFAULT_LIMITS)
    quickly, well = (observe(each, made, DEFAULT_LIMITS) for each in (native(), native(steps_that_pay=0)))
    return difference(expected, quickly, ("reference", "native")) or difference(
        expected, well, ("reference", "compiled well")
    )


def _check_entries(case: Case) -> str | None:
    made = _program(case)
    first, second = (observe(each, made, DEFAULT_LIMITS, counts_entries=True) for each in (reference(), native()))
    plain = observe(reference(), made, DEFAULT_LIMITS)
    return difference(first, second, ("reference", "native")) or difference(
        plain, replace(first, entries=()), ("not counted", "counted")
    )


def _check_verified(case: Case) -> str | None:
    made = _program(case)
    verify(made)
    return None if decode_program(encode_program(made)) == made else "decode(encode(program)) is another program"


def _check_repeatable(case: Case) -> str | None:
    first = _program(case)
    if first != _program(case):
        return "compiling twice gives two programs"
    runs = [observe(Interpreter(), first, DEFAULT_LIMITS) for _ in range(2)]
    return difference(runs[0], runs[1], ("first run", "second run"))


_LIMIT = re.compile(r"// limit (\w+) (\d+)\n")


def _limited_program(choices: Choices) -> str:
    name, low, high = choices.pick(
        (("max_steps", 1, 400), ("max_call_depth", 1, 6), ("max_stack_bytes", 1, 400), ("max_message", 2, 30),
         ("max_bulk_bytes", 0x200, 0x600))
    )  # fmt: skip
    return f"// limit {name} {choices.between(low, high)}\n{program(choices, 8)}"


def _limits_of(case: str) -> Limits:
    match = _LIMIT.search(case)
    return Limits(**{match[1]: int(match[2])}) if match else DEFAULT_LIMITS


def _check_limits(case: Case) -> str | None:
    assert isinstance(case, str)
    limits, made = _limits_of(case), _program(case)
    free = observe(reference(), made, DEFAULT_LIMITS)
    # Engines of one round are made anew, so that no number of limits fills the memory.
    bound = observe(Interpreter(limits), made, limits)
    if not _is_earlier_end(free, bound):
        return f"a limit changed what came before it: {bound.effects.messages} {bound.effects.stop}"
    try:
        engine = native.__wrapped__(limits)
    except NativeMissing:
        return None
    return difference(bound, observe(engine, made, limits), ("reference", "native"))


def _is_earlier_end(free: Observation, bound: Observation) -> bool:
    """Whether a limited run did what the free one does, up to where the limit struck."""
    count = len(bound.effects.messages)
    kinds = ("step_limit", "stack_overflow", "message_too_long")
    return bound == free or (bound.effects.stop in kinds and bound.effects.messages == free.effects.messages[:count])


_NEXT = "\n// next script\n"


def _session(choices: Choices) -> str:
    """Scripts of one session; their globals have the same names, and sometimes other types."""
    texts = [program(choices, 2) for _ in range(choices.between(2, 3))]
    return _NEXT.join(text if text.startswith("?") else f"? {{\n{text}}}" for text in texts)


def _session_effects(case: str, engine: Engine) -> list[tuple[str, Effects | None, bytes]]:
    """What came of every script: its errors, its effects, and the globals behind it."""
    compiler, store = Compiler(portability=False), GlobalStore()
    rows = []
    for text in case.split(_NEXT):
        made = compiler.compile(SourceFile("case.hds", text))
        codes = ", ".join(item.code for item in made.diagnostics if item.severity is Severity.ERROR)
        effects = None
        if made.program is not None:
            host = world()
            # What the compiler accepts in a session, the session's store takes.
            result = engine.run(engine.load(made.program, store), host)
            effects = Effects.of(host, result.fault.kind.value if result.fault else None)
        rows.append((codes, effects, bytes(store.memory[: store.used])))
    return rows


def _check_session(case: Case) -> str | None:
    assert isinstance(case, str)
    # Conflicting types are errors (E070, and what follows from them): such a script does not run.
    expected, got = _session_effects(case, reference()), _session_effects(case, native())
    return None if expected == got else difference(expected, got, ("reference", "native"))


# --- text -------------------------------------------------------------------------------------------------------------


def _check_text(case: Case) -> str | None:
    assert isinstance(case, str)
    made = Compiler().compile(SourceFile("case.hds", case))
    for item in made.diagnostics:
        span = item.span
        if not 0 <= span.start <= span.end <= len(span.file.text):
            return f"{item.code} stands outside the file: {span.start} to {span.end}"
        render(item)
    if made.program is not None:
        verify(made.program)
    elif not any(item.severity is Severity.ERROR for item in made.diagnostics):
        return "there is no program and no error"
    return None


def shape(node: object) -> object:
    """A tree without its positions and spellings: what a layout must keep."""
    if isinstance(node, tuple):
        return tuple(shape(each) for each in node)
    if isinstance(node, syntax.Node):
        left = ("span", "name_span", "tag_span", "operator_span", "height", "type_found")
        rows = [shape(getattr(node, name)) for name in node.__struct_fields__ if name not in left]
        return (type(node).__name__, *rows)
    return node


def parsed(text: str) -> syntax.Program | None:
    """The syntax tree of a script; None when it has errors of the words or the syntax."""
    return parse(SourceFile("case.hds", text), Diagnostics())


def _check_printed(case: Case) -> str | None:
    from hds.layout import lay_out_script

    assert isinstance(case, str)
    if parsed(case) is None:
        return None
    once = lay_out_script(SourceFile("case.hds", case), DEFAULT_LIMITS)
    if shape(parsed(once)) != shape(parsed(case)):
        return "parse(print(tree)) is another tree"
    twice = lay_out_script(SourceFile("case.hds", once), DEFAULT_LIMITS)
    return None if once == twice else "laying a text out twice changes it"


def _script_or_damaged(choices: Choices) -> str:
    text = program(choices, 6)
    return damaged(choices, text) if choices.chance(30) else text


def _check_commands(case: Case) -> str | None:
    from hds.session import Scripts

    assert isinstance(case, str)
    source = SourceFile("case.hds", case)
    prepared = Scripts(Compiler(), reference(), GlobalStore()).prepare(source)
    for item in prepared.diagnostics:
        if not 0 <= item.span.start <= item.span.end <= len(item.span.file.text):
            return f"{item.code} stands outside the file"
        render(item)
    return None


def _assembly(choices: Choices) -> str:
    return " ".join(choices.pick(ASSEMBLY_WORDS) for _ in range(choices.below(12)))


def _check_assembly(case: Case) -> str | None:
    from machine.root import AssemblerError, assemble

    assert isinstance(case, str)
    for radix in (10, 16):
        try:
            assemble(case, address=0x1000, radix=radix)
        except AssemblerError as error:
            str(error)
    return None


# --- bytecode ---------------------------------------------------------------------------------------------------------


def _check_bytecode(case: Case) -> str | None:
    assert isinstance(case, bytes)
    try:
        if is_bundle(case):
            bundle = read_bundle(case)
            return None if write_bundle(bundle) == case else "write(read(bytes)) gives other bytes"
        made = decode_program(case)
        if encode_program(made) != case:
            return "encode(decode(bytes)) gives other bytes"
        expected = observe(reference(HOSTILE_LIMITS), made, HOSTILE_LIMITS)
    except (ProgramFormatError, VerificationError, GlobalConflict):
        return None
    listing_of(made)
    for pc in range(len(made.code)):
        render_fault(made, Fault(FaultKind.STEP_LIMIT, pc))
    try:
        return difference(expected, observe(native(HOSTILE_LIMITS), made, HOSTILE_LIMITS), ("reference", "native"))
    except NativeMissing:
        return None


# --- runs -------------------------------------------------------------------------------------------------------------


def _run(choices: Choices) -> str:
    from machine.root import MissingAssemblerError

    try:
        return run_case(choices)
    except MissingAssemblerError as error:
        raise NativeMissing(str(error)) from None


def _check_carriers(case: Case) -> str | None:
    assert isinstance(case, str)
    # A machine's scripts stay in their engine, so each run has a new one.
    return carriers_differ(case, Interpreter, native.__wrapped__)


def _check_isolation(case: Case) -> str | None:
    from machine.root import MissingAssemblerError, assemble

    assert isinstance(case, str)
    try:
        assemble("nop")
    except MissingAssemblerError as error:
        raise NativeMissing(str(error)) from None
    why = noticed(case, Interpreter)
    if why is not None:
        return f"reference: {why}"
    try:
        why = noticed(case, native.__wrapped__)
    except NativeMissing:
        return None
    return None if why is None else f"native: {why}"


def _check_loaded(case: Case) -> str | None:
    assert isinstance(case, str)
    try:
        native()
    except NativeMissing:
        return loaded_twice(case, Interpreter, Interpreter)
    return loaded_twice(case, Interpreter, native.__wrapped__)


def _check_crowd(case: Case) -> str | None:
    assert isinstance(case, str)
    try:
        native()
    except NativeMissing:
        return crowd_differs(case, Interpreter, Interpreter)
    return crowd_differs(case, Interpreter, native.__wrapped__)


LAWS: tuple[Law, ...] = (
    Law("engines", "the native engine does what the reference engine does", program, _check_engines, 4),
    Law("entries", "both engines enter the same basic blocks as often, and counting that changes nothing", program,
        _check_entries),
    Law("session", "scripts that share globals run alike on both engines", _session, _check_session),
    Law("verified", "what the compiler makes passes the verifier and survives the file form", program,
        _check_verified),
    Law("repeatable", "compiling and running twice gives the same", program, _check_repeatable),
    Law("limits", "a limit strikes alike on both engines and changes nothing before", _limited_program,
        _check_limits, 2),
    Law("printed", "parse(print(tree)) = tree, and laying out twice changes nothing", _script_or_damaged,
        _check_printed),
    Law("text", "no text crashes lexer, parser or checker", broken, _check_text, 4),
    Law("commands", "no text crashes the command reader", command_file, _check_commands, 2),
    Law("assembly", "no text crashes the assembler guard", _assembly, _check_assembly),
    Law("bytecode", "bytecode is refused, or stays in bounds and runs alike on both engines", hostile_file,
        _check_bytecode, 4),
    Law("isolation", "a condition or code block does what it does alone, whatever has run before", pair,
        _check_isolation, 2),
    Law("carriers", "the trigger protocol in machine code does what the one in Python does", _run, _check_carriers),
    Law("loaded", "a program of damaged files, with any calls, is refused or runs the same twice", hostile_program,
        _check_loaded, 2),
    Law("crowd", "threads and processes that make any calls of Linux do the same twice", crowd, _check_crowd, 2),
)  # fmt: skip
