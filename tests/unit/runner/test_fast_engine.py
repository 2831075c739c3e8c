"""What only the fast engine has to be tested for: its processes, what they share, what is left of them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from patience import PATIENCE_S, is_gone, until
from tiny_notebooks import write_notebook

from idc_aws.sandbox import new_python, run_module, start_module
from idc_runner.engine import NO_LIMITS, NotebookOrder, TimeLimits
from idc_runner.fast import server
from idc_runner.fast.engine import NotebookProcess, open_engine
from idc_runner.fast.messages import Lines, receive_order, send_order
from idc_runner.fast.modules import ForkedModule
from idc_runner.kernel_engine import KernelEngine
from idc_runner.notebooks import LessonNotebook

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fast engine needs Linux")
TELLS_PID = "import os; from pathlib import Path; Path('pid').write_text(str(os.getpid()))"


@pytest.fixture(scope="module")
def engine():
    with open_engine("fast") as engine:
        yield engine


def execute(engine, folder, *cells, environment=None, limits=NO_LIMITS, name="05_x"):
    notebook = LessonNotebook(name, write_notebook(folder, name, *cells))
    output = folder / f"{name}.out.ipynb"
    failure = engine.execute(NotebookOrder(notebook, output, {}, environment or {}, limits))
    return failure, code_cells(output)


def code_cells(output):
    """Return the code cells of an executed notebook after its parameters."""
    cells = nbformat.read(output, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"][1:]


def printed(cells):
    return [part["text"] for cell in cells for part in cell["outputs"] if part["output_type"] == "stream"]


def test_what_processes_print_is_in_the_cell_and_in_the_order_of_its_stream(engine, tmp_path):
    cell = (
        "import os, subprocess, sys\n"
        "print('one')\nos.system('echo two')\nsubprocess.run(['sh', '-c', 'echo three; echo oops >&2'])\n"
        "print('four'); print('bad', file=sys.stderr)"
    )
    failure, cells = execute(engine, tmp_path, f"{cell}\n1;")
    assert failure is None
    assert printed(cells) == ["one\ntwo\nthree\nfour\n", "oops\nbad\n"]


def test_what_a_process_prints_beyond_the_limit_is_cut_too(engine, tmp_path):
    cell = "import subprocess, sys\n_ = subprocess.run([sys.executable, '-c', 'print(\"y\" * 3_000_000)'])"
    failure, cells = execute(engine, tmp_path, cell, limits=TimeLimits(most_printed=250_000))
    assert failure is None
    assert printed(cells)[0] == "y" * 250_000
    assert "[2,750,001 characters of this cell's stdout were cut" in printed(cells)[1]


def test_text_before_a_display_stays_before_it_and_an_update_takes_its_place(engine, tmp_path):
    cell = (
        "from IPython.display import display\nprint('a')\nhandle = display('first', display_id=True)\n"
        "print('b')\nhandle.update('second')"
    )
    _, cells = execute(engine, tmp_path, cell)
    kinds = [part.get("text") or part["data"]["text/plain"] for part in cells[0]["outputs"]]
    assert kinds == ["a\n", "'second'", "b\n"]


def test_cells_may_await_and_a_task_goes_on_in_the_next_cell(engine, tmp_path):
    cells = (
        "import asyncio\nasync def work():\n    await asyncio.sleep(0)\n    return 'done'\n"
        "task = asyncio.create_task(work())",
        "print(await task)",
    )
    failure, cells = execute(engine, tmp_path, *cells)
    assert failure is None
    assert printed(cells) == ["done\n"]


@pytest.mark.parametrize("asks", ["input()", "import getpass; getpass.getpass()"])
def test_nobody_can_be_asked(engine, tmp_path, asks):
    failure, _ = execute(engine, tmp_path, asks)
    assert failure.error_name == "StdinNotImplementedError"


def test_notebooks_share_neither_variables_nor_random_numbers_nor_environment(engine, tmp_path):
    look = (
        "import os, random, uuid\nprint('left' in dir(), os.environ.get('IDC_LEFT'), len(In))\n"
        "print(random.random(), uuid.uuid4())\nimport numpy; print(numpy.random.random())\nleft = 1"
    )
    _, first = execute(engine, tmp_path, look, environment={"IDC_LEFT": "yes"})
    _, second = execute(engine, tmp_path, look)
    assert printed(first)[0].startswith("False yes 3\n")
    assert printed(second)[0].startswith("False None 3\n")
    assert not set(printed(first)[0].split()[3:]) & set(printed(second)[0].split()[3:])


def test_an_unknown_process_is_not_shared_either(engine, tmp_path):
    _, first = execute(engine, tmp_path, "import boto3, os; print(os.getpid(), boto3.DEFAULT_SESSION)")
    _, second = execute(engine, tmp_path, "import boto3, os; print(os.getpid(), boto3.DEFAULT_SESSION)")
    assert printed(first) != printed(second)
    assert printed(first)[0].endswith("None\n")


@pytest.mark.parametrize(
    ("dies", "how"),
    [
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("import os; os._exit(3)", "exit status 3"),
    ],
)
def test_a_death_is_told_with_its_cause_and_keeps_every_output_before_it(engine, tmp_path, dies, how):
    failure, cells = execute(engine, tmp_path, "print('whole'); 'value'", f"print('last words'); {dies}")
    assert failure.error_name == "DeadKernelError"
    assert how in failure.message
    assert failure.cell == 3
    assert printed(cells) == ["whole\n", "last words\n"]
    assert cells[0]["outputs"][1]["data"]["text/plain"] == "'value'"
    assert [cell["metadata"]["papermill"]["status"] for cell in cells] == ["completed", "failed"]


def test_the_next_notebook_runs_after_a_death(engine, tmp_path):
    execute(engine, tmp_path, "import os; os._exit(1)")
    failure, _ = execute(engine, tmp_path, "print('here')")
    assert failure is None


SLEEPS = (
    "import time; time.sleep(600)",
    "while True: pass",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
    "try:\n    import time; time.sleep(600)\nexcept BaseException:\n    time.sleep(600)",
    "import subprocess; subprocess.run(['sleep', '600'])",
)


def test_a_time_limit_ends_whatever_a_cell_does(engine, tmp_path):
    def run(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        cell = f"{TELLS_PID}\nprint('begun')\n{SLEEPS[number]}"
        return execute(engine, folder, cell, "1", limits=TimeLimits(cell_s=1.5))

    with ThreadPoolExecutor(len(SLEEPS)) as threads:
        results = list(threads.map(run, range(len(SLEEPS))))
    for number, (failure, cells) in enumerate(results):
        assert failure.error_name == "TimeLimitError", SLEEPS[number]
        assert "limit of 1.5 s" in failure.message
        assert printed(cells) == ["begun\n"], SLEEPS[number]
        assert cells[0]["outputs"][-1]["ename"] == "TimeLimitError"
        assert is_gone(int((tmp_path / str(number) / "pid").read_text("utf-8"))), SLEEPS[number]


def test_a_time_limit_for_all_cells_counts_them_together(engine, tmp_path):
    cells = ["import time; time.sleep(0.7)"] * 6
    failure, cells = execute(engine, tmp_path, *cells, limits=TimeLimits(cell_s=60, notebook_s=1.5))
    assert failure.message.startswith("the notebook took longer than its limit of 1.5 s")
    assert cells[-1]["metadata"]["papermill"]["status"] == "pending"


def test_a_time_limit_ends_what_a_cell_had_started_too(engine, tmp_path):
    cell = (
        "import subprocess, time; from pathlib import Path\n"
        "Path('pid').write_text(str(subprocess.Popen(['sleep', '600']).pid)); time.sleep(600)"
    )
    execute(engine, tmp_path, cell, limits=TimeLimits(cell_s=1))
    until(lambda: is_gone(int((tmp_path / "pid").read_text("utf-8"))))


def test_several_threads_run_notebooks_at_a_time(engine, tmp_path):
    together = "from pathlib import Path\nimport time\nPath(name + '.here').touch()\n"
    together += "while len(list(Path('.').glob('*.here'))) < 3: time.sleep(0.01)"
    failures = {}

    def run(name):
        failures[name] = execute(engine, tmp_path, f"name = {name!r}\n{together}", name=name)[0]

    threads = [threading.Thread(target=run, args=(f"0{number}_x",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == {"00_x": None, "01_x": None, "02_x": None}


def test_a_module_of_the_kit_is_a_fork_that_talks_like_a_new_python(engine, tmp_path):
    cell = (
        "from idc_aws.sandbox import run_module, start_module\n"
        "done = run_module('json.tool', ['--no-such'], timeout_s=6000)\n"
        "print(done.returncode, done.stderr[:6])\n"
        "with open('x.json', 'w') as file: file.write('[1]')\n"
        "print(run_module('json.tool', ['x.json'], timeout_s=6000, environment={}).stdout.split())\n"
        "process = start_module('json.tool', ['-'])\nprocess.stdin.write('{}'); process.stdin.close()\n"
        "print(process.stdout.read().strip(), process.wait(600), type(process).__name__)\n"
        "stuck = start_module('json.tool', ['-']); stuck.kill(); print(stuck.wait(600))"
    )
    failure, cells = execute(engine, tmp_path, cell)
    assert failure is None
    assert printed(cells)[0].splitlines() == ["2 usage:", "['[', '1', ']']", "{} 0 ForkedModule", "-9"]


def test_a_package_of_the_kit_runs_as_a_fork_too_and_without_a_warning(engine, tmp_path):
    cell = (
        "from idc_aws.sandbox import run_module\n"
        "done = run_module('idc_sandbox', ['status', '--state', 'nowhere'], timeout_s=600)\n"
        "print(done.returncode, done.stdout.split()[:3], repr(done.stderr))\n"
        "done = run_module('idc_sandbox.persona', ['--no-such'], timeout_s=600)\n"
        "print(done.returncode, 'Warning' in done.stderr, 'usage: ' in done.stderr)"
    )
    failure, cells = execute(engine, tmp_path, cell)
    assert failure is None
    assert printed(cells)[0].splitlines() == ["1 ['No', 'sandbox', 'runs'] ''", "2 False True"]


def test_the_folders_of_modules_are_those_of_a_kernel(engine, tmp_path):
    _, cells = execute(engine, tmp_path, "import sys; print(*sys.path, sep=chr(10))")
    _, theirs = execute(KernelEngine(), tmp_path, "import sys; print(*sys.path, sep=chr(10))")
    assert printed(cells) == printed(theirs)


def test_nothing_is_left_open_after_a_notebook(engine, tmp_path):
    execute(engine, tmp_path, "1")
    # The preloaded process tells of an end first, and closes what it had for it then.
    until(lambda: sum(name.startswith("socket:") for name in open_files(engine._process.pid)) == 1)
    before = [len(open_files(pid)) for pid in ("self", engine._process.pid)]
    for _ in range(3):
        execute(engine, tmp_path, "import subprocess; subprocess.run(['true'])")
        execute(engine, tmp_path, "import os; os._exit(1)")
    until(lambda: [len(open_files(pid)) for pid in ("self", engine._process.pid)] == before)


def open_files(pid):
    names = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            names.append(str(descriptor.readlink()))
    return names


def test_a_preloaded_process_that_is_killed_is_told_and_started_anew(tmp_path):
    with open_engine("fast") as engine:
        failure, _ = execute(engine, tmp_path, "1")
        assert failure is None

        def kill():
            until((tmp_path / "pid").exists)
            engine._process.send_signal(signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        failure, cells = execute(
            engine, tmp_path, "print('kept')", f"{TELLS_PID}\nimport time; time.sleep(600)"
        )
        killer.join()
        assert failure.error_name == "EngineLostError"
        assert "Run again" in failure.message
        assert printed(cells) == ["kept\n"]
        until(lambda: is_gone(int((tmp_path / "pid").read_text("utf-8"))))
        failure, _ = execute(engine, tmp_path, "1")
        assert failure is None
        process = engine._process
    assert process.poll() is not None


def test_modules_are_forks_once_a_notebook_was_ordered_and_new_pythons_without_the_process(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("idc_aws.sandbox._starter", new_python)  # not the one of an engine that tests share
    with open_engine("fast") as engine:
        assert isinstance(start_module("platform", []), subprocess.Popen)
        execute(engine, tmp_path, "1")
        process = start_module("platform", [])
        assert isinstance(process, ForkedModule)
        assert process.communicate(timeout=60)[0].startswith("Linux")
        engine._process.kill()
        engine._process.wait()
        assert run_module("platform", [], timeout_s=60).stdout.startswith("Linux")
    assert isinstance(start_module("platform", []), subprocess.Popen)


def test_modules_are_not_started_while_the_process_is_ended(tmp_path):
    with open_engine("fast") as engine, ThreadPoolExecutor(1) as threads:
        execute(engine, tmp_path, "1")
        with engine._lock:
            started = threads.submit(engine.start_module, "platform", [])
            with pytest.raises(TimeoutError):
                started.result(0.3)
        assert started.result(PATIENCE_S).communicate(timeout=PATIENCE_S)[0].startswith("Linux")


def test_an_order_for_a_module_that_cannot_be_sent_leaves_nothing_open():
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.close()
    descriptors = Path("/proc/self/fd")
    with control:
        before = set(descriptors.iterdir())
        with pytest.raises(OSError, match="Broken pipe"):
            ForkedModule(control, "platform", [])
        assert set(descriptors.iterdir()) == before


SAYS_PID = "import os\nprint(os.getpid())"


def order_of(folder, name, *cells, **values):
    notebook = LessonNotebook(name, write_notebook(folder, name, *cells))
    return NotebookOrder(notebook, folder / f"{name}.out.ipynb", **values)


@pytest.fixture
def folder(tmp_path_factory):
    """A folder that stays: what a test has begun goes on after it, and pytest deletes a ``tmp_path`` then."""
    return tmp_path_factory.mktemp("begun")


def begin(engine, folder):
    """Return an order that the engine has begun, and the process that waits for it."""
    values = {"parameters": {"mode": "apply"}, "environment": {"SOME_VALUE": "a"}}
    order = order_of(folder, "05_x", SAYS_PID, **values)
    engine.begin(order)
    given = os.fstat(engine._begun[-1][0]._files[0])
    return order, until(lambda: fork_with(engine._process.pid, given))


def fork_with(parent, given):
    """Return the fork that has a file: others, of tests before, may come and go at the same time."""
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        with contextlib.suppress(OSError):
            if any(os.path.samestat(file.stat(), given) for file in Path(f"/proc/{pid}/fd").iterdir()):
                return int(pid)
    return None


def test_what_is_begun_waits_and_is_taken_up_by_the_same_notebook(engine, folder):
    order, pid = begin(engine, folder)
    assert not order.output.exists(), "nothing of it is there before it is executed"
    assert engine.execute(order) is None
    assert printed(code_cells(order.output)) == [f"{pid}\n"]
    assert engine.execute(order) is None, "and by one alone"
    assert printed(code_cells(order.output)) != [f"{pid}\n"]


def test_what_was_begun_is_taken_up_when_the_one_after_it_is_begun_too(engine, folder):
    order, pid = begin(engine, folder)
    engine.begin(order_of(folder, "06_y", "1"))
    assert engine.execute(order) is None
    assert printed(code_cells(order.output)) == [f"{pid}\n"]


OTHERS = {"parameters": {"mode": "plan"}, "environment": {}, "limits": TimeLimits(cell_s=300)}


@pytest.mark.parametrize("name", OTHERS)
def test_what_was_begun_with_other_values_is_not_taken_up_and_ends(engine, folder, name):
    order, pid = begin(engine, folder)
    assert engine.execute(replace(order, **{name: OTHERS[name]})) is None
    assert printed(code_cells(order.output)) != [f"{pid}\n"]
    for name in ("06_y", "07_z"):
        engine.begin(order_of(folder, name, "1"))
    until(lambda: is_gone(pid))


def test_what_was_begun_and_killed_is_executed_in_another_process(engine, folder):
    order, pid = begin(engine, folder)
    ((waiting, _),) = [one for one in engine._begun if one[0]._output == order.output]
    os.kill(pid, signal.SIGKILL)
    until(lambda: not waiting._answers.is_open())  # the preloaded process has seen it too
    assert is_gone(pid)
    assert engine.execute(order) is None
    assert printed(code_cells(order.output)) != [f"{pid}\n"]


def test_what_was_begun_ends_with_the_engine(tmp_path):
    order = order_of(tmp_path, "05_x", SAYS_PID)
    with open_engine("fast") as engine:
        engine.begin(order)
        pid = engine._process.pid
    until(lambda: is_gone(pid))
    assert not order.output.exists()


def test_what_the_first_notebook_does_not_wait_for_is_there_for_later_ones(tmp_path):
    tells = f"import sys; print([name in sys.modules for name in {server.LATER_MODULES}])"
    with open_engine("fast") as engine:
        _, cells = execute(engine, tmp_path, tells)
        assert "True" not in printed(cells)[0], "it is forked before any of them is imported"
        until(lambda: "False" not in printed(execute(engine, tmp_path, tells)[1])[0])


RUNS = """
import sys
from pathlib import Path
from idc_runner.engine import NotebookOrder
from idc_runner.fast.engine import open_engine
from idc_runner.notebooks import LessonNotebook
folder = Path(sys.argv[1])
with open_engine("fast") as engine:
    (folder / "engine").write_text(str(engine._process.pid))
    notebook = LessonNotebook("05_x", folder / "05_x.ipynb")
    engine.execute(NotebookOrder(notebook, folder / "out.ipynb"))
