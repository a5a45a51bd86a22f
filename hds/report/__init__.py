"""What a run says, to people and to programs: records, their renderers, streams, and why a subcommand ends early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.report.ending import report as report
    from hds.report.failures import (
        Failure as Failure,
        FailureKind as FailureKind,
        Refusal as Refusal,
        compile_failure as compile_failure,
        interruption_named as interruption_named,
        refuse as refuse,
    )
    from hds.report.faults import (
        FAULTS as FAULTS,
        fault_message as fault_message,
        fault_span as fault_span,
        render_fault as render_fault,
    )
    from hds.report.fields import Field as Field, rows_of as rows_of
    from hds.report.findings import code_titles as code_titles, sarif as sarif
    from hds.report.json_lines import JsonLines as JsonLines, write_object as write_object
    from hds.report.reporters import Logged as Logged, Questions as Questions
    from hds.report.schema import (
        record_type as record_type,
        record_types as record_types,
        records_schema as records_schema,
    )
    from hds.report.streams import (
        Nowhere as Nowhere,
        Stream as Stream,
        StreamFailed as StreamFailed,
        error as error,
        occupy_standard_descriptors as occupy_standard_descriptors,
        on_terminal as on_terminal,
        output as output,
        say as say,
        standard_streams as standard_streams,
        status_stream as status_stream,
        wait_at_most as wait_at_most,
    )
    from hds.report.terminal import Terminal as Terminal
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "ending": "report",
            "failures": "Failure FailureKind Refusal compile_failure interruption_named refuse",
            "faults": "FAULTS fault_message fault_span render_fault",
            "fields": "Field rows_of",
            "findings": "code_titles sarif",
            "json_lines": "JsonLines write_object",
            "reporters": "Logged Questions",
            "schema": "record_type record_types records_schema",
            "streams": "Nowhere Stream StreamFailed error occupy_standard_descriptors on_terminal output say "
            "standard_streams status_stream wait_at_most",
            "terminal": "Terminal",
        },
    )
