"""Generator of whole runs: guests, a command file, and what happens between runs.

A case is a text: its first line names the kernel, the number of cores and what follows a break, and each line
`-- NAME` begins a part.

    linux 2 halt
    -- guest            a listing; one for each process
    -- commands         executed line by line; `register NAME PARAMETER CODE` uses the programming interface
    -- typed            executed as a whole: what follows a `g`, at the trigger that halts the guest
    -- run 500          so many instructions
"""

from __future__ import annotations

from hds.fuzzing.choices import Choices
from hds.fuzzing.guests import Guest
from machine.kernel import BareKernel, Kernel, KernelText, LinuxKernel, NtKernel
from machine.processor import decoder
from machine.root import assemble
from vm.facts.events import EVENT_BY_NAME, EVENT_KINDS, EVENTS

BASE = 0x40_0000
KERNELS: tuple[type[Kernel], ...] = (BareKernel, LinuxKernel, NtKernel)
FIRST_PROCESS, PROCESS_STEP = 0x1000, 0x10

# Places: `{e}` an expression, `{c}` a condition, `{s}` a statement, `{w}` a register, `{p}` an address, `{i}` the id of
# an event, `{d}` a short distance; `{{` and `}}` stand for braces.
REGISTERS = (
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r11", "r15", "eax", "ax", "al", "ah", "r9d",
    "r10w", "r12l", "rip", "rflags", "cf", "zf", "sf", "of", "pf", "df", "tf", "if", "iopl", "ac", "eflags", "cs",
    "ss", "ds", "fs", "gs", "cr0", "cr3", "cr4", "dr7", "gdtr", "fs", "cr2", "cr8", "dr0", "tr",
)  # fmt: skip
WRITTEN = (
    "rax", "rcx", "rdx", "rsi", "r8", "r11", "r15", "eax", "al", "r9d", "r10w", "ah", "cf", "zf", "sf", "of", "pf",
    "df", "ac", "rflags", "eflags", "rsp", "cs", "ss", "tf", "if", "rip", "fs", "ds", "gs", "dr0", "cr2",
)  # fmt: skip
PSEUDO = (
    "pid",
    "tid",
    "core",
    "ip",
    "context",
    "event_id",
    "event_tag",
    "event_stage",
    "buffer",
    "proc",
    "thread",
    "teb",
    "peb",
)
STATEMENTS = (
    ".n++;", ".n = .n + {e};", ".m = {e};", ".k = .k * 3 + 1;", "@{w} = {e};", "@{w} = @{w} + 1;", "@{w} = {e};",
    "print({e});", 'printf("%llx %d\\n", {e}, .n);', 'printf("%s;", "text");', 'printf("%s %llx;", $pname, {e});',
    'printf("a;");', "if ({c}) {{ {s} }}", "if ({c}) {{ {s} }} else {{ {s} }}", "if ({c}) {{ {s} }}",
    "@rip = @rip + {d};", "@rip = @rip + 2;", "@rip = @rip;", "event_sc(1);", "event_sc(0);", "event_sc({e});",
    "event_enable({i});", "event_disable({i});", "event_clear({i});", "event_disable($event_id);",
    "event_clear($event_id);", "if ({c}) {{ event_clear({i}); }}", "if ({c}) {{ event_disable({i}); }}",
    "if ({c}) {{ event_enable({i}); }}", "print(1 / ({e} - 0x55));", "print(poi({p}));", "eq({p}, {e});",
    "ed({p}, {e});", "eb({p}, {e});", ".x = poi(@rsp - 10);", "print(db({p}));", "eb(@rip - 4, db(@rip - 4));",
    "eb(@rip, db(@rip));", "memcpy({p}, {p}, 10);", "print(check_address({p}));", "print(strlen({p}));",
    "while (.n < 8) {{ .n++; {s} }}", "for (i = 0; i < 3; i++) {{ {s} }}", "while ({c}) {{ .k++; }}",
    "print(interlocked_exchange_add(&.n, {e}));", "interlocked_increment(&.n);",
    "spinlock_lock(&.lock); .n++; spinlock_unlock(&.lock);", "pause();", "flush();", "microsleep(5);",
    "event_inject(3, 0xd);", "event_trace_step();", "event_trace_instrumentation_step();", "print(rdtsc());",
    "formats({e});",
    "double value = .n; value = value * 1.5; .y = value;", "eq($buffer, {e});", "print(poi($buffer));", "return;",
    "event_sc(1); @rax = {e};", "@dr0 = {p}; @dr7 = 0xf0001;", "@dr1 = @rip + {d}; @dr7 = 4;",
    "print(disassemble_len(@rip));", "print(virtual_to_physical({p}));",
)  # fmt: skip
EXPRESSIONS = (
    "{e} + {e}",
    "{e} ^ {e}",
    "{e} & ff",
    "{e} * 3",
    "{e} >> 4",
    "poi(@rsp)",
    "poi(@rsp - 18)",
    "db(@rip)",
    "low({e})",
    "neg({e})",
    "dd({p})",
)
PLACES = (
    "@rsp",
    "@rsp - 18",
    "@rsp - 8",
    "$buffer",
    "0",
    "@rcx",
    "@rip",
    "@r12",
    "fffff80000001000",
    "@rsp - 1000",
    "poi(@rsp - 20)",
    "$proc",
)

