"""The common options of event commands (A.7, A.8, B.2, B.3, B.5, B.11)."""

from __future__ import annotations

import pytest

from lang.commands import ALL, AssemblyText, EventCommand, HexCode, ScriptFile, ScriptText, parse_event, read_commands
from lang.diagnostics import Diagnostic
from lang.source import SourceFile
from vm.facts.stages import Stage


def parse(text: str) -> tuple[EventCommand | None, list[Diagnostic]]:
    (command,), _ = read_commands(SourceFile("test.hds", text))
    return parse_event(command)


def event(text: str) -> EventCommand:
    result, errors = parse(text)
    assert result is not None
    assert errors == []
    return result


def only_error(text: str) -> Diagnostic:
    result, errors = parse(text)
    assert result is None
    (error,) = errors
    return error


def codes(text: str) -> list[str]:
    return [error.code for error in parse(text)[1]]


def code_bytes(text: str) -> bytes:
    code = event(text).code
    assert isinstance(code, HexCode)
    return code.code


def test_defaults() -> None:
    plain = event("!cpuid")
    assert (plain.pid, plain.core, plain.buffer_size) == (ALL, ALL, 0)
    assert (plain.immediate, plain.short_circuit, plain.stage) == (True, False, Stage.PRE)
    assert (plain.script, plain.condition, plain.code, plain.outputs, plain.given) == (None, None, None, (), {})


def test_event_without_actions_breaks() -> None:
    assert event("!cpuid condition {90}").breaks
    assert not event("!cpuid script { }").breaks
    assert not event("!cpuid code {90}").breaks


def test_options_take_hexadecimal_and_decimal_numbers() -> None:
    given = event("!cpuid pid 490 core 0n10 buffer 100")
    assert (given.pid, given.core, given.buffer_size) == (0x490, 10, 0x100)


def test_pid_all_means_every_process() -> None:
    assert event("!cpuid pid ALL").pid == ALL


@pytest.mark.parametrize(("word", "stage"), [("pre", Stage.PRE), ("post", Stage.POST), ("ALL", Stage.ALL)])
def test_stages(word: str, stage: Stage) -> None:
    assert event(f"!cpuid stage {word}").stage is stage


def test_keywords_ignore_case() -> None:
    given = event("!cpuid PID 4 Imm NO SC On SCRIPT {a}")
    assert (given.pid, given.immediate, given.short_circuit) == (4, False, True)
    assert isinstance(given.script, ScriptText)


def test_options_may_stand_before_own_parameters() -> None:
    given = event("!syscall script {a} pid 490 55 imm no")
    assert (given.parameters["number"].value, given.pid, given.immediate) == (0x55, 0x490, False)


def test_last_option_wins() -> None:
    assert event("!cpuid pid 1 pid 2").pid == 2


def test_last_block_wins() -> None:
    assert code_bytes("!cpuid code {90} code {cc}") == b"\xcc"


def test_option_span_reaches_from_keyword_to_value() -> None:
    assert event("!cpuid pid 490 core 1").given["pid"].text == "pid 490"


def test_block_option_span_includes_asm_and_brace() -> None:
    assert event("!cpuid asm code { nop } imm no").given["code"].text == "asm code { nop }"


@pytest.mark.parametrize("keyword", ["pid", "core", "imm", "sc", "stage", "buffer"])
def test_missing_value(keyword: str) -> None:
    error = only_error(f"!cpuid {keyword}")
    assert (error.code, error.message, error.span.text) == (
        "E210",
        f"please specify a value for '{keyword}'",
        keyword,
    )


def test_block_is_not_the_value_of_the_option_before_its_keyword() -> None:
    assert only_error("!cpuid pid script {a}").code == "E210"


@pytest.mark.parametrize(
    ("option", "code"),
    [
        ("pid zz", "E211"),
        ("pid 100000000", "E211"),
        ("core all", "E212"),
        ("core x", "E212"),
        ("imm maybe", "E213"),
        ("sc yes", "E214"),
        ("stage during", "E215"),
        ("buffer big", "E216"),
    ],
)
def test_bad_value(option: str, code: str) -> None:
    error = only_error(f"!cpuid {option}")
    assert (error.code, error.span.text) == (code, option.split()[1])


def test_stage_error_names_all_three() -> None:
    assert only_error("!cpuid stage x").hint == "expected `pre`, `post` or `all`"


def test_every_bad_value_is_reported() -> None:
    assert codes("!cpuid pid z core z imm z sc z stage z buffer z code {z}") == [
        "E211",
        "E212",
        "E213",
        "E214",
        "E215",
        "E216",
        "E220",
    ]


@pytest.mark.parametrize("stage", ["post", "all"])
def test_short_circuit_excludes_post(stage: str) -> None:
    error = only_error(f"!cpuid stage {stage} sc on")
    assert (error.code, "c000003a" in error.message, error.span.text) == ("E217", True, "sc on")


def test_output_excludes_collected_messages() -> None:
    assert only_error("!cpuid imm no script {a} output {x}").code == "E218"


