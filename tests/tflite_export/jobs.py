"""A worker for the tests of warm processes; a request that it does not know crashes it."""

import os
import signal
import sys
import time

imported_in = os.getpid()


def prepare():
    sys.stderr.write("prepared\n")


def main():
    match sys.stdin.buffer.read():
        case b"echo":
            sys.stdout.write("heard")
            sys.stderr.write("said")
        case b"processes":
            sys.stdout.write(f"{imported_in} {os.getpid()}")
        case b"status":
            return 3
        case b"raise":
            raise ValueError("a reason")
        case b"sleep":
            time.sleep(60)
        case _:
            os.kill(os.getpid(), signal.SIGSEGV)
    return 0


if __name__ == "__main__":
    sys.exit(main())
