"""Runs a command on a terminal of its own and prints everything that it wrote there.

usage: terminal.py [--resize=SECONDS,COLUMNS,ROWS...] COLUMNS ROWS COMMAND [ARGUMENT...]
"""
import fcntl
import os
import pty
import struct
import sys
import termios
import threading

arguments = sys.argv[1:]
resizes = []
while arguments[0].startswith("--resize="):
    after, columns, rows = arguments.pop(0).removeprefix("--resize=").split(",")
    resizes.append((float(after), int(columns), int(rows)))
columns, rows, *command = arguments


def resize(terminal, columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


pid, terminal = pty.fork()
if pid == 0:
    # The size is there before the command looks at it.
    resize(1, int(columns), int(rows))
    os.execvp(command[0], command)
for after, columns, rows in resizes:
    # Whoever has the terminal is told by SIGWINCH.
    timer = threading.Timer(after, resize, (terminal, columns, rows))
    timer.daemon = True
    timer.start()
while True:
    try:
        said = os.read(terminal, 65536)
    except OSError:
        break
    if not said:
        break
    os.write(1, said)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