"""


def test_when_whoever_started_it_is_killed_all_its_processes_end_and_the_notebook_is_saved(tmp_path):
    write_notebook(tmp_path, "05_x", f"print('kept')\n{TELLS_PID}\nimport time; time.sleep(600)")
    process = subprocess.Popen([sys.executable, "-c", RUNS, str(tmp_path)])
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text("utf-8"))
    process.kill()
    process.wait()
    for name in ("engine", "pid"):
        until(lambda name=name: is_gone(int((tmp_path / name).read_text("utf-8"))))
    assert printed(code_cells(tmp_path / "out.ipynb")) == ["kept\n"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_notebook_that_cannot_get_a_process_says_so(tmp_path):
    control, preloaded = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def refuse():
        _order, descriptors = receive_order(preloaded)
        answers = Lines(socket.socket(fileno=descriptors[0]))
        answers.send({"not_forked": "Resource temporarily unavailable"})
        answers.close()

    refuser = threading.Thread(target=refuse)
    refuser.start()
    order = NotebookOrder(LessonNotebook("05_x", tmp_path / "05_x.ipynb"), tmp_path / "out.ipynb")
    with control, preloaded, NotebookProcess(order) as process:
        send_order(control, {"do": "notebook"}, process.descriptors)
        process.sent()
        process.give()
        process.go()
        failure = process.follow(control)
    refuser.join()
    assert "no process could be made for the notebook: Resource temporarily" in failure.message
    assert not (tmp_path / "out.ipynb").exists()


OVERTAKING = """\
import os, socket, sys
from idc_runner.fast.server import Forks

