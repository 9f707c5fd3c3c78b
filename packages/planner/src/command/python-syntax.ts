/**
 * The first part of the Python program that reads a project's scripts: what one module says, by
 * Python's own `ast`. It runs in the interpreter that the command would use, whose grammar is the
 * one that counts. Python 3.8 suffices. It is text, so that nothing has to be copied into `dist`.
 */
export const pythonSyntax = String.raw`
import sys

if sys.version_info < (3, 8):
    sys.stdout.write("\n\x1e" + '{"unsupported": "%d.%d.%d"}' % tuple(sys.version_info[:3]))
    sys.exit(0)

# The project's folder and PYTHONPATH must not lend this program a module of their own called
# "json": only the standard library is searched while it imports.
BASE = list(sys.path)
if BASE[:1] == [""]:
    BASE.pop(0)
_library = ("python%d.%d" % sys.version_info[:2], "python%d%d.zip" % sys.version_info[:2],
            "pypy%d.%d" % sys.version_info[:2], "lib-dynload")
STDLIB = [p for p in BASE if p.rstrip("/").rsplit("/", 1)[-1] in _library
          and p.startswith((sys.base_prefix, sys.base_exec_prefix))]
sys.path[:] = STDLIB or BASE

import ast
import base64
import csv
import hashlib
import importlib.machinery
import json
import os
import platform
import re
from functools import cached_property

# What loads code by a name (the first argument, or the keyword).
BY_NAME = {
    "importlib.import_module": "name", "importlib.__import__": "name", "__import__": "name",
    "builtins.__import__": "name", "importlib.util.find_spec": "name", "pkgutil.get_loader": "module_or_name",
    "pkgutil.find_loader": "fullname", "pkgutil.resolve_name": "name", "runpy.run_module": "mod_name",
    "pydoc.locate": "path", "imp.find_module": "name", "hydra.utils.get_class": "path",
    "hydra.utils.get_method": "path", "hydra.utils.get_object": "path", "lazy_loader.load": "fullname",
}
# What loads code from a file: position and keyword of the path.
BY_FILE = {
    "importlib.util.spec_from_file_location": (1, "location"), "runpy.run_path": (0, "path_name"),
    "importlib.machinery.SourceFileLoader": (1, "path"), "importlib.machinery.SourcelessFileLoader": (1, "path"),
    "importlib.machinery.ExtensionFileLoader": (1, "path"), "imp.load_source": (1, "pathname"),
    "imp.load_dynamic": (1, "pathname"),
}
# What links compiled code in: that it is a file of the project shows where its name is literal.
LIBRARIES = {"ctypes.CDLL", "ctypes.PyDLL", "ctypes.cdll.LoadLibrary", "ctypes.pydll.LoadLibrary"}
TEXT = {"exec", "eval", "builtins.exec", "builtins.eval"}
# What loads code that no text of the project names.
COMPUTED = {
    "importlib.metadata.entry_points", "importlib_metadata.entry_points", "pkg_resources.iter_entry_points",
    "pkg_resources.load_entry_point", "hydra.utils.instantiate", "hydra.utils.call", "imp.load_module",
    "importlib.machinery.FileFinder", "importlib.machinery.PathFinder", "zipimport.zipimporter",
    "pkgutil.iter_modules", "pkgutil.walk_packages", "lazy_loader.attach", "lazy_loader.attach_stub",
}
# Modules of which any member may be a loader, where it is asked for by a name that is computed.
LOADING = {"importlib", "builtins", "runpy"}
LOADERS = set(BY_NAME) | set(BY_FILE) | TEXT | COMPUTED
BUILTINS = {"exec", "eval", "__import__"}
STARTS = ("subprocess.", "os.system", "os.popen", "os.exec", "os.spawn", "os.posix_spawn", "asyncio.create_subprocess_")
SAYING = {ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.arg, ast.Name, ast.Attribute,
          ast.Call, ast.Assign, ast.AugAssign}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def literal(value):
    """A constant as text that is the same on every version of Python."""
    if type(value) is int and abs(value) > 1 << 62:
        return hex(value)
    return ascii(value)


class Shapes(dict):
    """The fields of each kind of node, last first, with what stands before them in a dump."""

    def __missing__(self, kind):
        fields = [f for f in reversed(kind._fields) if f not in ("ctx", "type_comment", "type_ignores", "kind")]
        self[kind] = [(field, " " + field + "=") for field in fields]
        return self[kind]


SHAPES = Shapes()


def dump(tree):
    """The tree without positions, comments and the parts that only differ between versions of Python."""
    out, stack = [], [tree]
    # Explicitly stacked: a sum of a thousand terms is a tree a thousand deep. Text on the stack is output.
    while stack:
        item = stack.pop()
        kind = type(item)
        if kind is str:
            out.append(item)
        elif kind is ast.Constant:
            out.append("Constant(" + literal(item.value) + ")")
        elif kind is ast.Name:
            out.append("Name(" + ascii(item.id) + ")")
        elif kind is list:
            out.append("[")
            stack.append("]")
            for value in reversed(item):
                # A dict display with ** has None for a key.
                stack.append(value if isinstance(value, ast.AST) else ascii(value))
                stack.append(",")
        elif kind.__name__ == "Index":  # Python 3.8 wraps what stands between brackets
            stack.append(item.value)
        else:
            out.append(kind.__name__ + "(")
            stack.append(")")
            for field, label in SHAPES[kind]:
                value = getattr(item, field, None)
                if value is None or value == []:
                    continue
                stack.append(value if type(value) is list or isinstance(value, ast.AST) else ascii(value))
                stack.append(label)
    return "".join(out)


class Facts:
    """What a module says about the code it loads."""

    def __init__(self, digest):
        self.digest = digest
        # (level, module, names, star, guarded, line, column, sure): guarded if its failure is caught, sure if the
        # module cannot be run without it
        self.imports = []
        self.relative = []  # (name, package or None): import_module(".x", package)
        self.scripts = []  # files that it runs or loads
        self.files = []  # files of the project that it starts or links in, and that are no Python
        self.modules = []  # modules that it runs as programs
        self.folders = []  # folders that it puts on sys.path
        self.findings = []  # (message, line, column)
        self.exported = []  # literal names of __all__
        self.computes_exports = False
        self.extends_path = False


class Reader:
    """Reads the facts out of one module's tree."""

    def __init__(self, tree, file, root, facts):
        self.file, self.root, self.facts, self.tree = file, root, facts, tree
        self.parent, self.aliases, self.assigned, self.bound = {}, {}, {}, set()
        # Most nodes say nothing about imports: only what is on the way to those that may is walked again.
        nodes, stack, parent = [], [tree], self.parent
        while stack:
            node = stack.pop()
            kind = type(node)
            if kind in SAYING:
                nodes.append(node)
            for field, _ in SHAPES[kind]:
                value = getattr(node, field, None)
                if type(value) is list:
                    for item in value:
                        if isinstance(item, ast.AST):
                            parent[item] = node
                            stack.append(item)
                elif isinstance(value, ast.AST) and type(value) is not ast.Constant:
                    parent[value] = node
                    stack.append(value)
        for node in nodes:
            self.bind(node)
        for node in nodes:
            self.read(node)

    def module_level(self, node):
        while node in self.parent:
            node = self.parent[node]
            if isinstance(node, FUNCTIONS + (ast.ClassDef,)):
                return False
        return True

    def bind(self, node):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.split(".")[0]
                self.aliases.setdefault(alias.asname or name, set()).add(name)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            for alias in node.names:
                self.aliases.setdefault(alias.asname or alias.name, set()).add(node.module + "." + alias.name)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if node.name in BUILTINS and self.module_level(node):
                self.bound.add(node.name)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            # A name bound twice has no one value.
            name = node.targets[0].id
            self.assigned[name] = None if name in self.assigned else node.value
        elif isinstance(node, ast.arg):
            self.assigned[node.arg] = None
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            up = self.parent.get(node)
            if not (isinstance(up, ast.Assign) and len(up.targets) == 1):
                self.assigned[node.id] = None

    def names(self, node):
        """The dotted names that an expression may stand for, by what was imported under its first name."""
        tail = []
        while True:
            if type(node) is ast.Attribute:
                tail.append(node.attr)
                node = node.value
            elif self.is_getattr(node) and self.string(node.args[1]) is not None:
                tail.append(node.args[1].value)
                node = node.args[0]
            else:
                break
        if type(node) is not ast.Name:
            return ()
        heads = {"builtins"} if node.id == "__builtins__" else self.aliases.get(node.id)
        if heads is None:
            if tail or node.id not in BUILTINS or self.users_own(node):
                return ()
            heads = {node.id}
        return [".".join([head] + tail[::-1]) for head in heads]

    def is_getattr(self, node):
        return type(node) is ast.Call and isinstance(node.func, ast.Name) and node.func.id == "getattr" and len(node.args) > 1

    def users_own(self, node):
        """Whether a builtin's name is a function or parameter of the project here: def eval(model)."""
        if node.id in self.bound:
            return True
        up = node
        while up in self.parent:
            up = self.parent[up]
            if isinstance(up, FUNCTIONS):
                a = up.args
                every = a.args + a.kwonlyargs + getattr(a, "posonlyargs", []) + [x for x in (a.vararg, a.kwarg) if x]
                if any(x.arg == node.id for x in every):
                    return True
        return False

    def find(self, message, node):
        self.facts.findings.append((message, getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1))

    def read(self, node):
        kind = type(node)
        if kind is ast.Import or kind is ast.ImportFrom:
            self.read_import(node)
        elif kind is ast.Call:
            self.read_start(node)
            if self.is_getattr(node):
                self.read_getattr(node)
        elif kind is ast.Assign:
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id == "__all__":
                    self.read_exports(node.value)
                elif isinstance(target, ast.Name) and target.id == "__path__":
                    self.read_package_path(node)
        elif kind is ast.AugAssign and isinstance(node.target, ast.Name):
            if node.target.id == "__all__":
                self.read_exports(node.value)
            elif node.target.id == "__path__":
                self.read_package_path(node)
        elif kind is ast.Attribute or kind is ast.Name:
            if kind is ast.Name and node.id == "__path__" and isinstance(self.parent.get(node), ast.Attribute):
                self.find("__path__ is changed", node)
            names = self.names(node)
            for name in names:
                if name in LOADERS:
                    self.read_loader(node, name)
                elif name == "sys.path":
                    self.read_search_path(node)
                elif name in ("sys.meta_path", "sys.path_hooks") and self.is_changed(node):
                    self.find(name + " is changed, so imports may go anywhere", node)
                elif name == "site.addsitedir":
                    call = self.parent.get(node)
                    self.add_folders(call.args[:1] if isinstance(call, ast.Call) else None, node)

    def read_import(self, node):
        guarded, up, below = False, node, node
        while up in self.parent:
            below, up = up, self.parent[up]
            # Never true when the code runs: what is imported there is for type checkers.
            if isinstance(up, ast.If) and below in up.body and self.is_for_checkers(up.test):
                return
            guarded = guarded or (isinstance(up, ast.Try) and below in up.body and bool(up.handlers))
        sure = not guarded and self.parent.get(node) is self.tree
        at = (guarded, node.lineno, node.col_offset + 1, sure)
        if isinstance(node, ast.Import):
            for alias in node.names:
                self.facts.imports.append((0, alias.name, (), False) + at)
        else:
            star = any(alias.name == "*" for alias in node.names)
            names = tuple(alias.name for alias in node.names if alias.name != "*")
            self.facts.imports.append((node.level, node.module or "", names, star) + at)

    def is_for_checkers(self, test):
        return "typing.TYPE_CHECKING" in self.names(test) and getattr(test, "id", None) not in self.assigned

    def read_exports(self, value):
        if isinstance(value, (ast.List, ast.Tuple)) and all(self.string(x) is not None for x in value.elts):
            self.facts.exported.extend(self.string(x) for x in value.elts)
        else:
            self.facts.computes_exports = True

    def read_package_path(self, node):
        # The older way to write a namespace package; anything else is computed.
        if "extend_path" in ast.dump(node.value):
            self.facts.extends_path = True
        else:
            self.find("__path__ is set to something computed", node)

    def string(self, node):
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None

    def argument(self, call, position, keyword):
        for pair in call.keywords:
            if pair.arg == keyword:
                return pair.value
        if len(call.args) > position and not any(isinstance(a, ast.Starred) for a in call.args[: position + 1]):
            return call.args[position]
        return None

    def read_getattr(self, node):
        if self.string(node.args[1]) is None:
            if any(name in LOADING for name in self.names(node.args[0])):
                self.find("getattr() of what loads code is given a name that is computed", node)
            return
        for name in self.names(node):
            if name in LOADERS:
                self.read_loader(node, name)
            elif name in ("sys.path", "sys.meta_path", "sys.path_hooks"):
                self.find(name + " is given another name", node)

    def read_loader(self, node, name):
        call = self.parent.get(node)
        if not isinstance(call, ast.Call) or call.func is not node:
            if isinstance(call, ast.Attribute) and call.value is node:
                return
            return self.find(name + " is used as a value, so what it loads cannot be told", node)
        if name in COMPUTED:
            return self.find(name + "() loads code that only the running program knows", node)
        if name in BY_FILE:
            value = self.argument(call, *BY_FILE[name])
            path = self.path(value)
            if path is None or not is_file(path):
                return self.find(name + "() loads a file that is computed", node)
            self.facts.scripts.append(path)
        elif name in TEXT:
            self.read_text(call, name, node)
        elif name.endswith("__import__") and not self.is_absolute(call):
            self.find(name + "() is given a level", node)
        else:
            value = self.argument(call, 0, BY_NAME[name])
            target = self.string(value) if value is not None else None
            if target is None:
                return self.find(name + "() is given a name that is computed", node)
            target = target.split(":")[0]
            if target.startswith("."):
                package = self.argument(call, 1, "package")
                known = isinstance(package, ast.Name) and package.id in ("__package__", "__name__")
                text = self.string(package) if package is not None else None
                if text is None and not known:
                    return self.find(name + "() is relative to a package that is computed", node)
                self.facts.relative.append((target, text))
            elif name == "runpy.run_module":
                self.facts.modules.append(target)
            else:
                # pydoc.locate and its like name something inside of a module: each prefix may be it.
                head, _, last = target.rpartition(".")
                self.facts.imports.append((0, target, (), False, True, node.lineno, node.col_offset + 1, False))
                if head:
                    self.facts.imports.append((0, head, (last,), False, True, node.lineno, node.col_offset + 1, False))

    def is_absolute(self, call):
        level = self.argument(call, 4, "level")
        return level is None or (isinstance(level, ast.Constant) and level.value == 0)

    def read_text(self, call, name, node):
        value = call.args[0] if call.args else None
        while isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "compile" and value.args:
            value = value.args[0]
        text = self.string(value) if value is not None else None
        if text is not None:
            try:
                Reader(ast.parse(text.strip()), self.file, self.root, self.facts)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                self.find(name + "() is given text that cannot be parsed", node)
            return
        path = self.file_read(value)
        if path is None:
            return self.find(name + "() is given text that is computed", node)
        self.facts.scripts.append(path)

    def file_read(self, node):
        """The file behind open("x").read() and Path("x").read_text()."""
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            return None
        inner, path = node.func.value, None
        if node.func.attr == "read" and isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name):
            path = self.path(inner.args[0]) if inner.func.id == "open" and inner.args else None
        elif node.func.attr in ("read_text", "read_bytes"):
            path = self.path(inner)
        return path if path is not None and is_file(path) else None

    def read_start(self, call):
        """Scripts that are started as processes of their own, and libraries, where their names are literal."""
        names = self.names(call.func)
        if any(name in LIBRARIES for name in names):
            path = self.path(self.argument(call, 0, "name"))
            if path is not None and is_file(path):
                self.facts.files.append(path)
        if not any(name.startswith(STARTS) for name in names):
            return
        words = []
        for node in ast.walk(call):
            text = self.string(node)
            if text is not None:
                words.extend(text.split())
            if isinstance(node, (ast.List, ast.Tuple)):
                texts = [self.string(x) for x in node.elts]
                for flag, target in zip(texts, texts[1:]):
                    if flag == "-m" and target:
                        self.facts.modules.append(target)
        for word in words:
            path = os.path.normpath(os.path.join(self.root, word))
            if is_file(path):
                (self.facts.scripts if word.endswith(".py") else self.facts.files).append(path)

    def is_changed(self, node):
        up = self.parent.get(node)
        if not isinstance(node.ctx, ast.Load) or isinstance(up, (ast.AugAssign, ast.Delete)):
            return True
        if isinstance(up, ast.Subscript) and not isinstance(up.ctx, ast.Load):
            return True
        return isinstance(up, ast.Attribute) and up.attr not in ("index", "count", "copy")

    def read_search_path(self, node):
        up = self.parent.get(node)
        if isinstance(up, (ast.Assign, ast.AnnAssign)) and up.value is node:
            return self.find("sys.path is given another name", node)
        if not self.is_changed(node):
            return
        if isinstance(up, ast.Attribute):
            call = self.parent.get(up)
            if isinstance(call, ast.Call) and call.func is up:
                if up.attr == "append" and len(call.args) == 1:
                    return self.add_folders(call.args, node)
                if up.attr == "insert" and len(call.args) == 2:
                    return self.add_folders(call.args[1:], node)
                if up.attr == "extend" and len(call.args) == 1:
                    return self.add_folders(self.listed(call.args[0]), node)
            return self.find("sys.path is changed by something computed", node)
        if isinstance(up, ast.Subscript):
            slot, up = up, self.parent.get(up)
            if isinstance(up, ast.Assign):
                return self.add_folders([up.value] if not isinstance(slot.slice, ast.Slice) else self.listed(up.value), node)
        if isinstance(up, (ast.Assign, ast.AugAssign)):
            return self.add_folders(self.listed(up.value), node)
        self.find("sys.path is changed by something computed", node)

    def listed(self, node):
        """The items of [a] + sys.path, [a, *sys.path] and the like; None where they cannot be told."""
        if isinstance(node, (ast.List, ast.Tuple)):
            out = []
            for item in node.elts:
                if not isinstance(item, ast.Starred):
                    out.append(item)
                elif "sys.path" not in self.names(item.value):
                    return None
            return out
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self.listed(node.left), self.listed(node.right)
            return None if left is None or right is None else left + right
        return [] if "sys.path" in self.names(node) else None

    def add_folders(self, items, node):
        for item in items if items is not None else [None]:
            path = self.path(item)
            if path is None:
                self.find("sys.path is changed by something computed", node)
            else:
                self.facts.folders.append(path)

    def path(self, node):
        """The absolute path that an expression stands for, where it can be told without running it."""
        text = self.text(node, 0)
        return None if text is None else os.path.normpath(os.path.join(self.root, text))

    def text(self, node, depth):
        if node is None or depth > 20:
            return None
        inner = lambda x: self.text(x, depth + 1)
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            return self.file if node.id == "__file__" else inner(self.assigned.get(node.id))
        if isinstance(node, ast.Attribute):
            for name in self.names(node):
                if name in ("os.pardir", "os.curdir", "os.sep"):
                    return getattr(os, name[3:])
            if node.attr == "parent":
                base = inner(node.value)
                return None if base is None else os.path.dirname(base)
            return None
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "parents":
            base, index = inner(node.value.value), getattr(node.slice, "value", node.slice)
            index = getattr(index, "value", index)
            if base is None or type(index) is not int or index < 0:
                return None
            for _ in range(index + 1):
                base = os.path.dirname(base)
            return base
        if isinstance(node, ast.BinOp):
            left, right = inner(node.left), inner(node.right)
            if left is None or right is None:
                return None
            if isinstance(node.op, ast.Div):
                return os.path.join(left, right)
            return left + right if isinstance(node.op, ast.Add) else None
        if isinstance(node, ast.JoinedStr):
            pieces = [inner(v.value) if isinstance(v, ast.FormattedValue) else inner(v) for v in node.values]
            return None if None in pieces else "".join(pieces)
        if isinstance(node, ast.Call) and not node.keywords:
            return self.called(node, [inner(a) for a in node.args], inner)
        return None

    def called(self, node, args, inner):
        if None in args:
            return None
        names = self.names(node.func)
        if isinstance(node.func, ast.Name) and node.func.id == "str" and len(args) == 1:
            return args[0]
        for name in names:
            if name in ("os.getcwd", "pathlib.Path.cwd"):
                return self.root
            if name in ("os.path.dirname", "os.path.normpath", "os.fspath", "os.path.realpath", "os.path.abspath") and args:
                full = args[0] if name in ("os.path.dirname", "os.fspath") else os.path.join(self.root, args[0])
                return {"os.path.dirname": os.path.dirname, "os.fspath": str}.get(name, os.path.normpath)(full)
            if name in ("os.path.join", "pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath"):
                return os.path.join(*args) if args else "."
        if isinstance(node.func, ast.Attribute):
            method = node.func.attr
            if method in ("resolve", "absolute", "as_posix", "joinpath", "__str__"):
                base = inner(node.func.value)
                if base is None:
                    return None
                if method in ("resolve", "absolute"):
                    base = os.path.normpath(os.path.join(self.root, base))
                return os.path.join(base, *args) if method == "joinpath" else base
        return None


_facts = {}


def read_module(file, root, text=None):
    """The facts of a file, or of a text that stands for one."""
    key = (file, text)
    if key not in _facts:
        if text is None:
            with open(file, "rb") as handle:
                source = handle.read()
        else:
            source = text.encode("utf-8", "surrogatepass")
        try:
            tree = ast.parse(source)
            facts = Facts(hashlib.sha256(("python-ast 1\n" + dump(tree)).encode()).hexdigest())
            Reader(tree, file, root, facts)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            facts = Facts(hashlib.sha256(source).hexdigest())
            line = getattr(error, "lineno", None) or 1
            message = getattr(error, "msg", None) or str(error) or type(error).__name__
            facts.findings.append(("Python %s cannot parse it: %s" % (platform.python_version(), message), line,
                                   getattr(error, "offset", None) or 1))
        _facts[key] = facts
    return _facts[key]
`;
