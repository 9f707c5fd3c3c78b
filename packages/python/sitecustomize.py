"""
Watches what a Python step opens. Python imports a module of this name before any program of the
user's; the one that the user has is imported right after, as if this one had not been there.

`MLPIPE_WATCH` holds lists of texts, or `@` and the path of a file with them: `refuse` is empty where
what is not declared is only noted, `read`, `write` and `list` are what is declared (real paths of
files and folders), `root` is the project's root, `aside` are folders whose files nobody declares,
`report` is the file to which each path is added as a line of JSON, `imported` the one to which it is added
what had been imported when the process ended (`imported.py`). The lists are separated by the
control character RS and their texts by US, the first being the list's name: to import a parser would
take longer than all the rest. Extension modules that open files by themselves pass by: the fence is
for those.
"""
import sys


# Below these lies the system, and what programs leave for a while.
SYSTEM = tuple("/%s/" % name for name in (
    "usr", "bin", "sbin", "lib", "lib32", "lib64", "etc", "proc", "sys", "dev", "run", "var", "tmp", "nix", "snap",
    "System", "Library", "Applications", "private", "opt/homebrew"))


def environment_around(root):
    """Real folders of this Python's environment: what is installed there is nobody's data, whatever it is called."""
    import os

    installed = [entry for entry in sys.path if os.path.basename(entry) in ("site-packages", "dist-packages")]
    folders = {os.path.realpath(folder) for folder in [os.path.dirname(os.__file__)] + installed}
    # One made in the project's root, or around it, holds the project.
    prefixes = {os.path.realpath(prefix) for prefix in (sys.prefix, sys.base_prefix)}
    return folders | {p for p in prefixes if not (root + os.sep).startswith(p.rstrip(os.sep) + os.sep)}


def hand_on(text, home, quietly):
    """
    Has the Pythons that this one starts watched too, for what trains is often a worker of what was started. They alone are
    given the variables: nothing else is to see them.
    """
    import _posixsubprocess
    import os

    start = _posixsubprocess.fork_exec

    def is_python(program):
        name = os.path.basename(program)
        if name.startswith((b"python", b"pypy")):
            return True
        with open(program, "rb") as handle:
            line = handle.readline(256)
        return line.startswith(b"#!") and b"python" in line

    def watched(env):
        pairs = [name + b"=" + value for name, value in os.environb.items()] if env is None else list(env)
        before = [pair[len(b"PYTHONPATH="):] for pair in pairs if pair.startswith(b"PYTHONPATH=")]
        rest = [pair for pair in pairs if not pair.startswith((b"PYTHONPATH=", b"MLPIPE_WATCH="))]
        path = os.pathsep.encode().join([os.fsencode(home)] + [entry for entry in before if entry])
        return rest + [b"PYTHONPATH=" + path, b"MLPIPE_WATCH=" + os.fsencode(text)]

    def fork_exec(args, programs, close_fds, pass_fds, cwd, env, *rest):
        # Whatever cannot be told here is started as it would have been.
        try:
            # Of a program that is looked for on PATH the first that is there.
            program = next(filter(os.path.exists, map(os.fsencode, programs)), None)
            if program is not None and quietly(lambda: is_python(program)):
                env = watched(env)
        except Exception:
            pass
        return start(args, programs, close_fds, pass_fds, cwd, env, *rest)

    _posixsubprocess.fork_exec = fork_exec


