"""Worker processes: a new Python that runs a module and answers requests through plain pipes.

Not `multiprocessing`: a fork would copy torch's locks, and its other start methods run the user's main script
again. When the main process dies, the worker's input ends, and so does the worker, whatever it is doing.
"""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO


class WorkerProcess:
    """Runs `python -m MODULE`, a module that calls `serve`; its standard error goes to the file `errors`."""

    def __init__(self, module: str, errors: IO[bytes]) -> None:
        self.process = subprocess.Popen(  # noqa: S603 (this very interpreter)
            [sys.executable, "-P", "-W", "ignore", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def ask(self, request: str) -> tuple[str, bytes] | None:
        """The answer to a request, both one line of text, and the bytes after it; None if it has died."""
        requests, answers = self.process.stdin, self.process.stdout
        assert requests
        assert answers
        try:
            requests.write(request.encode() + b"\n")
            requests.flush()
            length, _, text = answers.readline().partition(b" ")
            data = answers.read(int(length))
        except (OSError, ValueError):
            return None
        return (text.decode().rstrip("\n"), data) if len(data) == int(length) else None

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    def wait(self) -> int:
        """Close the pipes and wait for its end. Returns: the exit code, −n after signal n."""
        for pipe in filter(None, (self.process.stdin, self.process.stdout)):
            with contextlib.suppress(OSError):
                pipe.close()
        return self.process.wait()


def explain_end(code: int, errors: IO[bytes]) -> tuple[str, str]:
    """How a worker ended, and the last line that the workers wrote to standard error, for a message."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    last_words = f" Its last words: {lines[-1]}" if lines else ""
    if code < 0:
        return f"was ended by signal {-code}; perhaps the memory was full", last_words
    return f"ended with code {code}", last_words


def serve(answer: Callable[[str], tuple[str, bytes]]) -> None:
    """In the worker: answer the requests on standard input; when it ends, exit at once, even mid-request."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which then ends this one
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            requests.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        text, data = answer(requests.get().decode())
        try:
            sys.stdout.buffer.write(f"{len(data)} {text}\n".encode())
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            os._exit(0)
