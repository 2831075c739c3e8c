"""Every error that the kit raises on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MOST_PROBLEMS = 50
_LONGEST_SHOWN = 600  # characters of a name or a message; a value may be a file's whole content


class KitError(Exception):
    """Something that a person can fix: what failed, what to do next, and where to read more.

    Parameters
    ----------
    message
        What failed, with the value, and what was found instead.
    remedy
        What to do next.
    link
        The address of a page that explains it.

    Attributes
    ----------
    nothing_written
        For a write that failed: AWS surely refused all of it, so that there is nothing to take back.
    failed
        For changes that were made at the same time: those that failed, each with its error.
    """

    nothing_written: bool = False
    failed: Sequence[tuple[object, KitError]] = ()

    def __init__(self, message: str, *, remedy: str = "", link: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.link = link

    def __str__(self) -> str:
        return "\n".join(part for part in (self.message, self.remedy, self.link) if part)

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints in place of a traceback: a reader needs the remedy, not our stack."""
        return f"{type(self).__name__}: {self}".splitlines()


class InvalidValueError(KitError, ValueError):
    """One value that cannot be right; also a ``ValueError``, so that pydantic collects it."""


@dataclass(frozen=True)
class Problem:
    """One thing to fix in a scenario."""

    file: str
    line: int | None
    path: str
    message: str
    remedy: str

    def __str__(self) -> str:
        file = _shown(self.file)
        place = file if self.line is None else f"{file}:{self.line}"
        start = f"{place}: {_shown(self.path)}: " if self.path else f"{place}: "
        return start + " ".join(_sentence(part) for part in (_cut(self.message), self.remedy) if part)


def _shown(text: str) -> str:
    """Return a name as one line that does nothing to a terminal: its control characters are written out."""
    return _cut("".join(each if each.isprintable() else repr(each)[1:-1] for each in text))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 100]}…{text[-100:]}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


class ParametersError(KitError):
    """A scenario, or parameters or tables given in its place, with problems; nothing was called.

    The message has the first 50 of them, and says how many more there are; `problems` has all.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        lines = [str(problem) for problem in problems[:_MOST_PROBLEMS]]
        if more := len(problems) - len(lines):
            lines.append(f"… and {more} more: {len(problems)} problems in all.")
        super().__init__("\n".join(lines))
        self.problems = list(problems)

    def __reduce__(self) -> tuple[type[ParametersError], tuple[list[Problem]]]:
        """Rebuild from the problems, so that the error survives the way out of a worker process."""
        return (type(self), (self.problems,))


class TargetError(KitError):
    """The run is not talking to the account, Region or sandbox that it should."""


class SandboxError(TargetError):
    """The sandbox does not start, does not answer, or is not the one that was expected."""

    @classmethod
    def of_silence(cls, endpoint_url: str, error: Exception) -> SandboxError:
        """Return the error for a sandbox that was there and answers no more."""
        return cls(
            f"the sandbox at {endpoint_url} stopped answering ({type(error).__name__})",
            remedy="Connect again, which starts it: in a notebook run the second cell, then this one. "
            "Completed work is kept, unless somebody has reset the sandbox.",
        )


class CredentialsError(TargetError):
    """There are no credentials, or they are refused, or they have expired."""


class WrongAccountError(TargetError):
    """The caller's account is not the expected one."""


class LeftSandboxError(TargetError):
    """A call in a sandbox run would have gone somewhere else."""


class ClosedRunbookError(TargetError):
    """A runbook, or a step or form of it, that a later `open_runbook` has closed; nothing was called."""


class InstanceNotFoundError(KitError):
    """No instance of Identity Center is visible in this Region."""


class SeveralInstancesError(KitError):
    """More than one instance is visible; the kit does not guess between them."""


class AccountInstanceError(KitError):
    """An account instance was asked for something that only an organization instance can do."""


class NotFoundError(KitError):
    """Nothing has that name."""


class AmbiguousError(KitError):
    """Several things have that name."""


class AccessDeniedError(KitError):
    """The caller may not do that; the remedy names the missing permission."""


class ThrottledError(KitError):
    """AWS turned a call away as one too many, after all retries."""


class ApplyRefusedError(KitError):
    """Writing is not allowed in this run; nothing was written."""


class CancelledError(KitError):
    """A person stopped an apply between two calls; what was done before is done, with its receipts."""


class WriteFailedError(KitError):
    """AWS accepted a write, and the write then failed."""


class ConfigFileError(KitError):
    """A config file of AWS's tools cannot be read or written, or what it holds is not the kit's to change."""


class WaitTimeoutError(KitError):
    """A write was accepted and had not ended when the time was up."""


class CheckFailedError(KitError):
    """What was found is not what was wanted."""

    is_told_above: bool = False

    def _render_traceback_(self) -> list[str]:
        if not self.is_told_above:
            return super()._render_traceback_()
        first = self.message.partition("\n")[0].rstrip(":")
        return [f"{type(self).__name__}: {first}; see above for what to do."]


class ReceiptError(KitError):
    """A receipt cannot be written, cannot be read, or cannot be undone."""


class RunFailedError(KitError):
    """A headless run ended without success."""
