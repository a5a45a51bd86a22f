"""Generator of instructions in Intel syntax that both GNU as and hds read: every kind, operand and way of addressing.

Numbers have a prefix, so that they mean the same in blocks and in listings. Not all lines are right: sizes, prefixes
and registers are also mixed as they do not go together.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

GENERAL: dict[int, tuple[str, ...]] = {
    8: ("al", "bl", "cl", "dl", "ah", "bh", "sil", "dil", "bpl", "spl", "r8b", "r15b"),
    16: ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "r8w", "r12w"),
    32: ("eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp", "r9d", "r13d"),
    64: ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r10", "r12", "r13", "r15"),
}
SIZES = {8: "byte", 16: "word", 32: "dword", 48: "fword", 64: "qword", 80: "tbyte", 128: "xmmword", 256: "ymmword"}
CONDITIONS = "o no b nb c nc ae nae z nz e ne be nbe a na s ns p np pe po l nl ge nge le nle g ng"

Line = Callable[[Random], str]


def pick(random: Random, words: str) -> str:
    """One of the words."""
    return random.choice(words.split())


def _address(random: Random) -> str:
    kind = random.randrange(12)
    width = 32 if random.random() < 0.08 else 64
    base, index = random.choice(GENERAL[width]), random.choice([r for r in GENERAL[width] if "sp" not in r])
    displacement = random.choice(("0x8", "0x7f", "0x80", "0x1234", "0x7fffffff"))
    sign = random.choice("+-")
    scale = random.choice((1, 2, 4, 8))
    return (
        f"{base}",
        f"{base}",
        f"{base} {sign} {displacement}",
        f"{base} {sign} {displacement}",
        f"{base} + {index}",
        f"{base} + {index}*{scale}",
        f"{base} + {index}*{scale} {sign} {displacement}",
        f"{scale}*{index} + {base}",
        f"{index}*{scale} + {displacement}",
        f"{displacement}",
        f"rip {sign} {displacement}",
        f"{base} + {displacement} + {index}*{scale}",
    )[kind]


def memory(random: Random, bits: int, stated: float = 0.8) -> str:
    """A memory operand of that size, which is mostly stated."""
    size = f"{SIZES[bits]} ptr " if random.random() < stated else ""
    if random.random() < 0.02:
        size = f"{random.choice(list(SIZES.values()))} ptr "
    segment = f"{random.choice(('fs', 'gs', 'ds', 'es', 'ss', 'cs'))}:" if random.random() < 0.25 else ""
    return f"{size}{segment}[{_address(random)}]"


def register(random: Random, bits: int) -> str:
    """A general register, now and then of another size."""
    return random.choice(GENERAL[random.choice((8, 16, 32, 64)) if random.random() < 0.03 else bits])


def either(random: Random, bits: int, stated: float = 0.8) -> str:
    """A register or a memory operand."""
    return register(random, bits) if random.random() < 0.5 else memory(random, bits, stated)


def number(random: Random, bits: int) -> str:
    """A number that mostly fits in that many bits."""
    small = random.choice(("0x0", "0x1", "0x7f", "0x80", "0xff", "-0x1", "-0x80", "0x12"))
    large = random.choice(
        ("0x1234", "0x7fff", "0xffff", "-0x8000", "0x7fffffff", "0x80000000", "0xffffffff", "-0x80000000")
    )
    huge = random.choice(("0x123456789abcdef0", "0xffffffffffffffff", "0x14000d250", "0xffffffff80000000"))
    return random.choices((small, large, huge), (6, 0 if bits == 8 else 3, 1 if bits == 64 else 0))[0]


def _bits(random: Random) -> int:
    return random.choice((8, 16, 32, 64))


def _arithmetic(random: Random) -> str:
    name, bits = pick(random, "add or adc sbb and sub xor cmp mov test xchg"), _bits(random)
    form = random.randrange(4)
    if form == 0:
        return f"{name} {either(random, bits)}, {register(random, bits)}"
    if form == 1:
        return f"{name} {register(random, bits)}, {either(random, bits)}"
    return f"{name} {either(random, bits, 0.95)}, {number(random, bits)}"


def _one_operand(random: Random) -> str:
    name = pick(random, "inc dec neg not mul imul div idiv")
    return f"{name} {either(random, _bits(random), 0.95)}"


def _multiply(random: Random) -> str:
    bits = random.choice((16, 32, 64))
    tail = random.choice(("", f", {number(random, bits)}"))
    return f"imul {register(random, bits)}, {either(random, bits)}{tail}"


def _shift(random: Random) -> str:
    name = pick(random, "rol ror rcl rcr shl sal shr sar")
    return (
        f"{name} {either(random, _bits(random), 0.95)}, {random.choice(('0x1', 'cl', '0x5', '0x3f', '0x80', '0xff'))}"
    )


def _double_shift(random: Random) -> str:
    bits, count = random.choice((16, 32, 64)), random.choice(("cl", "0x4"))
    return f"{random.choice(('shld', 'shrd'))} {either(random, bits)}, {register(random, bits)}, {count}"


def _bit(random: Random) -> str:
    bits = random.choice((16, 32, 64))
    if random.random() < 0.5:
        source = random.choice((register(random, bits), "0x3"))
        return f"{pick(random, 'bt bts btr btc')} {either(random, bits, 0.95)}, {source}"
    return f"{pick(random, 'bsf bsr popcnt lzcnt tzcnt')} {register(random, bits)}, {either(random, bits)}"


def _bmi(random: Random) -> str:
    bits = random.choice((32, 64))
    a, b, m = register(random, bits), register(random, bits), either(random, bits)
    return random.choice(
        (
            f"{random.choice(('andn', 'pdep', 'pext', 'mulx'))} {a}, {b}, {m}",
            f"{random.choice(('bextr', 'bzhi', 'sarx', 'shlx', 'shrx'))} {a}, {m}, {b}",
            f"{random.choice(('blsi', 'blsr', 'blsmsk', 'adcx', 'adox'))} {a}, {m}",
            f"rorx {a}, {m}, 0x7",
        )
    )


def _extend(random: Random) -> str:
    wide, narrow = random.choice(((16, 8), (32, 8), (64, 8), (32, 16), (64, 16), (64, 32)))
    name = random.choice(("movzx", "movsx")) if narrow < 32 else "movsxd"
    return f"{name} {register(random, wide)}, {either(random, narrow)}"


def _conditional(random: Random) -> str:
    condition, bits = pick(random, CONDITIONS), random.choice((16, 32, 64))
    if random.random() < 0.5:
        return f"set{condition} {either(random, 8)}"
    return f"cmov{condition} {register(random, bits)}, {either(random, bits)}"


def _exchange(random: Random) -> str:
    bits, prefix = _bits(random), random.choice(("", "lock "))
    return random.choice(
        (
            f"{prefix}{random.choice(('cmpxchg', 'xadd', 'xchg'))} {either(random, bits)}, {register(random, bits)}",
            f"{prefix}cmpxchg8b {memory(random, 64, 0.5)}",
            f"{prefix}cmpxchg16b {memory(random, 128, 0.5)}",
            f"{prefix}{pick(random, 'add sub and or xor adc sbb')} {memory(random, bits)}, {register(random, bits)}",
            f"{prefix}{pick(random, 'inc dec neg not')} {memory(random, bits, 0.95)}",
            f"{prefix}{pick(random, 'bts btr btc')} {memory(random, 32)}, {register(random, 32)}",
        )
    )


def _stack(random: Random) -> str:
    bits = random.choice((16, 64, 64, 64, 32))
    return random.choice(
        (
            f"push {either(random, bits, 0.9)}",
            f"pop {either(random, bits, 0.9)}",
            f"push {number(random, 64)}",
            f"push {random.choice(('fs', 'gs', 'ds'))}",
            f"pop {random.choice(('fs', 'gs', 'ss'))}",
            "leave",
            f"enter 0x20, {random.choice(('0x0', '0x1'))}",
            pick(random, "pushf popf pushfq popfq pushfw popfw"),
        )
    )


def _address_of(random: Random) -> str:
    return f"lea {register(random, random.choice((16, 32, 64)))}, {memory(random, random.choice((32, 64)), 0.2)}"


def _absolute(random: Random) -> str:
    bits = _bits(random)
    accumulator = {8: "al", 16: "ax", 32: "eax", 64: "rax"}[bits]
    name = random.choice((accumulator, accumulator, register(random, bits)))
    segment = random.choice(("", "", "fs:", "gs:", "ds:"))
    place = f"{segment}[{random.choice(('0x14000d250', '0x1234', '0x7fffffff', '0xfffff80312345678', '0x80000000'))}]"
    mnemonic = random.choice(("mov", "movabs"))
    return f"{mnemonic} {name}, {place}" if random.random() < 0.6 else f"{mnemonic} {place}, {name}"


def _large(random: Random) -> str:
    return f"{random.choice(('mov', 'movabs'))} {register(random, 64)}, {number(random, 64)}"


def _string(random: Random) -> str:
    prefix = random.choice(("", "", "rep ", "repe ", "repne ", "repz ", "repnz "))
    name, letter = pick(random, "movs stos lods scas cmps"), random.choice("bwdq")
    if random.random() < 0.6:
        return f"{prefix}{name}{letter}"
    size, bits = SIZES[{"b": 8, "w": 16, "d": 32, "q": 64}[letter]], {"b": 8, "w": 16, "d": 32, "q": 64}[letter]
    accumulator = {8: "al", 16: "ax", 32: "eax", 64: "rax"}[bits]
    source = f"{size} ptr {random.choice(('', '', 'ds:', 'fs:', 'gs:'))}[rsi]"
    target = f"{size} ptr {random.choice(('', 'es:'))}[rdi]"
    return (
        prefix
        + {
            "movs": f"movs {target}, {source}",
            "stos": random.choice((f"stos {target}, {accumulator}", f"stos {target}")),
            "lods": random.choice((f"lods {accumulator}, {source}", f"lods {source}")),
            "scas": random.choice((f"scas {accumulator}, {target}", f"scas {target}")),
            "cmps": f"cmps {source}, {target}",
        }[name]
    )


def _ports(random: Random) -> str:
    register_name = random.choice(("al", "ax", "eax"))
    return random.choice(
        (
            f"in {register_name}, {random.choice(('dx', '0x60'))}",
            f"out {random.choice(('dx', '0x60'))}, {register_name}",
            random.choice(("insb", "insw", "insd", "rep insb", "outsb", "outsw", "outsd", "rep outsd")),
        )
    )


def _x87(random: Random) -> str:
    top = random.choice(("st", "st(0)"))
    other = f"st({random.randrange(8)})"
    arithmetic = pick(random, "fadd fsub fsubr fmul fdiv fdivr")
    return random.choice(
        (
            f"{random.choice(('fld', 'fstp'))} {memory(random, random.choice((32, 64, 80)), 1)}",
            f"fst {memory(random, random.choice((32, 64)), 1)}",
            f"{random.choice(('fld', 'fst', 'fstp', 'ffree', 'fxch', 'fucom', 'fucomp', 'fcom', 'fcomp'))} {other}",
            f"{arithmetic} {memory(random, random.choice((32, 64)), 1)}",
            f"{arithmetic} {top}, {other}",
            f"{arithmetic} {other}, {top}",
            f"{arithmetic}p {other}, {top}",
            f"{arithmetic}p",
            f"{pick(random, 'fiadd fisub fimul fidiv ficom fist fild')} {memory(random, random.choice((16, 32)), 1)}",
            f"{random.choice(('fild', 'fistp', 'fisttp'))} {memory(random, random.choice((16, 32, 64)), 1)}",
            f"{random.choice(('fcomi', 'fcomip', 'fucomi', 'fucomip'))} {top}, {other}",
            f"fcmov{pick(random, 'b e be u nb ne nbe nu')} {top}, {other}",
            pick(
                random,
                "fld1 fldz fldpi fldl2e fldl2t fldlg2 fldln2 fchs fabs fsqrt fsin fcos fsincos fptan fpatan fprem "
                "fprem1 frndint fscale f2xm1 fyl2x fyl2xp1 fxtract ftst fxam fcompp fucompp fninit fnclex fnop fdecstp "
                "fincstp fwait wait finit fclex",
            ),
            f"{random.choice(('fldcw', 'fnstcw', 'fstcw', 'fnstsw', 'fstsw'))} {memory(random, 16, 0.5)}",
            f"{random.choice(('fnstsw', 'fstsw'))} ax",
            f"{random.choice(('fbld', 'fbstp'))} {memory(random, 80, 1)}",
            f"{random.choice(('fldenv', 'fnstenv', 'fnsave', 'frstor', 'fxsave', 'fxrstor'))} [{_address(random)}]",
        )
    )


PACKED = (
    "addps addpd subps subpd mulps mulpd divps divpd minps minpd maxps maxpd andps andpd andnps andnpd orps orpd xorps "
    "xorpd sqrtps sqrtpd rsqrtps rcpps unpcklps unpckhps unpcklpd unpckhpd movaps movapd movups movupd movdqa movdqu "
    "cvtdq2ps cvtps2dq cvttps2dq cvtpd2ps cvtpd2dq cvttpd2dq haddps haddpd hsubps hsubpd addsubps addsubpd movshdup "
    "movsldup paddb paddw paddd paddq psubb psubw psubd psubq pand pandn por pxor pcmpeqb pcmpeqw pcmpeqd pcmpgtb "
    "pcmpgtw pcmpgtd pmullw pmulhw pmulhuw pmuludq pmaddwd pavgb pavgw psadbw packsswb packssdw packuswb punpcklbw "
    "punpcklwd punpckldq punpcklqdq punpckhbw punpckhwd punpckhdq punpckhqdq psllw pslld psllq psrlw psrld psrlq psraw "
    "psrad paddsb paddsw paddusb paddusw psubsb psubusw pminub pmaxub pminsw pmaxsw pshufb phaddw phaddd phsubw "
    "pmaddubsw psignb psignw psignd pabsb pabsw pabsd pmulhrsw ptest pmulld pminsd pmaxsd pminud pmaxud pminuw pmaxuw "
    "pminsb pmaxsb packusdw pcmpeqq pcmpgtq pmuldq phminposuw aesenc aesenclast aesdec aesdeclast aesimc"
)
SCALAR = (
    "addss:32 addsd:64 subss:32 subsd:64 mulss:32 mulsd:64 divss:32 divsd:64 sqrtss:32 sqrtsd:64 minss:32 maxsd:64 "
    "comiss:32 comisd:64 ucomiss:32 ucomisd:64 cvtss2sd:32 cvtsd2ss:64 rcpss:32 rsqrtss:32 movss:32 movsd:64 "
    "cvtdq2pd:64 cvtps2pd:64 movddup:64 pmovzxbw:64 pmovsxwd:64 pmovzxbd:32 pmovsxbq:16 pmovzxdq:64"
)
IMMEDIATE = (
    "shufps shufpd pshufd pshufhw pshuflw palignr cmpps cmppd roundps roundpd blendps blendpd dpps dppd mpsadbw "
    "pblendw pclmulqdq aeskeygenassist pcmpistri pcmpistrm pcmpestri pcmpestrm"
)


def _xmm(random: Random) -> str:
    return f"xmm{random.randrange(16)}"


def _xmm_or(random: Random, bits: int) -> str:
    return _xmm(random) if random.random() < 0.5 else memory(random, bits, 0.6)


def _sse(random: Random) -> str:
    kind = random.randrange(10)
    if kind < 4:
        return f"{pick(random, PACKED)} {_xmm(random)}, {_xmm_or(random, 128)}"
    if kind == 4:
        name = pick(random, "movaps movapd movups movupd movdqa movdqu movntps movntpd movntdq")
        return f"{name} {memory(random, 128, 0.6)}, {_xmm(random)}"
    if kind < 7:
        name, bits = pick(random, SCALAR).split(":")
        if name in ("movss", "movsd") and random.random() < 0.4:
            return f"{name} {memory(random, int(bits), 0.6)}, {_xmm(random)}"
        return f"{name} {_xmm(random)}, {_xmm_or(random, int(bits))}"
    if kind == 7:
        return (
            f"{pick(random, IMMEDIATE)} {_xmm(random)}, {_xmm_or(random, 128)}, {random.choice(('0x0', '0x3', '0x7'))}"
        )
    return _sse_mixed(random)


def _sse_mixed(random: Random) -> str:
    general = random.choice((32, 64))
    lane = random.choice(("0x0", "0x1", "0x3"))
    return random.choice(
        (
            f"movd {_xmm(random)}, {either(random, 32)}",
            f"movd {either(random, 32)}, {_xmm(random)}",
            f"movq {_xmm(random)}, {either(random, 64)}",
            f"movq {either(random, 64)}, {_xmm(random)}",
            f"movq {_xmm(random)}, {_xmm(random)}",
            f"{random.choice(('movlps', 'movhps', 'movlpd', 'movhpd'))} {_xmm(random)}, {memory(random, 64)}",
            f"{random.choice(('movlps', 'movhps', 'movlpd', 'movhpd'))} {memory(random, 64)}, {_xmm(random)}",
            f"{random.choice(('movhlps', 'movlhps', 'maskmovdqu'))} {_xmm(random)}, {_xmm(random)}",
            f"{random.choice(('cvtsi2ss', 'cvtsi2sd'))} {_xmm(random)}, {either(random, general, 0.95)}",
            f"{random.choice(('cvtss2si', 'cvttss2si'))} {register(random, general)}, {_xmm_or(random, 32)}",
            f"{random.choice(('cvtsd2si', 'cvttsd2si'))} {register(random, general)}, {_xmm_or(random, 64)}",
            f"{random.choice(('movmskps', 'movmskpd', 'pmovmskb'))} {register(random, 32)}, {_xmm(random)}",
            f"{random.choice(('psllw', 'psrld', 'psraw', 'psllq', 'pslldq', 'psrldq'))} {_xmm(random)}, 0x4",
            f"pextrb {either(random, 8)}, {_xmm(random)}, {lane}",
            f"pextrw {register(random, 32)}, {_xmm(random)}, {lane}",
            f"pextrw {memory(random, 16)}, {_xmm(random)}, {lane}",
            f"pextrd {either(random, 32)}, {_xmm(random)}, {lane}",
            f"pextrq {either(random, 64)}, {_xmm(random)}, {lane}",
            f"pinsrb {_xmm(random)}, {random.choice((register(random, 32), memory(random, 8)))}, {lane}",
            f"pinsrw {_xmm(random)}, {random.choice((register(random, 32), memory(random, 16)))}, {lane}",
            f"pinsrd {_xmm(random)}, {either(random, 32)}, {lane}",
            f"pinsrq {_xmm(random)}, {either(random, 64)}, {lane}",
            f"insertps {_xmm(random)}, {_xmm_or(random, 32)}, 0x10",
            f"extractps {either(random, 32)}, {_xmm(random)}, {lane}",
            f"{random.choice(('roundss', 'cmpss'))} {_xmm(random)}, {_xmm_or(random, 32)}, 0x2",
            f"{random.choice(('roundsd', 'cmpsd'))} {_xmm(random)}, {_xmm_or(random, 64)}, 0x2",
            f"cmp{pick(random, 'eq lt le unord neq nlt nle ord')}{random.choice(('ps', 'pd'))} "
            f"{_xmm(random)}, {_xmm_or(random, 128)}",
            f"{random.choice(('blendvps', 'blendvpd', 'pblendvb'))} {_xmm(random)}, {_xmm_or(random, 128)}, xmm0",
            f"lddqu {_xmm(random)}, {memory(random, 128, 0.6)}",
            f"movntdqa {_xmm(random)}, {memory(random, 128, 0.6)}",
            f"movnti {memory(random, general)}, {register(random, general)}",
            f"crc32 {register(random, random.choice((32, 64)))}, {either(random, random.choice((8, 16, 32, 64)), 1)}",
            f"movbe {register(random, general)}, {memory(random, general)}",
            f"movbe {memory(random, general)}, {register(random, general)}",
        )
    )


def _mmx(random: Random) -> str:
    first, second = f"mm{random.randrange(8)}", f"mm{random.randrange(8)}"
    name = pick(random, "paddb paddw paddd psubb pand por pxor pmullw packsswb punpcklbw pcmpeqb pshufb pmaddwd")
    return random.choice(
        (
            f"{name} {first}, {random.choice((second, memory(random, 64, 0.6)))}",
            f"movq {first}, {random.choice((second, memory(random, 64, 0.6)))}",
            f"movq {memory(random, 64, 0.6)}, {first}",
            f"movd {first}, {either(random, 32)}",
            f"movd {either(random, 32)}, {first}",
            f"pshufw {first}, {second}, 0x1b",
            f"{random.choice(('psllw', 'psrlq', 'psrad'))} {first}, 0x4",
            f"movq2dq {_xmm(random)}, {first}",
            f"movdq2q {first}, {_xmm(random)}",
            f"{random.choice(('cvtpi2ps', 'cvtpi2pd'))} {_xmm(random)}, {first}",
            f"{random.choice(('cvtps2pi', 'cvttpd2pi'))} {first}, {_xmm(random)}",
            "emms",
        )
    )


def _vex(random: Random) -> str:
    name = pick(random, "vaddps vsubpd vmulps vxorps vpaddd vpand vpxor vpcmpeqb vunpcklps vminps vpshufb")
    wide = random.choice((("xmm", 128), ("ymm", 256)))
    first, second, third = (f"{wide[0]}{random.randrange(16)}" for _ in range(3))
    return random.choice(
        (
            f"{name} {first}, {second}, {random.choice((third, memory(random, wide[1], 0.6)))}",
            f"{random.choice(('vmovaps', 'vmovdqu', 'vmovdqa', 'vmovups'))} {first}, {memory(random, wide[1], 0.6)}",
            f"{random.choice(('vmovaps', 'vmovdqu'))} {memory(random, wide[1], 0.6)}, {first}",
            f"vaddss {_xmm(random)}, {_xmm(random)}, {_xmm_or(random, 32)}",
            f"vpshufd {first}, {second}, 0x1b",
            f"vinsertf128 ymm1, ymm2, {_xmm_or(random, 128)}, 0x1",
            f"vextractf128 {_xmm_or(random, 128)}, ymm2, 0x1",
            f"vbroadcastss {first}, {memory(random, 32, 0.6)}",
            f"vfmadd213ps {first}, {second}, {random.choice((third, memory(random, wide[1], 0.6)))}",
            f"vblendvps {first}, {second}, {third}, {first}",
            random.choice(("vzeroupper", "vzeroall")),
        )
    )


def _control(random: Random) -> str:
    return random.choice(
        (
            f"{random.choice(('jmp', 'call'))} {either(random, 64)}",
            f"{random.choice(('jmp', 'call'))} {memory(random, random.choice((32, 48, 16)), 1)}",
            f"ret {random.choice(('0x8', '0x10', '0xffff'))}",
            f"int {random.choice(('0x3', '0x80', '0x2e'))}",
            pick(
                random,
                "ret retn retf retfq lret iret iretd iretq int3 int1 icebp syscall sysret sysretq sysexit sysenter ud2 "
                "hlt nop pause cpuid rdtsc rdtscp rdpmc leave endbr64",
            ),
            f"nop {either(random, random.choice((16, 32, 64)), 1)}",
        )
    )


def _system(random: Random) -> str:
    return random.choice(
        (
            f"mov {random.choice(GENERAL[64])}, {pick(random, 'cr0 cr2 cr3 cr4 cr8 dr0 dr6 dr7')}",
            f"mov {random.choice(('cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'dr0', 'dr7'))}, {random.choice(GENERAL[64])}",
            f"mov {register(random, random.choice((16, 32, 64)))}, {pick(random, 'ds es fs gs ss cs')}",
            f"mov {random.choice(('ds', 'es', 'fs', 'gs', 'ss'))}, {register(random, random.choice((16, 32, 64)))}",
            f"mov {random.choice(('ds', 'es'))}, {memory(random, 16)}",
            f"mov {memory(random, 16)}, {random.choice(('ds', 'gs'))}",
            f"{random.choice(('lgdt', 'sgdt', 'lidt', 'sidt', 'invlpg', 'clflush'))} [{_address(random)}]",
            f"{random.choice(('lldt', 'ltr', 'lmsw', 'verr', 'verw'))} {either(random, 16)}",
            f"{random.choice(('sldt', 'str', 'smsw'))} {either(random, 16)}",
            f"{random.choice(('lar', 'lsl'))} {register(random, 32)}, {register(random, random.choice((16, 32)))}",
            f"{pick(random, 'prefetcht0 prefetcht1 prefetcht2 prefetchnta prefetchw')} {memory(random, 8, 0.3)}",
            f"{random.choice(('ldmxcsr', 'stmxcsr'))} {memory(random, 32, 0.5)}",
            f"{pick(random, 'xsave xrstor xsaveopt fxsave64 fxrstor64 xsave64')} [{_address(random)}]",
            f"{pick(random, 'rdfsbase rdgsbase wrfsbase wrgsbase rdrand rdseed')} {register(random, 64)}",
            f"bswap {register(random, random.choice((32, 64)))}",
            f"invpcid {register(random, 64)}, {memory(random, 128, 0.5)}",
            pick(
                random,
                "cli sti cld std clc stc cmc lahf sahf cbw cwde cdqe cwd cdq cqo xlatb xlat rdmsr wrmsr wbinvd invd "
                "clts swapgs lfence sfence mfence xgetbv xsetbv monitor mwait rsm vmcall vmxoff "
                "vmlaunch vmresume stac clac vmmcall clgi stgi",
            ),
        )
    )


KINDS: tuple[Line, ...] = (
    _arithmetic, _arithmetic, _arithmetic, _one_operand, _multiply, _shift, _double_shift, _bit, _bmi, _extend,
    _conditional, _exchange, _stack, _address_of, _absolute, _large, _string, _ports, _x87, _x87, _sse, _sse, _sse,
    _mmx, _vex, _control, _system, _system,
)  # fmt: skip


def lines(count: int, seed: int) -> list[str]:
    """That many lines, always the same for a seed."""
    random = Random(seed)
    return [KINDS[number % len(KINDS)](random) for number in range(count)]
