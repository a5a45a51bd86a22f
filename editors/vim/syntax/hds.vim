" Vim syntax file
" Language: HyperDbg script (.hds, .ds)
" Made by `python -m hds.cli.documentation --write docs`; do not edit.

if exists("b:current_syntax")
  finish
endif
syn case match
syn iskeyword @,48-57,_,`
syn sync fromstart

syn match hdsName ;\<[A-Za-z_][A-Za-z0-9_`]*;
syn match hdsFunction ;\<[A-Za-z_][A-Za-z0-9_`]*\ze\s*(;
syn match hdsNumber ;\<[0-9a-fA-F`]\+\>;
syn match hdsNumber ;\.\=\<[0-9][A-Za-z0-9_`]*\%(\.[A-Za-z0-9_`]*\)*;
syn match hdsRegister ;\<\%(eflags\|rflags\|flags\|gdtr\|idtr\|iopl\|ldtr\|r10d\|r10h\|r10l\|r10w\|r11d\|r11h\|r11l\|r11w\|r12d\|r12h\|r12l\|r12w\|r13d\|r13h\|r13l\|r13w\|r14d\|r14h\|r14l\|r14w\|r15d\|r15h\|r15l\|r15w\|bpl\|cr0\|cr2\|cr3\|cr4\|cr8\|dil\|dr0\|dr1\|dr2\|dr3\|dr6\|dr7\|eax\|ebp\|ebx\|ecx\|edi\|edx\|eip\|esi\|esp\|r10\|r11\|r12\|r13\|r14\|r15\|r8d\|r8h\|r8l\|r8w\|r9d\|r9h\|r9l\|r9w\|rax\|rbp\|rbx\|rcx\|rdi\|rdx\|rip\|rsi\|rsp\|sil\|spl\|vif\|vip\|ac\|af\|ah\|al\|ax\|bh\|bl\|bp\|bx\|cf\|ch\|cl\|cs\|cx\|df\|dh\|di\|dl\|ds\|dx\|es\|fs\|gs\|id\|if\|ip\|nt\|of\|pf\|r8\|r9\|rf\|sf\|si\|sp\|ss\|tf\|tr\|vm\|zf\)\>;
syn match hdsBuiltin ;\<\%(disable_event\|enable_event\|ref\)\>\ze\s*(;
syn match hdsBuiltin ;\<\%(event_trace_instrumentation_step_in\|event_trace_instrumentation_step\|interlocked_compare_exchange\|spinlock_lock_custom_wait\|interlocked_exchange_add\|event_inject_error_code\|interlocked_decrement\|interlocked_increment\|lbr_restore_by_filter\|event_trace_step_out\|interlocked_exchange\|event_trace_step_in\|physical_to_virtual\|virtual_to_physical\|disassemble_len32\|disassemble_len64\|event_trace_step\|disassemble_len\|spinlock_unlock\|test_statement\|check_address\|event_disable\|spinlock_lock\|event_enable\|event_inject\|event_clear\|lbr_restore\|microsleep\|lbr_check\|lbr_print\|memcpy_pa\|reference\|event_sc\|lbr_dump\|lbr_save\|formats\|strncmp\|wcsncmp\|low_pa\|memcmp\|memcpy\|poi_pa\|printf\|rdtscp\|strcmp\|strlen\|wcscmp\|wcslen\|db_pa\|dd_pa\|dq_pa\|dw_pa\|eb_pa\|ed_pa\|eq_pa\|flush\|hi_pa\|pause\|print\|rdtsc\|low\|neg\|not\|poi\|db\|dd\|dq\|dw\|eb\|ed\|eq\|hi\)\>;
syn match hdsKeyword ;\<\%(continue\|typedef\|return\|sizeof\|struct\|break\|elsif\|while\|else\|for\|do\|if\)\>;
syn match hdsType ;\<\%(unsigned\|double\|signed\|float\|short\|bool\|char\|long\|void\|int\)\>;
syn match hdsSymbol ;\<[A-Za-z_][A-Za-z0-9_`]*![A-Za-z_][A-Za-z0-9_`]*;
syn match hdsOperator ;[-+*/%&|^~!<>=.?:];
syn match hdsGlobal ;\.[A-Za-z_][A-Za-z0-9_`]*;
syn match hdsDot ;[A-Za-z0-9_`)\]]\@1<=\.\ze[A-Za-z_]; nextgroup=hdsMember
syn match hdsArrow ;->; nextgroup=hdsMember skipwhite
syn match hdsMember ;[A-Za-z_][A-Za-z0-9_`]*; contained
syn match hdsError ;[@$][A-Za-z0-9_`]*;
syn match hdsRegister ;@\%(eflags\|rflags\|flags\|gdtr\|idtr\|iopl\|ldtr\|r10d\|r10h\|r10l\|r10w\|r11d\|r11h\|r11l\|r11w\|r12d\|r12h\|r12l\|r12w\|r13d\|r13h\|r13l\|r13w\|r14d\|r14h\|r14l\|r14w\|r15d\|r15h\|r15l\|r15w\|bpl\|cr0\|cr2\|cr3\|cr4\|cr8\|dil\|dr0\|dr1\|dr2\|dr3\|dr6\|dr7\|eax\|ebp\|ebx\|ecx\|edi\|edx\|eip\|esi\|esp\|r10\|r11\|r12\|r13\|r14\|r15\|r8d\|r8h\|r8l\|r8w\|r9d\|r9h\|r9l\|r9w\|rax\|rbp\|rbx\|rcx\|rdi\|rdx\|rip\|rsi\|rsp\|sil\|spl\|vif\|vip\|ac\|af\|ah\|al\|ax\|bh\|bl\|bp\|bx\|cf\|ch\|cl\|cs\|cx\|df\|dh\|di\|dl\|ds\|dx\|es\|fs\|gs\|id\|if\|ip\|nt\|of\|pf\|r8\|r9\|rf\|sf\|si\|sp\|ss\|tf\|tr\|vm\|zf\)\>;
syn match hdsPseudoRegister ;\$\%(event_stage\|event_tag\|event_id\|context\|buffer\|thread\|pname\|core\|date\|proc\|time\|peb\|pid\|teb\|tid\|ip\)\>;
syn match hdsPseudoRegister ;\$arg[0-9]\+;
syn match hdsError ;'[^'\\]*\%(\\.[^'\\]*\)*'\=;
syn match hdsEscape +\\\%(x\x*\|\o\{1,3}\|.\)+ contained
syn region hdsString start=;L\="; skip=;\\.; end=;"; contains=hdsEscape
syn match hdsComment ;^\s*#\%(\s*include\>\)\@!.*;
syn match hdsDirective ;#\s*include\>; nextgroup=hdsPath skipwhite
syn match hdsPath ;"[^"]*"; contained
syn match hdsEscapedBrace ;\\[{}]; contained
syn cluster hdsScript contains=hdsComment,hdsDirective,hdsString,hdsError,hdsSymbol,hdsArrow,hdsDot,hdsType,hdsKeyword,hdsBuiltin,hdsRegister,hdsNumber,hdsFunction,hdsName,hdsGlobal,hdsPseudoRegister,hdsOperator,hdsEscapedBrace,hdsBlock
syn region hdsBlock matchgroup=hdsPunctuation start=;{; skip=;\\[{}]; end=;}; contains=@hdsScript

syn match hdsWord ;[^ \t{}\"]\+; contained
syn match hdsSymbol2 ;[^ \t{}\"]*![^ \t{}\"]*; contained
syn match hdsNumber2 ;\c\%(0x\|\\x\|x\|0n\|\\n\|n\)\=[0-9a-f`]\+\%([^ \t{}\"]\)\@!; contained
syn match hdsOption ;\<\%(buffer\|stage\|core\|imm\|pid\|sc\)\>; contained
syn match hdsOption ;\<\%(script\)\>; contained nextgroup=hdsPath,hdsBlock skipwhite
syn match hdsOption ;\<\%(output\)\>; contained nextgroup=hdsNames skipwhite
syn match hdsOption ;\<\%(condition\|code\)\>; contained nextgroup=hdsCode skipwhite
syn match hdsOption ;\<asm\s\+\%(condition\|code\)\>; contained nextgroup=hdsAssembly skipwhite
syn region hdsCode matchgroup=hdsPunctuation start=;{; end=;}; contained
syn region hdsAssembly matchgroup=hdsPunctuation start=;{; end=;}; contained
syn region hdsNames matchgroup=hdsPunctuation start=;{; end=;}; contained
syn region hdsPath matchgroup=hdsOption start=;{\s*file:; end=;}; contained
syn match hdsComment ;//.*;
syn region hdsComment start=;/\*; end=;\*/;
syn region hdsCommandLine matchgroup=hdsCommand start=;^\s*\c\%(preactivation\|preallocation\|\.disconnect\|preactivate\|preallocate\|!localapic\|disconnect\|!assemble\|!assembly\|!lbrprint\|\.logclose\|\.process2\|\.settings\|preactive\|structure\|!lbrdump\|!measure\|!pcitree\|\.connect\|\.logopen\|\.process\|\.restart\|\.setting\|\.sympath\|\.thread2\|assemble\|assembly\|continue\|logclose\|prealloc\|process2\|settings\|!ioapic\|!lbrdmp\|!pcicam\|!unhide\|\.attach\|\.detach\|\.listen\|\.pagein\|\.script\|\.status\|\.switch\|\.thread\|\.unload\|connect\|logopen\|measure\|process\|restart\|setting\|sympath\|thread2\|!lapic\|!pa2va\|!track\|!va2pa\|\.debug\|\.pause\|\.start\|attach\|detach\|events\|listen\|output\|pagein\|script\|status\|switch\|thread\|ucpuid\|unload\|!apic\|!dump\|!help\|!hide\|\.dump\|\.exit\|\.help\|\.kill\|\.load\|\.test\|clear\|cpuid\|debug\|event\|flush\|pause\|rdmsr\|sleep\|start\|track\|watch\|wrmsr\|!asm\|!idt\|!lbr\|!pte\|!rev\|!smi\|!u32\|!u64\|\.cls\|\.sym\|cont\|core\|dump\|exit\|help\|kill\|load\|test\|!db\|!dc\|!dd\|!dl\|!dq\|!dt\|!eb\|!ed\|!eq\|!pt\|!sb\|!sd\|!sq\|!u2\|\.hh\|\.pe\|asm\|cls\|cpu\|rev\|sym\|u32\|u64\|!a\|!u\|bc\|bd\|be\|bl\|bp\|db\|dc\|dd\|dl\|dq\|dt\|eb\|ed\|eq\|g-\|gg\|gu\|ir\|kd\|kq\|lm\|p-\|pe\|pr\|sb\|sd\|sq\|t-\|tr\|u2\|a\|g\|i\|k\|p\|t\|u\|x\|\~\)\ze\%([ \t{\"]\|$\)\%(\s*\%([-+*/%&|^]\|<<\|>>\)\==[^=]\)\@!; end=;$; contains=hdsWord,hdsSymbol2,hdsNumber2,hdsComment,hdsString,hdsBlock
syn region hdsEventLine matchgroup=hdsEvent start=;^\s*\c\%(!exception\|!interrupt\|!epthook2\|!msrwrite\|!syscall2\|!crwrite\|!epthook\|!monitor\|!msrread\|!syscall\|!sysret2\|!msread\|!sysret\|!vmcall\|!xsetbv\|!cpuid\|!ioout\|!trace\|!ioin\|!iout\|!mode\|!pmc\|!tsc\|!dr\)\ze\%([ \t{\"]\|$\); end=;$; contains=hdsWord,hdsSymbol2,hdsNumber2,hdsComment,hdsString,hdsBlock,hdsOption
syn region hdsCommandLine matchgroup=hdsCommand start=;^\s*\c\%(\.formats\|evaluate\|\.format\|print\|eval\|?\|r\)\ze\%([ \t{\"]\|$\); end=;$; contains=@hdsScript

hi def link hdsComment Comment
hi def link hdsCommand Statement
hi def link hdsEvent PreProc
hi def link hdsOption Label
hi def link hdsKeyword Keyword
hi def link hdsType Type
hi def link hdsBuiltin Function
hi def link hdsFunction Function
hi def link hdsRegister Special
hi def link hdsPseudoRegister Special
hi def link hdsGlobal Identifier
hi def link hdsMember Identifier
hi def link hdsSymbol Constant
hi def link hdsNumber Number
hi def link hdsString String
hi def link hdsEscape SpecialChar
hi def link hdsOperator Operator
hi def link hdsDirective Include
hi def link hdsPath String
hi def link hdsCode Number
hi def link hdsAssembly Macro
hi def link hdsError Error
hi def link hdsSymbol2 hdsSymbol
hi def link hdsNumber2 hdsNumber
hi def link hdsDot hdsOperator
hi def link hdsArrow hdsOperator
hi def link hdsPunctuation Delimiter
let b:current_syntax = "hds"
