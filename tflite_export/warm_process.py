"""Runs jobs in processes of their own that start at once: forks of one that has its imports behind it.

Native code that may crash on a model needs a process of its own, and one that imports TensorFlow's converter
or TFLM first is ready half a second later. So one process per worker module is kept for as long as this one
lives: it imports the module once and forks for every job. Where processes cannot be forked safely, every job
waits for its imports.

`python -m tflite_export.warm_process MODULE` is that process. For each line on its standard input, the path
of a folder, it forks one that runs `MODULE.main()` on the files `stdin`, `stdout` and `stderr` in there, and
answers with its exit status.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

_idle: list[_Server] = []


def run_job(module: str, request: bytes, *, timeout: float) -> subprocess.CompletedProcess[bytes]:
    """Returns how a job ended and what it wrote, as `subprocess.run` does with `python -m module`.

    Args:
        module: Full name of a worker module: `prepare()` does its imports, `main()` reads a request from
            standard input, writes the answer to standard output and returns the exit status.
        request: What the job reads from its standard input.
        timeout: Seconds after which the job is ended.

    Raises:
        subprocess.TimeoutExpired: If the job was ended.

    Example:
    >>> run_job("tflite_export.tflm_worker", b"no request", timeout=60).returncode
    1
    """
    if sys.platform != "linux":
        return _run_cold(module, request, timeout)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "stdin").write_bytes(request)
        server = _take(module)
        try:
            status = server.run(folder, timeout)
        except BaseException:
            server.kill()
            raise
        if status is None:  # not even the imports succeeded
            return server.end()
        _idle.append(server)
        return subprocess.CompletedProcess(
            module, status, (folder / "stdout").read_bytes(), (folder / "stderr").read_bytes()
        )


def _run_cold(module, request, timeout):
    return subprocess.run(
        [sys.executable, "-P", "-m", module],
        input=request,
        capture_output=True,
        env=_environment(),
        timeout=timeout,
        check=False,
    )


def _environment():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])}


def _take(module):
    """Returns an idle server of the module that is still alive, or a new one."""
    for server in [*_idle]:
        if server.module == module:
            with contextlib.suppress(ValueError):  # another thread took it meanwhile
                _idle.remove(server)
                if server.process.poll() is None:  # it serves the process that started it, not a fork of that
                    return server
                server.end()
    return _Server(module)


class _Server:
    """A process that forks one for each job of a module."""

    def __init__(self, module):
        self.module = module
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, closed by end()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tflite_export.warm_process", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_environment(),
            bufsize=0,
            process_group=0,  # so that it and its jobs end together
        )

    def run(self, folder, timeout):
        """Returns the exit status of a job, negative for a signal; None if the server itself ended."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(f"{folder}\n".encode())
        if not select.select([self.process.stdout], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self.module, timeout)
        answer = self.process.stdout.readline()
        return int(answer) if answer else None

    def end(self):
        """Lets it end by itself and returns how it did."""
        with self.process, self._errors:
            self.process.stdin.close()
            status = self.process.wait()
            self._errors.seek(0)
            return subprocess.CompletedProcess(self.module, status, b"", self._errors.read())

    def kill(self):
        """Ends it and the job it waits for."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.end()


@atexit.register
def _end_all():
    while _idle:
        _idle.pop().end()


def _serve(module):
    folders, answers = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    worker = importlib.import_module(module)
    worker.prepare()
    with open(folders, encoding="utf-8") as lines:
        for line in lines:
            child = os.fork()
            if not child:
                os._exit(_work(worker, Path(line.rstrip("\n"))))
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            os.write(answers, f"{status}\n".encode())


def _work(worker, folder):
    """Runs a job on the files of its folder and returns its exit status."""
    modes = {"stdin": os.O_RDONLY, "stdout": os.O_WRONLY | os.O_CREAT, "stderr": os.O_WRONLY | os.O_CREAT}
    for number, (name, mode) in enumerate(modes.items()):
        os.dup2(os.open(folder / name, mode), number)
    try:
        status = worker.main()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    sys.stderr.flush()
    return status or 0


if __name__ == "__main__":
    _serve(sys.argv[1])
