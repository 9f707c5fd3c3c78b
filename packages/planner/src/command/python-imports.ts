/**
 * The third part of the Python program: the import closure of a script. Names are looked up on the
 * search path that the script will have, without importing anything: project code never runs here.
 * Where several answers are possible, all of them join, which can only run a step too often.
 */
export const pythonImports = String.raw`
SUFFIXES = importlib.machinery.EXTENSION_SUFFIXES + [".py", ".pyc"]
# Beside a script these names are the user's own; nothing in the standard library loads such a module.
NEVER_LOADED = {"test", "tests", "this", "antigravity", "turtle", "turtledemo", "idlelib", "ensurepip", "venv", "docs",
                "examples", "__main__", "setup"}
IN_LIBRARY = os.path.realpath(os.path.dirname(os.__file__))

_listings = {}
_consulted = set()


def listing(folder):
    """The names in a folder, or None if it is none."""
    _consulted.add(folder)
    if folder not in _listings:
        try:
            _listings[folder] = frozenset(os.listdir(folder))
        except OSError:
            _listings[folder] = None
    return _listings[folder]


def is_site(entry):
    parts = entry.split(os.sep)
    return "site-packages" in parts or "dist-packages" in parts


def is_library(entry):
    real = os.path.realpath(entry)
    return not is_site(real) and (real == IN_LIBRARY or real.startswith(IN_LIBRARY + os.sep) or entry in STDLIB)


class Hit:
    """Where a name leads: a module's file, a package's file and folder, or folders without a file."""

    def __init__(self, file, folders, entry):
        self.file, self.folders, self.entry = file, folders, entry


def find_in(folders, name, entry=None):
    spread, first = [], None
    for folder in folders:
        names = listing(folder)
        if names is None:
            if os.path.isfile(folder):
                import zipimport
                try:
                    if zipimport.zipimporter(folder).is_package(name) in (True, False):
                        return Hit(folder, [], entry or folder)
                except (ImportError, OSError):
                    pass
            continue
        inside = os.path.join(folder, name)
        is_folder = name in names and os.path.isdir(inside)
        if is_folder:
            for suffix in SUFFIXES:
                if "__init__" + suffix in (listing(inside) or ()):
                    return Hit(os.path.join(inside, "__init__" + suffix), [inside], entry or folder)
        for suffix in SUFFIXES:
            if name + suffix in names and os.path.isfile(inside + suffix):
                return Hit(inside + suffix, [], entry or folder)
        if is_folder:
            spread.append(inside)
            first = first or folder
    return Hit(None, spread, entry or first) if spread else None


def editable_finders():
    """Names that an editable install maps to folders by a finder of its own."""
    mapping, namespaces = {}, {}
    for finder in sys.meta_path:
        module = sys.modules.get(getattr(finder, "__module__", None) or "")
        if module is not None and module.__name__.startswith("__editable__"):
            mapping.update(getattr(module, "MAPPING", {}))
            namespaces.update(getattr(module, "NAMESPACES", {}))
    return mapping, namespaces


MAPPING, NAMESPACES = editable_finders()


class Closure:
    """Everything of the project that one command loads."""

    def __init__(self, root, request, extra):
        self.root, self.request = root, request
        self.base, self.extra = [], list(extra)
        self.parts, self.binaries, self.files = {}, set(), set()
        self.distributions, self.loose = {}, {}
        # The folders that they are installed in.
        self.sites = set()
        self.findings, self.warnings, self.new_folders = [], [], []
        self.seen, self.queue, self.asked = set(), [], set()
        # By file: the modules that it cannot be run without, and remarks on those of them that were not found.
        self.needed, self.lost = {}, {}

    def run(self):
        kind, value = self.request["kind"], self.request["value"]
        own = self.root if kind != "script" else os.path.dirname(os.path.realpath(value))
        if kind == "script":
            listing(os.path.dirname(value))
        self.base = ([] if self.request.get("isolated") else [own]) + [os.path.join(self.root, p) for p in BASE]
        if not self.request["direct"] and kind == "script":
            # What starts the script decides where it looks: all that is usual joins.
            top = own
            while is_file(os.path.join(top, "__init__.py")) and os.path.dirname(top) != top:
                top = os.path.dirname(top)
            self.extra = [self.root, top] + self.extra
        # Loaded by every interpreter at its start, wherever they are found.
        for name in ("sitecustomize", "usercustomize"):
            self.load(name)
        if kind == "script":
            self.visit(value, "__main__", False)
            top = self.extra[1] if not self.request["direct"] else None
            if top is not None and top != own:
                self.load(os.path.relpath(value, top)[:-3].replace(os.sep, "."))
        elif kind == "module":
            self.run_module(value)
        else:
            self.take(read_module(os.path.join(self.root, "<command line>"), self.root, value), "<command line>", "", None)
        self.shadows(own)
        self.drain()
        self.follow_requirements(own)
        self.settle()

    def settle(self):
        """What surely is imported and was not found lies where nobody thought of: then all else may lie elsewhere too."""
        if not self.request["direct"]:
            return
        kind, value = self.request["kind"], self.request["value"]
        names = [value, value + ".__main__"] if kind == "module" else []
        waiting = [value] if kind == "script" else [None] if kind == "code" else [h.file for n in names for h in self.load(n)]
        certain = set(waiting)
        while waiting:
            file = waiting.pop()
            for remark in self.lost.get(file, ()):
                self.warnings.remove(remark)
                self.findings.append((remark[0] + ", so where it looks for modules cannot be told",) + remark[1:])
            fresh = {f for f in self.needed.get(file, ()) if f is not None} - certain
            certain |= fresh
            waiting.extend(fresh)

    def drain(self):
        while self.queue:
            file, dotted, package = self.queue.pop()
            self.take(read_module(file, self.root), dotted, package, file)

    def run_module(self, name):
        found = self.load(name)
        if not found:
            self.findings.append(("python -m %s: there is no such module%s" % (name, self.in_src(name)), None, 1, 1))
        if any(hit.folders for hit in found or ()):
            self.load(name + ".__main__")

    def shadows(self, own):
        """A module beside the script that is called like one of the standard library is loaded in its stead by all."""
        names = getattr(sys, "stdlib_module_names", None)
        if names is None:
            names = {n.split(".")[0] for entry in STDLIB for n in listing(entry) or ()}
        self.shadow(own, names)

    def shadow(self, own, names):
        for entry in [own] + self.extra:
            for name in listing(entry) or ():
                stem = name[:-3] if name.endswith(".py") else name
                if stem in names and stem not in NEVER_LOADED and stem not in self.asked:
                    hit = find_in([entry], stem)
                    if hit is not None and hit.file is not None:
                        self.load(stem)

    def follow_requirements(self, own):
        """The installed distributions that the reached ones require, and so on."""
        first = {}
        for entry in self.base + self.extra:
            if self.distributions or self.loose:
                for distribution in installed(entry):
                    first.setdefault(distribution.key, distribution)
        waiting = list(self.distributions.values())
        while waiting:
            distribution = waiting.pop()
            for name in sorted(distribution.needs()):
                found = first.get(name)
                if found is None or name in self.distributions:
                    continue
                self.distributions[name] = found
                waiting.append(found)
                if found.editable:
                    # Its modules lie in a project: source like any other.
                    for top in sorted(found.tops() | {found.key.replace("-", "_")}):
                        self.load(top)
            if not waiting:
                tops = set()
                for reached in self.distributions.values():
                    tops |= reached.tops()
                self.shadow(own, tops)
                self.drain()
                waiting = [d for d in self.distributions.values() if id(d) not in self.seen]
                self.seen.update(id(d) for d in waiting)

    def tops(self, name):
        hits = [find_in(self.base, name)] + [find_in([folder], name) for folder in self.extra]
        if name in MAPPING:
            place = MAPPING[name]
            hits.append(find_in([os.path.dirname(place)], os.path.basename(place)))
        if name in NAMESPACES:
            hits.append(Hit(None, list(NAMESPACES[name]), None))
        return [hit for hit in hits if hit is not None]

    def load(self, dotted, names=(), star=False):
        """Joins a module with its parents, and those of the names in it that are modules. Empty if not found."""
        parts = dotted.split(".")
        self.asked.add(parts[0])
        if parts[0] in sys.builtin_module_names:
            return [Hit(None, [], None)]
        hits, prefix, beyond = self.tops(parts[0]), parts[0], []
        for index in range(len(parts)):
            if index:
                prefix += "." + parts[index]
                hits = [h for h in (self.below(hit, parts[index]) for hit in hits) if h is not None]
            outside = [hit for hit in hits if not self.reach(hit, prefix)]
            beyond.extend(outside)
            hits = [hit for hit in hits if hit not in outside]
        names = set(names)
        for hit in hits if star else ():
            if hit.file is not None and hit.folders and hit.file.endswith(".py"):
                facts = read_module(hit.file, self.root)
                names.update(facts.exported)
                if facts.computes_exports:
                    names.update(n.split(".")[0] for n in listing(hit.folders[0]) or () if n != "__pycache__")
        for name in sorted(names):
            for hit in hits:
                found = self.below(hit, name)
                if found is not None:
                    self.reach(found, prefix + "." + name)
        return hits + beyond

    def below(self, hit, name):
        folders = hit.folders
        if hit.file is not None and hit.folders and hit.file.endswith(".py") and read_module(hit.file, self.root).extends_path:
            inner = os.path.relpath(hit.folders[0], hit.entry)
            folders = folders + [p for p in (os.path.join(e, inner) for e in self.base + self.extra) if p not in folders]
        return find_in(folders, name, hit.entry) if folders else None

    def reach(self, hit, dotted):
        """Joins what a name leads to. False if it lies outside of the project's own sources."""
        if hit.file is None:
            return True
        top = dotted.split(".")[0]
        if hit.entry is not None and is_library(hit.entry):
            return False
        owner = owner_of(hit.entry, hit.file, top) if hit.entry is not None else None
        if owner is not None and not owner.editable:
            self.distributions.setdefault(owner.key, owner)
            return False
        if owner is None and hit.entry is not None and is_site(hit.entry):
            # Copied there by hand: nobody but the files can say what it is.
            self.sites.add(hit.entry)
            if top not in self.loose:
                self.loose[top] = "unversioned+" + tree_digest(places(hit.entry, top))[:16]
            return False
        self.visit(hit.file, dotted, bool(hit.folders))
        return True

    def visit(self, file, dotted, is_package):
        if (file, dotted) in self.seen:
            return
        self.seen.add((file, dotted))
        if not file.endswith(".py") and not (dotted == "__main__" and self.request["value"] == file):
            self.binaries.add(file)
            return
        self.queue.append((file, dotted, dotted if is_package else dotted.rpartition(".")[0]))

    def name_of(self, file):
        return os.path.relpath(file, self.root).replace(os.sep, "/")

    def take(self, facts, dotted, package, file):
        if file is not None:
            self.files.add(file)
            self.parts[self.name_of(file)] = facts.digest
        self.findings.extend((message, file, line, column) for message, line, column in facts.findings)
        for path in facts.files:
            if os.path.realpath(path).startswith(self.root + os.sep):
                self.binaries.add(path)
        for level, module, names, star, guarded, line, column, sure in facts.imports:
            target = module
            if level:
                up = package.split(".") if package else []
                if level > len(up):
                    continue
                target = ".".join(up[: len(up) - level + 1] + ([module] if module else []))
            hits = self.load(target, names, star)
            if sure:
                self.needed.setdefault(file, []).extend(hit.file for hit in hits)
            if not hits and not guarded:
                self.missing(target, file, line, column, sure)
        for name, given in facts.relative:
            dots = len(name) - len(name.lstrip("."))
            up = (given or package).split(".")
            self.load(".".join(up[: len(up) - dots + 1] + [name[dots:]]))
        for script in facts.scripts:
            # It may be started by itself, beside which it then looks for its own imports.
            self.add_folder(os.path.dirname(os.path.realpath(script)))
            self.visit(script, "__main__", False)
        for module in facts.modules:
            self.load(module)
            self.load(module + ".__main__")
        for folder in facts.folders:
            self.add_folder(folder)

    def add_folder(self, folder):
        if folder not in self.extra and folder not in self.base and folder not in self.new_folders:
            self.new_folders.append(folder)

    def in_src(self, name):
        """Where a module lies that an install of the project would make known: most layouts have it below src."""
        folder, *parts = ["src"] + name.split(".")
        for part in parts:
            names = listing(os.path.join(self.root, folder)) or ()
            if part not in names and part + ".py" not in names:
                return ""
            folder += "/" + (part if part in names else part + ".py")
        return " (%s is there: install the project, pip install -e . or uv sync, or start env PYTHONPATH=src)" % folder

    def missing(self, name, file, line, column, sure):
        top = name.split(".")[0]
        for entry in self.base:
            for distribution in installed(entry):
                if distribution.editable and (distribution.key == normal(top) or top in distribution.tops()):
                    self.findings.append(("%s is an editable install whose finder mlpipe cannot read" % top, file, line, column))
                    return
        remark = ("the module %s is not found by this Python%s" % (name, self.in_src(top)), file, line, column)
        self.warnings.append(remark)
        # Of these the running Python makes what no search path has.
        made = top in ("__main__", "distutils")
        if sure and not made and remark not in self.lost.setdefault(file, []):
            self.lost[file].append(remark)


def close(root, request):
    """The closure of one request as plain data. Folders that a module puts on sys.path count for all of them."""
    extra = []
    while True:
        closure = Closure(root, request, extra)
        closure.run()
        if not closure.new_folders:
            break
        extra.extend(closure.new_folders)
    finding = lambda f: {"message": f[0], "file": f[1], "line": f[2], "column": f[3]}
    packages = {d.name: identity_of(d) for d in closure.distributions.values() if not d.editable}
    packages.update(closure.loose)
    closure.sites.update(d.entry for d in closure.distributions.values())
    return {
        "parts": closure.parts,
        "binaries": sorted([closure.name_of(b), b] for b in closure.binaries),
        "packages": packages,
        "uncacheable": [finding(f) for f in closure.findings],
        "warnings": [finding(f) for f in closure.warnings],
        "files": sorted(closure.files | closure.binaries),
        "sites": sorted(closure.sites),
    }


def startup():
    """What decided, before anything was asked, which interpreter this is and where it looks."""
    _looked.update((sys.executable, os.path.join(sys.prefix, "pyvenv.cfg"),
                    os.path.join(os.path.dirname(sys.executable), "pyvenv.cfg")))
    site = sys.modules.get("site")
    for entry in BASE + [getattr(site, "USER_SITE", None) or ""]:
        if is_site(entry):
            _looked.update(os.path.join(entry, n) for n in listing(entry) or () if n.endswith(".pth") or n.startswith("__editable__"))


def main():
    startup()
    asked = json.loads(sys.stdin.buffer.read())
    results = [close(asked["root"], request) for request in asked["requests"]]
    return {
        "implementation": platform.python_implementation(),
        "version": platform.python_version(),
        "results": results,
        "folders": sorted(_consulted),
        "looked": sorted(_looked),
        "executable": sys.executable,
    }


# What a site module printed before must not be taken for the answer.
sys.stdout.write("\n\x1e" + json.dumps(main()) + "\n")
`;