CONDITIONS = (
    "mov rax, [rcx]", "mov rax, [rcx+18]; and rax, 1", "mov rax, rdx; sub rax, 55",
    "mov rax, rdx; sub rax, 66; sete al; movzx eax, al", "xor eax, eax", "mov al, 1", "nop", "mov rax, [rax]",
    "mov rax, rdx; sub rax, 55; mov rax, [rax]", "xor ecx, ecx; div rcx", "again: jmp again",
    "inc qword ptr [rcx+68]; mov al, 1", "mov rax, [rcx+20]; mov rax, [rax-18]",
    "mov rax, [rcx+20]; mov [rax-18], rdx; mov al, 1", "pushfq; pop rax; and rax, 0xcd5", "std; mov al, 1",
    "cld; mov al, 1", "pushfq; or qword ptr [rsp], 0x400; popfq; mov al, 1",
    "pushfq; or qword ptr [rsp], 0x40000; popfq; mov al, 1", "pushfq; or qword ptr [rsp], 0x100; popfq; mov al, 1",
    "lea rsi, [rsp-40]; lea rdi, [rsp-80]; mov ecx, 8; rep movsb; mov rax, rsi",
    "mov rax, gs:[188]; mov rax, [rax+220]", "mov rax, gs:[0]", "mov rax, fs:[0]", "movq xmm0, rdx; movq rax, xmm0",
    "movq rax, xmm0", "movsd xmm0, qword ptr [rcx]; mov al, 1", "movsd qword ptr [rcx+60], xmm0; mov al, 1", "cpuid",
    "rdtsc", "push rbx; pop rax; add rax, rsi; inc eax", "mov rax, cr0", "mov rax, dr0", "mov eax, 7; mov dr0, rax",
    "mov ecx, c0000082; rdmsr", "mov ecx, c0000101; mov eax, 5; xor edx, edx; wrmsr; mov al, 1",
    "call over; over: pop rax", "lea rax, [rip]; mov byte ptr [rax], 90; mov al, 1",
    "lea rax, [rip+target]; jmp rax; nop; target: mov al, 1", "mov rsp, [rcx+20]; mov al, 1; ret",
    "lea rsp, [rsp-8]; mov al, 1; lea rsp, [rsp+8]", "jmp [rcx]", "jmp rdx", "push rdx; ret", "hlt", "int3", "ud2",
    "syscall", "int 80", "stmxcsr [rsp-8]; mov eax, [rsp-8]",
    "mov dword ptr [rsp-8], 5f80; ldmxcsr [rsp-8]; mov al, 1", "fninit; fld1; fnstsw ax", "fld1; mov al, 1",
    "mov eax, ds; inc eax", "push fs; pop rax; inc eax", "lock inc qword ptr [rcx+70]; mov al, 1",
    "xchg rax, [rcx+60]", "cmpxchg [rcx+60], rdx; mov al, 1", "mov rax, fffff80000001000; mov rax, [rax]",
    "mov rax, rcx; shl rax, 1; setc al", "bt rdx, 0; setc al; movzx eax, al", "loop over; over: mov al, 1",
    "enter 10, 0; leave; mov al, 1", "sti; mov al, 1", "cli; mov al, 1", "mov rax, cr4; mov cr4, rax",
    "swapgs; mov rax, gs:[188]", "rdmsr", "in al, 60", "lgdt [rcx]", "sidt [rsp-10]; mov al, 1", "mov ax, ss",
    "xor eax, eax; mov ds, ax; mov al, 1", "mov eax, 2b; mov fs, ax; mov rax, fs:[0]",
    "mov rax, [rcx+60]; mov rax, [rax]", "vzeroupper", "emms", "movd mm0, edx; movd eax, mm0",
    "movq2dq xmm1, mm0; movq rax, xmm1", "iretq", "sysretq", "retf", "cmpxchg16b [rcx]", "xgetbv",
    "mov rax, [rcx+20]; mov rdx, [rax]; mov [rax-8], rdx",
    "mov rax, [rcx+20]; mov rax, [rax-20]; inc qword ptr [rax]; mov al, 1",
    "mov rax, [rcx+20]; mov rax, [rax-20]; mov rax, [rax]", "stc; sbb rax, rax", "sahf; lahf; movzx eax, ah",
    "mov rbx, 5; mov rsi, 6; mov r15, 7; mov al, 1",
)  # fmt: skip
CODES = (
    "nop", "inc qword ptr [rdx+68]", "add qword ptr [rdx+48], 4", "add [rdx+58], r8", "mov [rdx], r8",
    "sub qword ptr [rdx+20], 8", "add qword ptr [rdx+20], 8",
    "inc qword ptr [rcx]; mov rax, [rcx]; mov [rdx+50], rax", "mov rax, [rdx+20]; inc qword ptr [rax-18]",
    "inc qword ptr [rdx+40]; ud2", "mov rax, [rax]",
    "movq xmm0, qword ptr [rdx]; paddq xmm1, xmm0; movq qword ptr [rdx+60], xmm1",
    "movsd xmm0, qword ptr [rdx]; movsd qword ptr [rdx+60], xmm0", "mov qword ptr [rdx+40], 7",
    "mov qword ptr [rdx+18], 1", "mov rax, [rdx+8]; mov byte ptr [rax], 90",
    "mov rax, [rdx+8]; mov cl, [rax]; mov [rax], cl", "hlt", "again: jmp again", "rdtsc; mov [rdx+70], rax",
    "mov rax, [rdx+20]; mov byte ptr [rax], 5; xor ecx, ecx; div ecx", "cpuid", "std",
    "mov ecx, c0000082; rdmsr; mov [rbx], eax", "call [rdx]", "mov rax, 400000; mov cl, [rax]; mov [rax], cl",
    "mov rax, 400002; mov byte ptr [rax], 3",
)  # fmt: skip
# Own parameters of event commands, by name.
PARAMETERS = {
    "number": ("55", "66", "0", "ffffffff", "27"),
    "leaf": ("0", "1", "55"),
    "msr": ("c0000080", "c0000082", "c0000084", "e7"),
    "port": ("60", "3f8", "55"),
    "xcr": ("0", "1"),
    "vector": ("0", "1", "3", "6", "d", "e"),
    "register": ("0", "4"),
    "mask": ("100", "mask 120", "20", "0"),
}
INTERRUPTS = ("d1", "20")  # the clock's vector, and one that nobody has
# Ranges of !monitor begin at addresses of code, or there: in the stack, below and at the first rsp.
MONITORED = (0x7FFF_FFFF_E000, 0x7FFF_FFFF_EE00, 0x7FFF_FFFF_EEB8)
ACCESSES = ("rw", "w", "r", "x", "rx", "wx", "rwx")
# Events of the programming interface only: their first parameters, `-` where there are none, and machine code.
CONTROL_REGISTERS = ("-", "0", "3", "4", "8")
WITHOUT_COMMAND = {
    kind.sdk_name: CONTROL_REGISTERS if kind.parameters else ("-",)
    for kind in EVENT_KINDS
    if kind.emulated and not kind.spellings
}
REGISTERED_CODES = ("90", "48ff4268", "48ff4210", "0f0b")  # nop; inc [rdx+68]; inc [rdx+10]; ud2
KINDS = tuple(row.name for row in EVENTS if row.emulated) + ("!syscall",) * 2 + tuple(WITHOUT_COMMAND)
BETWEEN = (
    "events d all", "events e all", "? .n = 2;", "? print(@rax);", "? @rip = 400000;", "? @r15 = @r15 + 1;", "flush",
    "r rax = 5", "r r8 = 7", "r rip = 400000", "r rflags = 8d7", "eb 400002 3", "eq @rsp - 20 7fffffffe000", "bc all",
    "wrmsr c0000100 7fffffffe000", "wrmsr c0000082 400000", "rdmsr c0000080", "events", "lm", "k", "t", "t 3", "p", "g",
)  # fmt: skip


