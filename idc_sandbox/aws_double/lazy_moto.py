"""The double while moto is not there yet: what the administrator asks first is answered without it."""

from __future__ import annotations

import gc
import logging
import sqlite3
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from idc_sandbox.aws_double.administrator import (
    MANAGEMENT_ACCOUNT_ID,
    Administrator,
    at_time,
    moto_version_of_state,
    new_administrator,
    read_administrator,
    state_number,
    write_administrator,
)
from idc_sandbox.context import AccessPolicies, Caller, IssuedKey, Signature
from idc_sandbox.errors import Request, Response, SandboxStartError
from idc_sandbox.store import Store

if TYPE_CHECKING:
    from idc_sandbox.aws_double.double import AwsDouble

_importing = threading.Lock()
logger = logging.getLogger(__name__)


class LazyMoto:
    """Stands in for `AwsDouble` until moto is imported, which takes half a second, and has its methods."""

    management_account_id = MANAGEMENT_ACCOUNT_ID

    def __init__(self, store: Store) -> None:
        self.store = store
        self._double: AwsDouble | None = None
        with store.transaction() as connection:
            self._administrator = self._read(connection)
        if self._administrator is None:
            self.load()  # only moto's memory knows

    def _read(self, connection: sqlite3.Connection) -> Administrator | None:
        administrator = read_administrator(connection)
        if state_number(connection) == 0:
            administrator = administrator or new_administrator(self.store.seed)
            write_administrator(connection, administrator)
        else:
            from importlib import metadata  # noqa: PLC0415  new state does not wait for it

            if moto_version_of_state(connection) != metadata.version("moto"):
                return None
        return administrator

    @property
    def is_loaded(self) -> bool:
        """Whether moto is there."""
        return self._double is not None

    def load(self) -> AwsDouble:
        """Return the double with moto behind it; the first call takes half a second."""
        if self._double is None:
            double_class = _import_double()  # takes no lock of the store's: another thread may hold that one
            with self.store.transaction():
                if self._double is None:
                    self._double = double_class(self.store)
        return self._double

    def load_in_background(
        self,
        *,
        after_s: float,
        when_impossible: Callable[[str], None],
        then: Callable[[], object] = lambda: None,
    ) -> threading.Thread:
        """Load moto on a thread, which is returned: the first request that needs it need not wait.

        `then` is called on that thread afterwards.
        """

        def load() -> None:
            try:
                self.load().prepare()
                then()
            except SandboxStartError as error:
                when_impossible(str(error))
            except sqlite3.ProgrammingError:
                logger.info("the sandbox was stopped before moto was loaded")

        timer = threading.Timer(after_s, load)
        timer.daemon = True
        timer.start()
        return timer

    def secret_of(self, access_key_id: str) -> IssuedKey | None:
        """Return an issued access key, as `AwsDouble.secret_of`."""
        known = self._known()
        if known is not None and known.access_key_id == access_key_id:
            return known.issued_key
        return self.load().secret_of(access_key_id)

    def access_policies(self, caller: Caller) -> AccessPolicies:
        """Return the policies that decide what a caller may do, as `AwsDouble.access_policies`."""
        known = self._known()
        if known is None or known.issued_key.caller != caller:
            return self.load().access_policies(caller)
        return at_time(known.policies, self.now())

    def administrator_credentials(self) -> tuple[str, str]:
        """Return access key id and secret of the administrator."""
        known = self._known()
        if known is None:
            return self.load().administrator_credentials()
        return known.access_key_id, known.secret

    def handle(self, request: Request, signature: Signature) -> Response:
        """Answer a request to one of moto's services, as `AwsDouble.handle`."""
        known = self._known()
        is_known = known is not None and known.issued_key.caller == signature.caller
        if known is not None and is_known and _asks_who_it_is(request, signature):
            return _caller_identity(known)
        return self.load().handle(request, signature)

    def now(self) -> float:
        """Return the sandbox's time, epoch seconds."""
        return self.store.now()

    def __getattr__(self, name: str) -> Any:
        """Return whatever else the double has."""
        return getattr(self.load(), name)

    def _known(self) -> Administrator | None:
        """Return the administrator as long as moto, which could change it, is not there."""
        return self._administrator if self._double is None else None


def _import_double() -> type[AwsDouble]:
    with _importing:  # two threads in moto's circular imports would see half of them
        collects = gc.isenabled()
        gc.disable()  # it would look for garbage again and again while everything that is made stays
        try:
            from idc_sandbox.aws_double.double import AwsDouble  # noqa: PLC0415
        finally:
            gc.freeze()
            if collects:
                gc.enable()
        return AwsDouble


def _asks_who_it_is(request: Request, signature: Signature) -> bool:
    is_sts = signature.service_name == "sts"
    return is_sts and request.form.get("Action") == "GetCallerIdentity"


def _caller_identity(administrator: Administrator) -> Response:
    caller = administrator.issued_key.caller
    text = (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>{caller.principal_arn}</Arn><UserId>{administrator.user_id}</UserId>"
        f"<Account>{caller.account_id}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    return Response(200, {"Content-Type": "text/xml"}, text.encode())
