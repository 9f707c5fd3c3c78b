"""Starts one command after the other, as lines of JSON ask for, and says what each took.

A process of its own and in Python for two reasons: the clock is not shared with a busy event loop,
and `wait4` tells the peak memory of exactly one child and those it waited for.
"""

import json
import os
import resource
import signal
import sys
import time

running = []


def end(_signal, _frame):
    for pid in running:
        os.killpg(pid, signal.SIGKILL)
    os._exit(1)


for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(name, end)

NOTHING = os.open(os.devnull, os.O_RDONLY)


def launch(job):
    os.chdir(job["cwd"])
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    argv = job["argv"]
    started = time.perf_counter()
    # A group of its own, so that a tool that takes too long goes with everything it started.
    pid = os.posix_spawn(
        argv[0],
        argv,
        job["env"],
        file_actions=[
            (os.POSIX_SPAWN_DUP2, NOTHING, 0),
            (os.POSIX_SPAWN_DUP2, log, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
        ],
        setpgroup=0,
    )
    running.append(pid)
    late = []

    def stop(_signal, _frame):
        late.append(True)
        os.killpg(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, job["seconds"])
    _, status, usage = os.wait4(pid, 0)
    ms = (time.perf_counter() - started) * 1000
    signal.setitimer(signal.ITIMER_REAL, 0)
    running.clear()
    os.close(log)
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "ms": ms,
        "peak": usage.ru_maxrss * unit,
        "exit": os.waitstatus_to_exitcode(status),
        "late": bool(late),
        # A child starts as a copy of this process, so less than this cannot be seen.
        "floor": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
    }


for line in sys.stdin:
    try:
        answer = launch(json.loads(line))
    except OSError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