class RunCommands:
    """Writes events for guests whose interesting addresses are known."""

    def __init__(self, choices: Choices, addresses: list[int], processes: int, cores: int) -> None:
        self.choices = choices
        self.addresses = addresses
        self.processes = processes
        self.cores = cores

    # --- scripts

    def expression(self, depth: int = 2) -> str:
        """An integer."""
        pick = self.choices.pick
        way = self.choices.below(8)
        if way == 0 or depth == 0:
            return pick(("1", "55", "66", "0", "2", "0n10", "ffffffff", "40", "-1"))
        if way < 5:
            return "@" + pick(REGISTERS)
        if way == 5:
            return "$" + pick(PSEUDO)
        if way == 6:
            return pick((".n", ".m", ".k"))
        return "(" + self.filled(pick(EXPRESSIONS), depth - 1) + ")"

    def condition(self) -> str:
        """A comparison."""
        pick = self.choices.pick
        if self.choices.chance(15):
            return f"{self.expression(1)} < {self.expression(1)}"
        return pick(
            (f"@rax == {pick((55, 66))}", f".n == {pick((1, 2, 3))}", ".n & 1", "@rcx > 10", "@zf", "$event_stage")
        )

    def statement(self, depth: int) -> str:
        """One statement."""
        return self.filled(self.choices.pick(STATEMENTS), depth)

    def filled(self, template: str, depth: int) -> str:
        """The template with its places filled in."""
        parts = template.replace("{{", "\1").replace("}}", "\2").split("{")
        text = parts[0]
        for part in parts[1:]:
            text += self._place(part[0], depth) + part[2:]
        return text.replace("\1", "{").replace("\2", "}")

    def _place(self, name: str, depth: int) -> str:
        match name:
            case "e":
                return self.expression(min(depth, 2))
            case "c":
                return self.condition()
            case "s":
                return self.statement(depth - 1) if depth > 0 else ".n++;"
            case "w":
                return self.choices.pick(WRITTEN)
            case "d":
                return self.choices.pick(("2", "3", "5", "1", "7"))
            case "i":
                return str(self.choices.below(6))
            case _:
                return self.choices.pick(PLACES)

    def script(self) -> str:
        """The block of a script action."""
        return "script { " + " ".join(self.statement(2) for _ in range(self.choices.between(1, 4))) + " }"

    # --- events

    def event(self, kind: str | None = None) -> str:
        """An event command, or a line that registers an event which no command creates."""
        choices = self.choices
        kind = choices.pick(KINDS) if kind is None else kind
        if kind in WITHOUT_COMMAND:
            return f"register {kind} {choices.pick(WITHOUT_COMMAND[kind])} {choices.pick(REGISTERED_CODES)}"
        words = [kind]
        if kind.startswith("!epthook"):
            words.append(f"{choices.pick(self.addresses):x}")
        elif kind == "!monitor":
            first = choices.pick((*self.addresses, *MONITORED))
            words += [choices.pick(ACCESSES), f"{first:x}", "l", choices.pick(("8", "1", "3", "40", "200"))]
        else:
            rows = EVENT_BY_NAME[kind].parameters
            given = [row for row in rows if row.required or choices.chance(35)]
            words += [
                choices.pick(tuple(row.choices) or (INTERRUPTS if row.low else PARAMETERS[row.name])) for row in given
            ]
        if EVENT_BY_NAME[kind].kind.needs_pid or choices.chance(12):
            words.append(f"pid {FIRST_PROCESS + PROCESS_STEP * choices.below(self.processes):x}")
        if choices.chance(12):
            words.append(f"core {choices.below(self.cores)}")
        words += self._options(kind)
        parts = []
        if choices.chance(25):
            parts.append(self.block("condition", CONDITIONS))
        if choices.chance(85):
            parts.append(self.script())
        if choices.chance(20):
            parts.append(self.block("code", CODES))
        return " ".join([*words, *parts])

    def _options(self, kind: str) -> list[str]:
        choices, words = self.choices, []
        if EVENT_BY_NAME[kind].kind.stages and choices.chance(30):
            words.append(f"stage {choices.pick(('post', 'all', 'pre'))}")
        elif choices.chance(15):
            words.append("sc on")
        if choices.chance(20):
            words.append("imm no")
        if choices.chance(25):
            words.append("buffer 40")
        return words

    def block(self, name: str, pool: tuple[str, ...]) -> str:
        """A condition or a code block."""
        texts = [self.choices.pick(pool)]
        if self.choices.chance(25):
            texts.insert(
                0, self.choices.pick((CONDITIONS[0], "nop", "mov r9, 5", "push rax; pop rax", "movq xmm1, r8", *pool))
            )
        text = "; ".join(texts)
        for label in ("again", "over", "target"):  # of two texts the second one's
            if len(texts) == 2 and texts[0].count(label) and texts[1].count(label):
                text = texts[1]
        return f"asm {name} {{ {text} }}"

    def between(self) -> str:
        """What is done between two runs."""
        number = self.choices.below(4)
        return self.choices.pick(
            (f"events d {number}", f"events e {number}", f"events c {number}", self.event(),
             f"bp {self.choices.pick(self.addresses):x}", *BETWEEN)
        )  # fmt: skip