def test_script_text_is_untouched() -> None:
    script = event("!cpuid script {\n  a; // }\n  }").script
    assert isinstance(script, ScriptText)
    assert (script.token.text, script.token.span.line) == ("\n  a; // }\n  ", 1)


def test_script_of_a_file_is_trimmed_and_unquoted() -> None:
    script = event('!cpuid script {file: "c:\\my dir\\a.hds" }').script
    assert isinstance(script, ScriptFile)
    assert (script.path, script.span.text) == ("c:\\my dir\\a.hds", "c:\\my dir\\a.hds")


def test_file_mark_counts_at_the_very_start_only() -> None:
    assert isinstance(event("!cpuid script { file:a }").script, ScriptText)


def test_file_mark_without_a_path() -> None:
    assert only_error("!cpuid script {file: }").code == "E222"


def test_file_mark_belongs_to_script_only() -> None:
    assert only_error("!cpuid code {file:a}").code == "E220"


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ("9090", b"\x90\x90"),
        ("90 90\n\t90", b"\x90\x90\x90"),
        ("0x90cc", b"\x90\xcc"),
        (r"\x90\xcc", b"\x90\xcc"),
        ("x90", b"\x90"),
        ("f90", b"\x0f\x90"),
        ("CcFf", b"\xcc\xff"),
    ],
)
def test_hexadecimal_code(block: str, code: bytes) -> None:
    assert code_bytes(f"!cpuid code {{{block}}}") == code


@pytest.mark.parametrize("block", ["90,90", "nop", "90 0x90", "90h", "9٣"])
def test_other_characters_in_hexadecimal_code(block: str) -> None:
    assert only_error(f"!cpuid code {{{block}}}").code == "E220"


def test_error_in_hexadecimal_code_points_at_the_character() -> None:
    error = only_error("!cpuid condition {\n 90 g0 }")
    assert (error.span.line, error.span.column, error.span.text) == (2, 5, "g")


@pytest.mark.parametrize("keyword", ["code", "condition"])
def test_blank_code_has_no_bytes(keyword: str) -> None:
    assert only_error(f"!cpuid {keyword} {{ }}").code == "E221"


def test_asm_belongs_to_the_next_keyword() -> None:
    given = event("!cpuid condition {9090} asm code { nop; }")
    assert isinstance(given.condition, HexCode)
    assert isinstance(given.code, AssemblyText)


def test_asm_of_both_blocks() -> None:
    given = event("!cpuid asm condition {xor eax, eax} asm code {nop}")
    assert isinstance(given.condition, AssemblyText)
    assert isinstance(given.code, AssemblyText)


def test_asm_reaches_over_other_options() -> None:
    assert isinstance(event("!cpuid asm script {a} pid 4 code {nop}").code, AssemblyText)


def test_asm_without_code_is_left_over() -> None:
    assert only_error("!syscall 5 code {90} asm").message == "unknown parameter 'asm'"


def test_block_need_not_be_next_to_its_keyword() -> None:
    given = event("!cpuid script pid 4 { a }")
    assert isinstance(given.script, ScriptText)
    assert given.pid == 4


def test_quoted_block_is_no_block() -> None:
    assert only_error('!dr script "{ a }"').message == "unknown parameter 'script'"


@pytest.mark.parametrize("text", ["!tsc script", "!tsc script {}", "!syscall script {}", "!cpuid script"])
def test_keyword_without_a_block_is_left_over(text: str) -> None:
    error = only_error(text)
    assert (error.code, error.span.text) == ("E230", "script")
    assert error.hint == "`script` needs a block behind it that is not empty"


def test_block_without_a_keyword_is_left_over() -> None:
    assert only_error("!cpuid { a }").code == "E230"


def test_output_names() -> None:
    outputs = event("!cpuid script {a} output { A,b c ,, D}").outputs
    assert [(output.name, output.span.text) for output in outputs] == [("A", "A"), ("bc", "b c"), ("D", "D")]


@pytest.mark.parametrize("block", [",", " , ,", " "])
def test_output_block_without_names(block: str) -> None:
    assert only_error(f"!cpuid output {{{block}}}").code == "E223"


def test_five_outputs_are_the_most() -> None:
    assert len(event("!cpuid output {a,b,c,d,e}").outputs) == 5
    assert only_error("!cpuid output {a,b,c,d,e,f}").span.text == "f"


def test_annotated_sample_fails_for_both_contradictions() -> None:
    text = (
        "!syscall 55 pid 490 stage post sc on imm no buffer 100 script { f(); } condition { 9090 } code { 9090 }\n"
        "asm code { nop; } output { name }"
    ).replace("\n", " ")
    assert codes(text) == ["E217", "E218"]


def test_annotated_sample_without_the_contradictions() -> None:
    sample = event(
        "!syscall 55 pid 490 stage post buffer 100 script { f(); } condition { 9090 } code { 9090 } "
        "asm code { nop; } output { name }"
    )
    assert isinstance(sample.condition, HexCode)
    assert isinstance(sample.code, AssemblyText)
    assert (sample.condition.code, sample.code.token.text) == (b"\x90\x90", " nop; ")
