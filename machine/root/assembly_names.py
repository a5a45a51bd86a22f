"""One name for all spellings of an instruction."""

from __future__ import annotations

CONDITIONS = ("o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g")
"""In the order of their numbers in opcodes (Intel SDM volume 1, appendix B)."""

_OTHER_CONDITIONS: dict[str, str] = {
    "z": "e", "nz": "ne", "c": "b", "nae": "b", "nc": "ae", "nb": "ae", "na": "be", "nbe": "a", "pe": "p", "po": "np",
    "nge": "l", "nl": "ge", "ng": "le", "nle": "g",
}  # fmt: skip

_SYNONYMS: dict[str, str] = {
    "sal": "shl", "movabs": "mov", "retn": "ret", "sysret": "sysretq", "loopz": "loope", "loopnz": "loopne",
    "fwait": "wait", "xlat": "xlatb", "pushfw": "pushf", "popfw": "popf", "iretw": "iret",
    "fcompi": "fcomip", "fucompi": "fucomip",
    **{f"{stem}{other}": f"{stem}{name}" for stem in ("j", "set", "cmov") for other, name in _OTHER_CONDITIONS.items()},
}  # fmt: skip

PREFIX_SYNONYMS: dict[str, str] = {"repe": "rep", "repz": "rep", "repnz": "repne"}


def canonical(mnemonic: str) -> str:
    """The name that stands for all spellings of this one."""
    return _SYNONYMS.get(mnemonic, mnemonic)
