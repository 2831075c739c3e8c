"""No start waits for a service that nobody has asked yet; its first requests are answered like all others."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from patience import PATIENCE_S

import idc_sandbox
from idc_sandbox.context import Caller, Context
from idc_sandbox.store import IdFactory, Store
from idc_sandbox.wire import registry
from idc_sandbox.wire.models import OperationModel

STARTED = (
    "import sys; from pathlib import Path\n"
    "from idc_sandbox import server; from idc_sandbox.store import Store\n"
    "double = server.LazyMoto(Store(Path(sys.argv[1]) / 'sandbox.db'))\n"
    "gateway = server.Gateway(double.store, double)\n"
)
# Each thread makes the first request of a service that nobody has asked before.
AT_ONCE = (
    "from concurrent.futures import ThreadPoolExecutor; from threading import Barrier\n"
    "from idc_sandbox.wire import registry\n"
    "barrier = Barrier(4)\n"
    "def ask(_):\n"
    "    barrier.wait()\n"
    "    registry._import_operations(sys.argv[2])\n"
    "    return sorted(name for service, name in registry._HANDLERS if service == sys.argv[2])\n"
    "with ThreadPoolExecutor(4) as pool: found = list(pool.map(ask, range(4)))\n"
    "assert found == [found[0]] * 4, found\n"
    "print(*found[0])\n"
)
# The operations of modules that the table does not lead to.
EVERYWHERE = (
    "import importlib, idc_sandbox; from pathlib import Path\n"
    "from idc_sandbox.wire import registry\n"
    "found, root = set(registry.handlers()), Path(idc_sandbox.__file__).parent\n"
    "for path in (*root.glob('api/**/*.py'), *root.glob('athena/*.py'), *root.glob('trail/*.py')):\n"
    "    importlib.import_module('.'.join(path.relative_to(root.parent).with_suffix('').parts))\n"
    "print(*(':'.join(call) for call in set(registry._HANDLERS) - found))\n"
)


def printed(program: str, *arguments: str) -> list[str]:
    """Return the words that a program prints in a Python of its own."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_a_start_imports_no_service(tmp_path):
    program = f"{STARTED}print(*(name for name in sys.modules if name.startswith('idc_sandbox.')))"
    modules = {f"idc_sandbox.{name}" for names in registry._MODULES.values() for name in names}
    assert modules.isdisjoint(printed(program, str(tmp_path)))


def test_a_start_imports_of_outside_libraries_only_what_speaks_http_and_json(tmp_path):
    program = (
        f"import sys; before = set(sys.modules)\n{STARTED}"
        "for name in set(sys.modules) - before:\n"
        "    print(name, getattr(sys.modules[name], '__file__', None) or '-')\n"
    )
    words = printed(program, str(tmp_path))
    modules = dict(zip(words[::2], words[1::2], strict=True))
    libraries = {name.partition(".")[0] for name, path in modules.items() if "site-packages" in path}
    assert libraries == {"uvicorn", "click", "h11", "orjson"}
    slow = {"importlib.resources", "zipfile", "difflib", "urllib.request", "http.client", "xml"}
    assert slow.isdisjoint(modules)


def test_behind_the_first_answers_the_server_imports_the_rest(tmp_path):
    program = f"{STARTED}server._import_the_rest(); print(*server.registry._HANDLERS)"
    words = " ".join(printed(program, str(tmp_path)))
    assert [service for service in registry._MODULES if f"('{service}'," not in words] == []


def test_every_operation_is_found_by_the_table():
    assert printed(EVERYWHERE) == []


@pytest.mark.parametrize("service", registry._MODULES)
def test_the_first_requests_of_a_service_come_at_once(tmp_path, service):
    expected = sorted(name for known, name in registry.handlers() if known == service)
    assert printed(STARTED + AT_ONCE, str(tmp_path), service) == expected != []


SLOW = """
from idc_sandbox.wire.registry import operation
from slow_events import begun, may_end

@operation("slow", "Answer")
def answer(context, request):
    return {"at": the_end}

begun.set()
assert may_end.wait(60)
the_end = "the end of the module"
"""


def test_a_request_waits_for_a_module_that_another_has_begun_to_import(tmp_path, monkeypatch):
    begun, may_end = threading.Event(), threading.Event()
    (tmp_path / "slow_service.py").write_text(SLOW, "utf-8")
    monkeypatch.setattr(idc_sandbox, "__path__", [*idc_sandbox.__path__, str(tmp_path)])
    monkeypatch.setitem(sys.modules, "slow_events", type(sys)("slow_events"))
    vars(sys.modules["slow_events"]).update(begun=begun, may_end=may_end)
    monkeypatch.setitem(registry._MODULES, "slow", ("slow_service",))
    monkeypatch.setattr(registry, "_HANDLERS", {**registry._HANDLERS})
    store = Store(tmp_path / "sandbox.db")
    text = {"at": {"shape": "Text"}}
    shapes = {"Answered": {"type": "structure", "members": text}, "Text": {"type": "string"}}
    model = OperationModel("Answer", {"http": {}, "output": {"shape": "Answered"}}, shapes)
    caller = Caller("111122223333", "arn:aws:iam::111122223333:user/tester", "AKIATEST")
    context = Context(store._connection, caller, "us-east-1", IdFactory(store._connection, 0), None)
    with ThreadPoolExecutor(2) as pool:
        try:
            first = pool.submit(registry.call_operation, context, "slow", model, {})
            assert begun.wait(PATIENCE_S)
            second = pool.submit(registry.call_operation, context, "slow", model, {})
            with pytest.raises(TimeoutError):
                second.result(0.2)
        finally:
            may_end.set()
        answers = [each.result(PATIENCE_S) for each in (first, second)]
    assert answers == [{"at": "the end of the module"}] * 2
    sys.modules.pop("idc_sandbox.slow_service")
    store.close()


def test_what_has_a_policy_of_its_own_is_known_before_its_first_request():
    said = "from idc_sandbox.wire import registry; print(registry.is_let_in_by_own_policy(*sys.argv[1:]))"
    assert printed(f"import sys; {said}", "sso-oidc", "CreateTokenWithIAM") == ["True"]
    assert printed(f"import sys; {said}", "sso-oidc", "CreateToken") == ["False"]
    assert printed(f"import sys; {said}", "sso-admin", "CreateTokenWithIAM") == ["False"]


def test_an_operation_has_one_handler():
    handler = registry.handlers()["sso-admin", "ListInstances"]
    with pytest.raises(ValueError, match="sso-admin:ListInstances has two handlers"):
        registry.operation("sso-admin", "ListInstances")(lambda _context, _request: None)
    assert registry.handlers()["sso-admin", "ListInstances"] is handler