def watch():
    import os

    text = os.environ.pop("MLPIPE_WATCH", None)
    if text is None:
        return
    if text.startswith("@"):
        with open(text[1:], encoding="utf-8", errors="surrogateescape") as handle:
            lists = handle.read()
    else:
        lists = text
    told = {name: texts for name, *texts in (part.split("\x1f") for part in lists.split("\x1e"))}
    refuse = bool(told["refuse"])
    step, root, report, imported = told["step"][0], told["root"][0], told["report"][0], told["imported"][0]
    home = os.path.dirname(os.path.realpath(__file__))
    read, write, listed = set(told["read"]), set(told["write"]), set(told["list"])
    aside = set(told["aside"]) | environment_around(root)
    if not refuse:
        # What is only noted is noted of this process: the step sees its environment as it would without.
        rest = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.realpath(p or ".") != home]
        if rest and rest != [""]:
            os.environ["PYTHONPATH"] = os.pathsep.join(rest)
        else:
            os.environ.pop("PYTHONPATH", None)
    else:
        # A Python that this one starts is watched too.
        os.environ["MLPIPE_WATCH"] = text

    realpath, dirname, basename, join = os.path.realpath, os.path.dirname, os.path.basename, os.path.join
    lexists, isfile, fsdecode, fspath = os.path.lexists, os.path.isfile, os.fsdecode, os.fspath
    open_file, write_file, close_file = os.open, os.write, os.close
    for_writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    to_report = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    passed = tuple(folder + os.sep for folder in aside) + (() if root.startswith(SYSTEM) else SYSTEM)
    noted, busy = set(), []

    def within(path, granted):
        if path in granted:
            return True
        above = dirname(path)
        while above != path:
            if above in granted:
                return True
            path, above = above, dirname(above)
        return False

    def shown(path):
        near = os.path.relpath(path, root)
        return path if near.startswith(os.path.join("..", "..", "..")) else near

    def note(path, access, place):
        if (path, access) in noted:
            return
        noted.add((path, access))
        import json

        line = json.dumps({"path": path, "real": place, "access": access}) + "\n"
        try:
            handle = open_file(report, to_report, 0o600)
            try:
                write_file(handle, line.encode("utf-8", "backslashreplace"))
            finally:
                close_file(handle)
        except OSError:
            pass

    def absolute(path, folder=-1):
        if folder != -1 and not os.path.isabs(path):
            try:
                return os.path.normpath(join(os.readlink("/proc/self/fd/%d" % folder), path))
            except OSError:
                return None
        return join(os.getcwd(), path)

    def denied(path, access):
        verb = {"write": "write", "list": "list"}.get(access, "read")
        hint = "no port declares it" if access != "write" else "a step writes to its outputs alone"
        return PermissionError(13, '"%s" may not %s %s (--hermetic): %s' % (step, verb, shown(path), hint), path)

    def refused(path, access, place):
        # Compiled modules beside the sources are read by nobody's wish, and what is not there is no secret.
        if "__pycache__" not in path:
            note(path, access, place)
        return denied(path, access)

    def read_from(path):
        place = realpath(path)
        if within(place, read) or within(place, write):
            return
        if refuse:
            if lexists(path):
                raise refused(path, "read", place)
        else:
            if "__pycache__" in place:
                # Loaded in its stead: what is declared is the source.
                path = place = join(dirname(dirname(place)), basename(place).split(".")[0] + ".py")
                if within(place, read):
                    return
            # Without the fence only what may be somebody's data is worth a word: the machine and its caches are not.
            if not place.startswith(root + os.sep) and (place.startswith(SYSTEM) or "/." in place or place.endswith(".so")):
                return
            if not within(place, aside) and isfile(place):
                note(path, "read", place)

    def written(path, place):
        if refuse and not within(place, write):
            raise refused(path, "write", place)

    def changed(name, folder=-1):
        """A name that is made, moved or removed: of a link, the link itself."""
        path = None if isinstance(name, int) else absolute(fsdecode(fspath(name)), folder)
        if path is not None:
            written(path, join(realpath(dirname(path)), basename(path)))

    def marked(name, folder=-1):
        """Metadata that is changed: of a link, that of what it leads to."""
        if isinstance(name, int):
            try:
                path = os.readlink("/proc/self/fd/%d" % name)
            except OSError:
                return
            if not path.startswith(os.sep) or path.startswith("/memfd:"):
                return
        else:
            path = absolute(fsdecode(fspath(name)), folder)
        if path is not None:
            written(path, realpath(path))

    def stamped(name, folder=-1):
        """Whether a link itself is meant, as in copies of folders, is not told: then it is taken to be."""
        if not isinstance(name, int) and os.path.islink(absolute(fsdecode(fspath(name)), folder) or ""):
            changed(name, folder)
        else:
            marked(name, folder)

    def linked(args):
        # Landlock says of it that the places lie on two disks.
        source = absolute(fsdecode(fspath(args[0])), optional(args, 2))
        if source is not None:
            read_from(source)
        changed(args[1], optional(args, 3))

    def hook(event, args):
        # Most events are none of these: they are passed by with one look.
        what = events.get(event)
        if what is None or busy:
            return
        busy.append(event)
        try:
            what(args)
        finally:
            busy.pop()

    def opened(args):
        name, mode, flags = args
        if name is None or isinstance(name, int):
            return
        path = fsdecode(fspath(name))
        writes = flags & for_writing if flags else isinstance(mode, str) and not {"w", "a", "x", "+"}.isdisjoint(mode)
        # Modules are opened by the thousand: those of the environment are passed by with one look.
        if not refuse and (writes or path.startswith(passed)):
            return
        path = absolute(path)
        if writes:
            written(path, realpath(path))
        else:
            read_from(path)

    def listed_in(args):
        name = args[0] if args and args[0] is not None else "."
        if isinstance(name, int):
            return
        path = absolute(fsdecode(fspath(name)))
        place = realpath(path)
        if not (place in listed or within(place, read) or within(place, write)) and lexists(path):
            raise refused(path, "list", place)

    def optional(args, index):
        return args[index] if index < len(args) and isinstance(args[index], int) else -1

    def both(args):
        changed(args[0], optional(args, 2))
        changed(args[1], optional(args, 3))

    events = {"open": opened}
    if refuse:
        events.update({
            "os.listdir": listed_in, "os.scandir": listed_in, "os.rename": both,
            "os.remove": lambda args: changed(args[0], optional(args, 1)),
            "os.rmdir": lambda args: changed(args[0], optional(args, 1)),
            "os.mkdir": lambda args: changed(args[0], optional(args, 2)),
            "os.link": linked,
            "os.chmod": lambda args: marked(args[0], optional(args, 2)),
            "os.chown": lambda args: marked(args[0], optional(args, 3)),
            "os.utime": lambda args: stamped(args[0], optional(args, 3)),
            "os.setxattr": lambda args: stamped(args[0]),
            "os.removexattr": lambda args: stamped(args[0]),
            "os.symlink": lambda args: changed(args[1], optional(args, 2)),
            "os.truncate": lambda args: changed(args[0]),
        })
    sys.addaudithook(hook)

    def tell_imported():
        # What is opened for this is nobody's doing, and whatever goes wrong with it is nobody's failure.
        busy.append("imported")
        try:
            with open(join(home, "imported.py"), encoding="utf-8") as handle:
                exec(compile(handle.read(), "imported.py", "exec"), {"report": imported})
        except Exception:
            pass

    def quietly(ask):
        busy.append("quietly")
        try:
            return ask()
        finally:
            busy.pop()

    if not refuse:
        try:
            hand_on(text, home, quietly)
        except (ImportError, AttributeError):
            pass

    import atexit

    # The first to be registered is the last to be called.
    atexit.register(tell_imported)


def hand_over():
    """Imports the sitecustomize that would have been found without this one."""
    import os

    own = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry or ".") != own]
    this = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        # Whoever imported this one expects to find a module of the name.
        sys.modules.setdefault("sitecustomize", this)


try:
    watch()
finally:
    hand_over()