real_fork, (said, tell) = os.fork, os.pipe()


def fork():
    pid = real_fork()
    if pid:
        os.read(said, 1)  # the parent does not go on before the fork has said all that it says
    return pid


def work(answers, descriptors, control):
    answers.receive()
    answers.send({"cell": "started", "index": 0, "source": "1"})
    answers.send({"cell": "ended", "index": 0, "source": "1"})
    {ending}
    os.write(tell, b"!")
    return 3


os.fork = fork
Forks(socket.socket(fileno=int(sys.argv[1])), {"notebook": work}).serve()
"""
TORN = 'os.write(answers._connection.fileno(), b\'{"cell": "star\')'
ANSWERED = 'answers.send({"failure": None})'


@pytest.mark.parametrize(
    ("ending", "failure"),
    [(ANSWERED, None), ("pass", "with exit status 3"), (TORN, "with exit status 3")],
    ids=["answered", "died", "died in the middle of a message"],
)
def test_what_a_fork_says_before_its_parent_goes_on_is_understood(tmp_path, ending, failure):
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    program = OVERTAKING.replace("{ending}", ending)
    with theirs:
        preloaded = subprocess.Popen(
            [sys.executable, "-c", program, str(theirs.fileno())], pass_fds=[theirs.fileno()]
        )
    notebook = LessonNotebook("05_x", tmp_path / "05_x.ipynb")
    order = NotebookOrder(notebook, tmp_path / "out.ipynb", limits=TimeLimits(notebook_s=300))
    with control, NotebookProcess(order) as process:
        send_order(control, {"do": "notebook"}, process.descriptors)
        process.sent()
        process.give()
        process.go()
        found = process.follow(control)
    assert preloaded.wait(60) == 0
    assert (found and failure in found.message) if failure else found is None
    assert found is None or found.cell == 1
