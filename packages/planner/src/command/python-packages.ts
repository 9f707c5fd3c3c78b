/**
 * The second part of the Python program: which installed distribution a module belongs to, what
 * that one requires, and what is really on the disk of it.
 */
export const pythonPackages = String.raw`
# Requirements of these extras are for those who work on the distribution, not with it.
FOR_AUTHORS = re.compile(r"^(all|tests?|testing|dev|develop|development|docs?|documentation|lint|linting|typing|types|"
                         r"mypy|benchmarks?|ci|style|format|quality|release|check|checks|cover|coverage|pre-commit)[0-9_.-]*$")
PLUMBING = {"RECORD", "RECORD.jws", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"}


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


# Files that an answer depends on beside the modules that were read; also those that were looked for in vain.
_looked = set()


def is_file(path):
    _looked.add(path)
    return os.path.isfile(path)


def read_text(path):
    _looked.add(path)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as handle:
            return handle.read()
    except OSError:
        return None


class Distribution:
    """One installed distribution: a .dist-info or .egg-info beside its modules."""

    def __init__(self, entry, folder):
        self.entry, self.info = entry, os.path.join(entry, folder)
        stem = folder.rsplit(".", 1)[0]
        self.key = normal(stem.rsplit("-", 1)[0] if folder.endswith(".dist-info") else stem.split("-")[0])

    # An environment may hold hundreds: nothing is read of those that are not asked about.
    @cached_property
    def record(self):
        return read_text(os.path.join(self.info, "RECORD"))

    @cached_property
    def fields(self):
        for name in ("METADATA", "PKG-INFO", ""):
            text = read_text(os.path.join(self.info, name) if name else self.info)
            if text is not None:
                head = text.replace("\r\n", "\n").split("\n\n", 1)[0]
                return [(k, v.strip()) for k, _, v in (line.partition(":") for line in head.split("\n"))]
        return []

    @cached_property
    def name(self):
        return next((v for k, v in self.fields if k == "Name"), self.key)

    @cached_property
    def version(self):
        return next((v for k, v in self.fields if k == "Version"), "unknown")

    @cached_property
    def editable(self):
        direct = read_text(os.path.join(self.info, "direct_url.json"))
        try:
            return bool(direct and json.loads(direct).get("dir_info", {}).get("editable"))
        except ValueError:
            return False

    def needs(self):
        """The normalised names of what it requires. Markers are not judged: only what is installed counts."""
        out = set()
        for line in (v for k, v in self.fields if k == "Requires-Dist"):
            name = re.match(r"[A-Za-z0-9._-]+", line)
            extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", line)
            if name and not (extra and FOR_AUTHORS.match(extra.group(1))):
                out.add(normal(name.group(0)))
        # Older installs keep them apart: [extra:marker] begins those of an extra.
        extra = ""
        for line in (read_text(os.path.join(self.info, "requires.txt")) or "").splitlines():
            name = re.match(r"[A-Za-z0-9._-]+", line)
            if line.startswith("["):
                extra = line.strip("[]").split(":")[0]
            elif name and not (extra and FOR_AUTHORS.match(extra)):
                out.add(normal(name.group(0)))
        return out

    def rows(self):
        return [row for row in csv.reader((self.record or "").splitlines()) if len(row) >= 3]

    def tops(self):
        """The names of its top-level modules."""
        text = read_text(os.path.join(self.info, "top_level.txt"))
        if text is not None:
            return set(text.split())
        heads = {row[0].split("/")[0] for row in self.rows()}
        return {h.split(".")[0] for h in heads if not h.endswith((".dist-info", ".pth", "..")) and h != "__pycache__"}

    def holds(self, relative):
        return self.record is not None and ("\n" + self.record).find("\n" + relative + ",") >= 0

    def identity(self):
        """
        The version with a digest of what is installed. The record says what was unpacked; a file
        whose size or time speaks against it is read, so that an edit in place counts. Scripts hold the
        path of their environment and notes of the installer differ by how, so both are left out.
        """
        if self.record is None:
            digest = tree_digest([p for top in sorted(self.tops()) for p in places(self.entry, top)])
            return self.version + "+" + digest[:16]
        written = os.stat(os.path.join(self.info, "RECORD")).st_mtime_ns
        lines = []
        for path, expected, size in (row[:3] for row in self.rows()):
            base = path.rsplit("/", 1)[-1]
            if not expected or path.startswith("../") or os.path.isabs(path) or base.endswith(".pyc"):
                continue
            if base in PLUMBING and ".dist-info/" in path:
                continue
            full = os.path.join(self.entry, path)
            _looked.add(full)
            try:
                found = os.stat(full)
                if found.st_mtime_ns > written or (size and found.st_size != int(size)):
                    with open(full, "rb") as handle:
                        raw = hashlib.sha256(handle.read()).digest()
                    actual = "sha256=" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
                    expected = actual if expected.startswith("sha256=") else expected + " " + actual
            except (OSError, ValueError):
                expected = "missing"
            lines.append(path + "\0" + expected)
        text = "\n".join(sorted(lines)).encode("utf-8", "surrogateescape")
        return self.version + "+" + hashlib.sha256(text).hexdigest()[:16]


def places(entry, top):
    """Where a top-level module of an entry lies: a folder, or files with one of the suffixes."""
    folder = os.path.join(entry, top)
    names = listing(entry) or ()
    out = [os.path.join(entry, top + s) for s in SUFFIXES if top + s in names]
    return out + ([folder] if os.path.isdir(folder) else [])


def tree_digest(paths):
    """The digest of files and folders of modules, compiled ones aside."""
    seen = hashlib.sha256()
    for root in paths:
        files = [root] if os.path.isfile(root) else []
        for folder, names, inside in os.walk(root):
            _looked.add(folder)
            names[:] = sorted(n for n in names if n != "__pycache__")
            files.extend(os.path.join(folder, n) for n in sorted(inside))
        for file in files:
            _looked.add(file)
            with open(file, "rb") as handle:
                digest = hashlib.sha256(handle.read()).hexdigest()
            name = os.path.relpath(file, os.path.dirname(root))
            seen.update((name + "\0" + digest + "\n").encode("utf-8", "surrogateescape"))
    return seen.hexdigest()


_installed = {}


def installed(entry):
    """The distributions of one folder of the search path."""
    if entry not in _installed:
        names = sorted(n for n in listing(entry) or () if n.endswith((".dist-info", ".egg-info")))
        _installed[entry] = [Distribution(entry, n) for n in names]
    return _installed[entry]


_owners = {}


def owner_of(entry, file, top):
    """The distribution of an entry that a module's file belongs to, if it says so."""
    key = (entry, file)
    if key not in _owners:
        relative = os.path.relpath(file, entry).replace(os.sep, "/")
        # The one of the module's own name first: reading every record is for the rest.
        every = sorted(installed(entry), key=lambda d: d.key != normal(top))
        found = next((d for d in every if d.holds(relative)), None)
        if found is None and is_site(entry):
            found = next((d for d in every if d.record is None and (top in d.tops() or d.key == normal(top))), None)
        _owners[key] = found
    return _owners[key]


_identities = {}


def identity_of(distribution):
    if distribution.info not in _identities:
        _identities[distribution.info] = distribution.identity()
    return _identities[distribution.info]
`;