def run_case(choices: Choices) -> str:
    """The text of a case."""
    kernel = choices.pick(KERNELS)
    linux = kernel is LinuxKernel
    cores, processes = choices.between(1, 2), choices.pick((1, 1, 1, 2, 3))
    guests = [Guest(choices).listing(linux) for _ in range(processes)]
    if processes > 1 and choices.chance(60):
        guests = [guests[0]] * processes
    commands = RunCommands(choices, interesting_addresses(guests[0], kernel.entry.text), processes, cores)
    breaks = choices.pick(("go", "go", "halt"))
    parts = [f"{kernel.name} {cores} {breaks}", *(f"-- guest\n{guest}" for guest in guests)]
    parts.append("-- commands\n" + "\n".join(commands.event() for _ in range(choices.between(1, 5))))
    for _ in range(choices.weighted(((6, 0), (2, 1), (2, 2), (1, 4)))):
        parts.append(f"-- run {choices.pick((7, 20, 1, 3, 50, 200))}")
        if choices.chance(10):
            parts.append(f"-- guest\n{choices.pick(guests)}")
        parts.append("-- commands\n" + "\n".join(commands.between() for _ in range(choices.between(1, 2))))
    if breaks == "halt":
        typed = [choices.pick(("g", "g", commands.between())) for _ in range(choices.below(7))]
        parts.append("-- typed\n" + "\n".join(typed))
    parts.append("-- run 3000")
    return "\n".join(parts) + "\n"


def interesting_addresses(listing: str, text: KernelText) -> list[int]:
    """Where hooks are set: every instruction, a place where none begins, and the handler at LSTAR."""
    code = assemble(listing, address=BASE).code
    places = [address for address, _, _, _ in decoder().disasm_lite(code, BASE)]
    return [*places, places[-1] + 1, text.entry, text.service, text.sysret]
