"""What a run says: values of one closed union, each in a file of its own with its forms in JSON and for people.

A new record is a file here, and a row in the union and in the two functions below; the type checker finds a row that
is missing. The records of the machine are those of `machine.records`, findings are diagnostics of `lang`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, assert_never

from msgspec.structs import replace

from hds.report.failures import Failure
from hds.report.records import (
    aggregated,
    code_coverage,
    code_fault,
    decoded_call,
    failure,
    finding,
    guest_output,
    halt,
    incident,
    line_hits,
    message,
    notice,
    result,
    script_fault,
    settled,
    summary,
    triggered,
)
from hds.report.records.aggregated import Aggregated, AggregateObject, Bucket, Group, GroupObject
from hds.report.records.code_coverage import CodeCoverage, CoveredModule
from hds.report.records.decoded_call import DecodedCall, DecodedCallObject
from hds.report.records.finding import region
from hds.report.records.halt import Halt
from hds.report.records.incident import Incident, IncidentObject
from hds.report.records.line_hits import LineHits, LineHitsObject
from hds.report.records.message import Forwarded, MessageObject
from hds.report.records.result import CLEAR_SCREEN, Result
from hds.report.records.settled import Settled
from hds.report.records.shown import Bytes, Control, Guest, Line, Output, Repeated, Settle, Shown
from hds.report.records.summary import (
    SCHEMA_VERSION,
    Crash,
    EventCount,
    EventObject,
    OutputCount,
    ProcessCount,
    Summary,
    SummaryObject,
    UnknownCall,
    lost_bytes,
    lost_messages,
    plural,
)
from hds.report.records.texts import EXACT, Wide, with_hexadecimal, without_twins
from hds.report.records.triggered import Triggered, TriggerObject
from lang import Diagnostic
from machine import CodeFault, GuestOutput, Message, Notice, ScriptFault

__all__ = [
    "CLEAR_SCREEN",
    "EXACT",
    "SCHEMA_VERSION",
    "AggregateObject",
    "Aggregated",
    "Bucket",
    "Bytes",
    "CodeCoverage",
    "CodeFault",
    "Control",
    "CoveredModule",
    "Crash",
    "DecodedCall",
    "DecodedCallObject",
    "Diagnostic",
    "EventCount",
    "EventObject",
    "Failure",
    "Forwarded",
    "Group",
    "GroupObject",
    "Guest",
    "GuestOutput",
    "Halt",
    "Incident",
    "IncidentObject",
    "Line",
    "LineHits",
    "LineHitsObject",
    "Message",
    "MessageObject",
    "Notice",
    "Output",
    "OutputCount",
    "ProcessCount",
    "Record",
    "RecordObject",
    "Repeated",
    "Result",
    "ScriptFault",
    "Settle",
    "Settled",
    "Shown",
    "Summary",
    "SummaryObject",
    "TriggerObject",
    "Triggered",
    "UnknownCall",
    "Wide",
    "as_object",
    "json_object",
    "lost_bytes",
    "lost_messages",
    "plural",
    "region",
    "shown",
    "with_hexadecimal",
    "with_symbol",
    "without_twins",
]

Record = (
    Message
    | Forwarded
    | GuestOutput
    | Result
    | Notice
    | Diagnostic
    | ScriptFault
    | CodeFault
    | Halt
    | Triggered
    | CodeCoverage
    | LineHits
    | Aggregated
    | DecodedCall
    | Incident
    | Settled
    | Failure
    | Summary
)
RecordT = TypeVar("RecordT", bound=Record)
RecordObject = (
    message.MessageObject
    | guest_output.GuestOutputObject
    | result.ResultObject
    | notice.NoticeObject
    | finding.FindingObject
    | script_fault.ScriptFaultObject
    | code_fault.CodeFaultObject
    | halt.HaltObject
    | triggered.TriggerObject
    | code_coverage.CoverageObject
    | line_hits.LineHitsObject
    | aggregated.AggregateObject
    | decoded_call.DecodedCallObject
    | incident.IncidentObject
    | failure.FailureObject
    | summary.SummaryObject
)


def as_object(record: Record) -> RecordObject | None:
    """What programs are told of it (`--format json`); None for what only people are."""
    match record:
        case Message():
            return message.as_object(record)
        case Forwarded():
            return message.as_object(record.message)
        case GuestOutput():
            return guest_output.as_object(record)
        case Result():
            return result.as_object(record)
        case Notice():
            return notice.as_object(record)
        case Diagnostic():
            return finding.as_object(record)
        case ScriptFault():
            return script_fault.as_object(record)
        case CodeFault():
            return code_fault.as_object(record)
        case Halt():
            return halt.as_object(record)
        case Triggered():
            return triggered.as_object(record)
        case CodeCoverage():
            return code_coverage.as_object(record)
        case LineHits():
            return line_hits.as_object(record)
        case Aggregated():
            return aggregated.as_object(record)
        case DecodedCall():
            return decoded_call.as_object(record)
        case Incident():
            return incident.as_object(record)
        case Settled():
            return None
        case Failure():
            return failure.as_object(record)
        case Summary():
            return summary.as_object(record)
        case _:
            assert_never(record)


def json_object(record: Record) -> dict[str, object] | None:
    """The same as it is written: numbers from 2^53 on have a text in hexadecimal beside them, `NAME_hex`."""
    made = as_object(record)
    return None if made is None else with_hexadecimal(dict(made))


def with_symbol(record: RecordT, symbol_of: Callable[[int, int], str | None]) -> RecordT:
    """A message or a halt with the symbol of its process's instruction pointer; all others as they are."""
    if not isinstance(record, Message | Halt) or record.symbol is not None or not record.instruction_pointer:
        return record
    return replace(record, symbol=symbol_of(record.process_id, record.instruction_pointer))


def shown(record: Record) -> Shown | None:
    """What people are shown of it; None where another line or the exit code says it, or an output source has it."""
    match record:
        case Message():
            return message.shown(record)
        case GuestOutput():
            return guest_output.shown(record)
        case Result():
            return result.shown(record)
        case Notice():
            return notice.shown(record)
        case Diagnostic():
            return finding.shown(record)
        case ScriptFault():
            return script_fault.shown(record)
        case CodeFault():
            return code_fault.shown(record)
        case Halt():
            return halt.shown(record)
        case Triggered():
            return triggered.shown(record)
        case CodeCoverage():
            return code_coverage.shown(record)
        case LineHits():
            return line_hits.shown(record)
        case Aggregated():
            return aggregated.shown(record)
        case DecodedCall():
            return decoded_call.shown(record)
        case Incident():
            return incident.shown(record)
        case Settled():
            return settled.shown(record)
        case Summary():
            return summary.shown(record)
        case Forwarded() | Failure():
            return None
        case _:
            assert_never(record)
