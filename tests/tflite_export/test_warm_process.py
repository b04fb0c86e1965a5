import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tflite_export import warm_process
from tflite_export.warm_process import run_job

WORKER = "tests.tflite_export.jobs"
forks = pytest.mark.skipif(sys.platform != "linux", reason="each job is a process that imports all it needs")


def processes():
    """Returns the numbers of the process that imported the worker and of the one that did the job."""
    return [int(number) for number in run_job(WORKER, b"processes", timeout=60).stdout.split()]


def is_alive(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(params=["warm", "cold"])
def platform(request, monkeypatch):
    monkeypatch.setattr("sys.platform", sys.platform if request.param == "warm" else "another")


@pytest.mark.usefixtures("platform")
def test_a_job_ends_as_a_process_does():
    done = run_job(WORKER, b"echo", timeout=60)
    assert (done.returncode, done.stdout) == (0, b"heard")
    assert done.stderr.endswith(b"said")
    assert run_job(WORKER, b"status", timeout=60).returncode == 3
    assert run_job(WORKER, b"crash", timeout=60).returncode == -signal.SIGSEGV
    done = run_job(WORKER, b"raise", timeout=60)
    assert done.returncode == 1
    assert b"ValueError: a reason" in done.stderr


@forks
def test_imports_are_done_once_and_every_job_is_a_process_of_its_own():
    (first_server, first), (second_server, second) = processes(), processes()
    assert first_server == second_server
    assert len({os.getpid(), first_server, first, second}) == 4
    assert run_job(WORKER, b"echo", timeout=60).stderr == b"said"


@forks
def test_a_crash_costs_only_its_job():
    server, _ = processes()
    assert run_job(WORKER, b"crash", timeout=60).returncode < 0
    assert processes()[0] == server


@forks
def test_a_server_that_was_killed_is_replaced():
    server, _ = processes()
    os.kill(server, signal.SIGKILL)
    while any(each.process.pid == server and each.process.poll() is None for each in warm_process._idle):
        time.sleep(0.01)
    assert processes()[0] != server


@pytest.mark.usefixtures("platform")
def test_a_job_that_does_not_end_is_ended():
    before = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        run_job(WORKER, b"sleep", timeout=1)
    assert time.monotonic() - before < 30
    assert run_job(WORKER, b"echo", timeout=60).stdout == b"heard"


@forks
def test_a_job_that_is_interrupted_is_ended(monkeypatch):
    server, _ = processes()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("select.select", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_job(WORKER, b"sleep", timeout=60)
    assert not is_alive(server)


def test_a_worker_that_cannot_be_imported_says_why():
    done = run_job("tests.tflite_export.no_such_jobs", b"", timeout=60)
    assert done.returncode == 1
    assert b"No module named 'tests.tflite_export.no_such_jobs'" in done.stderr


@forks
def test_threads_do_not_wait_for_one_another():
    with ThreadPoolExecutor(3) as pool:
        found = [*pool.map(lambda _: processes(), range(3))]
    assert len({job for _, job in found}) == 3
    assert {server for server, _ in found} <= {each.process.pid for each in warm_process._idle}


def script(*lines):
    """Runs lines of Python that know `server()`, the number of the process that forks the jobs."""
    known = f"""
import os, signal
from tflite_export.warm_process import run_job
def server():
    return int(run_job({WORKER!r}, b"processes", timeout=60).stdout.split()[0])
"""
    command = [sys.executable, "-u", "-W", "error", "-c", known + "\n".join(lines)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return [int(word) for word in done.stdout.split()]


@forks
def test_a_fork_of_a_process_has_servers_of_its_own():
    before, of_child, after = script(
        "print(server())", "child = os.fork()", "print(server())", "if child: os.waitpid(child, 0)"
    )
    assert len({before, of_child, after}) == 2
    assert before in (of_child, after)


@forks
@pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_servers_end_with_the_process_they_serve(end):
    (number,) = script("print(server())", end)
    for _ in range(500):
        if not is_alive(number):
            break
        time.sleep(0.02)
    assert not is_alive(number)
