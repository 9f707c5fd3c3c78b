"""
Starts a program behind a fence: `fence.py SPEC PROGRAM ARGUMENT...`.

SPEC is a JSON file: `read` and `write` name files and folders that may be opened, `list` folders
whose names may be seen. Landlock (Linux 5.13 and later) refuses everything else with EACCES, to the
program and to all that it starts, and needs no privilege. Whatever keeps the program from being
started is written to SPEC with `.failed` added, so that it is not taken for the program's own doing.

`fence.py --probe` prints the version of Landlock that the kernel has, 0 for none.
Only the standard library is used, and nothing of the user's environment is read.
"""
import ctypes
import errno
import json
import os
import stat
import sys

# The same on every architecture: these calls came after the numbers were made one.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PR_SET_NO_NEW_PRIVS = 38
O_PATH = 0o10000000

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
ALL_OF_VERSION_1 = (1 << 13) - 1
REFER, TRUNCATE = 1 << 13, 1 << 14
# What a rule on a file, which has nothing below it, may speak of.
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
READ = EXECUTE | READ_FILE | READ_DIR

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


class Ruleset(ctypes.Structure):
    _fields_ = [("handled_access_fs", ctypes.c_uint64)]


class PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


def call(number, *args):
    result = libc.syscall(ctypes.c_long(number), *args)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def version():
    try:
        return call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def enclose(spec):
    known = version()
    if known < 1:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock")
    handled = ALL_OF_VERSION_1 | (REFER if known >= 2 else 0) | (TRUNCATE if known >= 3 else 0)
    attributes = Ruleset(handled)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    ruleset = call(CREATE_RULESET, ctypes.byref(attributes), size, ctypes.c_uint32(0))
    for name, access in (("read", READ), ("list", READ_DIR), ("write", handled)):
        for path in spec[name]:
            allow(ruleset, path, access & handled)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    call(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)


def allow(ruleset, path, access):
    try:
        handle = os.open(path, O_PATH | os.O_CLOEXEC)
    except OSError:
        # What is not there, or not for this user, need not be granted.
        return
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            access &= ON_FILES
        rule = PathBeneath(access, handle)
        if access:
            call(ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(1), ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(handle)


def find(program):
    """As execvp(3) does: a name with a slash as it is, any other through PATH."""
    if "/" in program:
        return program
    denied = None
    for folder in os.environ.get("PATH", "/bin:/usr/bin").split(":"):
        path = os.path.join(folder or ".", program)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
        if os.path.isfile(path):
            denied = path
    if denied is not None:
        return denied
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)


def run(path, argv):
    try:
        os.execve(path, argv, os.environ)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        # A script without a first line that names its interpreter: execvp(3) gives it to the shell.
        os.execve("/bin/sh", ["sh", path, *argv[1:]], os.environ)


def main(arguments):
    if arguments == ["--probe"]:
        print(version())
        return 0
    file, program, *rest = arguments
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as handle:
            spec = json.load(handle)
        path = find(program)
        enclose(spec)
        run(path, [program, *rest])
    except OSError as error:
        # Its folder is one that the program may write to, so the fence does not keep this from being told.
        with open(file + ".failed", "w", encoding="utf-8") as handle:
            json.dump({"code": errno.errorcode.get(error.errno, "EIO"), "message": str(error)}, handle)
        return 127


sys.exit(main(sys.argv[1:]))
