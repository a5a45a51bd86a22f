"""Why the exit code is not 0: the record is `hds.report.failures.Failure`."""

from typing import Annotated, Literal, TypedDict

from hds.exit_codes import ExitCode
from hds.report.failures import Failure, FailureKind
from hds.report.records.texts import values


class FailureObject(TypedDict):
    """Why the exit code is not 0. `code` is that of the diagnostic that says more, where there is one."""

    type: Literal["failure"]
    kind: Annotated[str, values(FailureKind)]
    code: str | None
    message: str
    hint: str | None
    exit_code: Annotated[int, tuple(int(code) for code in ExitCode)]


def as_object(failure: Failure) -> FailureObject:
    """The record of JSON mode."""
    return {
        "type": "failure",
        "kind": failure.kind.value,
        "code": failure.code,
        "message": failure.message,
        "hint": failure.hint,
        "exit_code": int(failure.kind.exit_code),
    }
