"""
Tells which distributions the modules came from that a process of Python had imported when it ended.
`sitecustomize.py` executes this text at the exit of a step's Python, with `report`, the file to
which one line of JSON is added, among its globals.

Only what lies beside metadata of distributions (`*.dist-info`, `*.egg-info`) is looked at: neither
the standard library nor the project's own modules. A module is known by the name of its
distribution, else by `top_level.txt`, else by the list of installed files; so a few small files are
read, and not the metadata of all that is installed. What cannot be told so is named as unknown.
"""
import os
import re
import sys

# A list of installed files may be megabytes long; its beginning names the modules.
LONGEST_RECORD = 256 * 1024
# So many distributions are looked into for modules that are called otherwise.
MOST_SEARCHED = 400


def normal(name):
    return re.sub("[-_.]+", "_", name).lower()


def modules_by_folder():
    """The names under which something of a folder was imported: `numpy`, `google/protobuf`."""
    files = {}
    for name, module in list(sys.modules.items()):
        told = getattr(module, "__dict__", None)
        file = told.get("__file__") if isinstance(told, dict) else None
        if isinstance(file, str):
            files[name] = file
    folders = {}
    for name, file in files.items():
        # Most are parts of a package that has a file itself: that one says it.
        if name.partition(".")[0] in files and "." in name:
            continue
        if name in ("__main__", "sitecustomize", "usercustomize"):
            continue
        parts = name.split(".")
        # Of a namespace, which has no file of its own, the first part that has one.
        if any(".".join(parts[:end]) in files for end in range(1, len(parts))):
            continue
        folder = os.path.dirname(file)
        if os.path.basename(file).startswith("__init__."):
            folder = os.path.dirname(folder)
        for _ in parts[1:]:
            folder = os.path.dirname(folder)
        folders.setdefault(folder, set()).add("/".join(parts))
    return folders


def text_of(path, longest=-1):
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read(longest)
    except OSError:
        return ""


class Distribution:
    def __init__(self, folder, entry):
        self.path = os.path.join(folder, entry)
        stem = entry.rsplit(".", 1)[0]
        self.name, _, rest = stem.partition("-")
        # Debian writes the version of Python behind that of the distribution.
        self.version = re.sub("-py[0-9.]+$", "", rest)

    def provides(self, module):
        top = text_of(os.path.join(self.path, "top_level.txt")).split()
        if top:
            return module.split("/")[0] in top
        record = "\n" + text_of(os.path.join(self.path, "RECORD"), LONGEST_RECORD)
        return "\n%s/" % module in record or "\n%s." % module in record

    def identity(self):
        for file in ("METADATA", "PKG-INFO", ""):
            head = text_of(os.path.join(self.path, file).rstrip(os.sep), 4096).split("\n\n", 1)[0]
            name = re.search("^Name: *(.+)$", head, re.M)
            version = re.search("^Version: *(.+)$", head, re.M)
            if name and version:
                return name.group(1).strip(), version.group(1).strip()
        return self.name, self.version


def distributions_in(folder):
    try:
        entries = os.listdir(folder or ".")
    except OSError:
        return []
    return [Distribution(folder, entry) for entry in sorted(entries) if entry.endswith((".dist-info", ".egg-info"))]


def imported():
    packages, unknown = {}, []
    for folder, modules in modules_by_folder().items():
        installed = distributions_in(folder)
        if not installed:
            continue
        by_name = {normal(each.name): each for each in installed}
        found = set()
        for module in sorted(modules):
            # Of a namespace the second part tells more: `google/protobuf`.
            maker = by_name.get(normal(module.replace("/", "-"))) or by_name.get(normal(module.split("/")[-1]))
            if maker is None:
                maker = next((each for each in installed[:MOST_SEARCHED] if each.provides(module)), None)
            if maker is None:
                unknown.append(module.replace("/", "."))
            else:
                found.add(maker)
        for maker in found:
            name, version = maker.identity()
            packages[name] = version
    return packages, unknown


def tell(report):
    import json

    packages, unknown = imported()
    version = "%d.%d.%d" % sys.version_info[:3]
    line = json.dumps({"python": version, "packages": packages, "unknown": sorted(unknown)}) + "\n"
    handle = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, line.encode("utf-8", "backslashreplace"))
    finally:
        os.close(handle)


tell(globals()["report"])
