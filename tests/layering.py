#!/usr/bin/env python3
"""Reads every #include and holds the tree to DESIGN.md's rules: which room may use which, where
third-party headers may appear, unique file names, sizes, a comment at the top of each source.

layering.py [ROOT]         check the tree; exit 1 with `path:line: what, and what to do`
layering.py --self-test    plant one violation of each rule in a copy of the tree: all must be caught
"""
import re
import shutil
import sys
import tempfile
from pathlib import Path

# The rooms whose public headers a room may include, beside its own and libfpx's. Written out in full,
# because "may use" is what the table is read for; cli and report meet everything.
ROOMS = {
    "libfpx": "",
    "io": "",
    "emul": "",
    "accel": "emul",
    "step": "accel emul",
    "tracer": "",
    "compare": "tracer",
    "trainer": "step accel emul io",
    "qualify": "step accel emul",
    "report": "io emul accel step tracer compare trainer qualify",
    "cli": "io emul accel step tracer compare trainer qualify report",
}
# The room that implements each header of include/fpx/.
HEADERS = {
    "libfpx": "status format tensor cpu pool convert profile block scale pack hadamard elemfn reduce metric stream figure arith exact",
    "io": "npy safetensors config json file records ablation",
    "emul": "gemm bound mma mma_bound mma_run mma_explain mma_finish mma_separate",
    "accel": "accel op device opshape",
    "step": "program exec shadow ops optable",
    "tracer": "trace digest",
    "compare": "diff golden growth settings loss_band",
    "trainer": "train model recipe checkpoint tokenizer sample",
    "qualify": "fault",
    "report": "report",
}
ROOM_OF = {f"fpx/{name}.h": room for room, names in HEADERS.items() for name in names.split()}

# Headers that the build makes, and the room they are made for.
GENERATED = {"recipes_shipped.h": "trainer"}

# Device plugins see these and nothing else of the tree.
PLUGIN_HEADERS = {"fpx/accel.h"}
SHARED_ELEMENT_HEADERS = set()  # file names of headers that gpu/ shares with a room

# Third-party headers: pattern -> where. tests/ may use all of them, `mpfr` and `check` are tests' only.
THIRD_PARTY = [
    (r"hdf5(_hl)?\.h|H5\w+\.h", "tracer"),
    (r"xxhash\.h|xxh3\.h", "tracer io"),
    (r"(cyaml/cyaml|yaml)\.h", "io"),
    (r"jansson\.h", "io report cli"),
    (r"sha2\.h", "io"),  # libmd
    (r"(cblas|openblas_config|lapacke)\.h", "emul"),
    (r"(mpfr|gmp|check)\.h", ""),
    (r"CL/\w+\.h|cuda\w*\.h|mma\.h|nvrtc\.h", "gpu"),
]
STANDARD_C = re.compile(
    r"(assert|complex|ctype|errno|fenv|float|inttypes|iso646|limits|locale|math|setjmp|signal|stdalign"
    r"|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|tgmath|threads|time|uchar"
    r"|wchar|wctype)\.h"
)
SYSTEM = re.compile(  # POSIX, Linux, intrinsics
    r"(dirent|dlfcn|fcntl|fnmatch|ftw|getopt|glob|libgen|poll|pthread|sched|semaphore|spawn|strings"
    r"|termios|unistd|cpuid|\w+intrin|arm_neon)\.h|(sys|linux|asm)/\w+\.h"
)

CODE = {".c", ".h", ".inc", ".cu", ".cl"}
SCRIPT = {".py", ".sh"}
NAMED = CODE | SCRIPT | {".md", ".yaml", ".yml", ".1"}  # data files may repeat a name, these may not
SAME_NAME_OK = {"meson.build", "README.md"}
MAX_LINES, MAX_PUBLIC_LINES = 800, 250

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)"|(\S+))')


def skipped(folder):
    """Folders that are not part of the tree: hidden, built, or written by a run."""
    return folder.startswith((".", "build", "__pycache__", "runs", "subprojects")) or folder.endswith(".seg")


def files_of(root):
    todo, found = [root], []
    while todo:
        for path in sorted(todo.pop().iterdir()):
            if path.is_symlink():
                continue
            if path.is_dir():
                if not skipped(path.name):
                    todo.append(path)
            else:
                found.append(path.relative_to(root))
    return sorted(found)


def home_of(path):
    """The room a file belongs to: 'libfpx', ..., 'gpu', 'tests', or None (free of the rules on rooms)."""
    top = path.parts[0]
    if path.parts[:2] == ("include", "fpx"):
        return ROOM_OF.get("/".join(path.parts[1:]))
    return top if top in ROOMS or top in ("gpu", "tests") else None


def may_use(room):
    return {room, "libfpx", *ROOMS[room].split()}


def check_angled(path, room, name):
    """What is wrong with #include <name> in this file, or None."""
    public = path.parts[0] == "include"
    if name.startswith("fpx/"):
        if name not in ROOM_OF:
            return f"<{name}> belongs to no room: add it to HEADERS in tests/layering.py"
        if room == "gpu" and name not in PLUGIN_HEADERS:
            return f"a plugin may not include <{name}>: only {', '.join(sorted(PLUGIN_HEADERS))}"
        if room in ROOMS and ROOM_OF[name] not in may_use(room):
            return f"{room} may not include <{name}>: it belongs to {ROOM_OF[name]} (DESIGN.md, The house)"
        return None
    if STANDARD_C.fullmatch(name):
        return None
    if public:
        return f"a public header may not include <{name}>: only C17's own and <fpx/...>"
    if SYSTEM.fullmatch(name):
        return None
    for pattern, where in THIRD_PARTY:
        if re.fullmatch(pattern, name):
            if room == "tests" or room in where.split():
                return None
            return f"{room or path.parts[0]} may not include <{name}>: only {where.replace(' ', ', ') or 'tests'} may"
    return f"<{name}> is unknown: add it to THIRD_PARTY or SYSTEM in tests/layering.py"


def check_quoted(path, room, name, homes):
    """Quotes are for files of the same room; a test also sees the room that it tests."""
    base = name.rsplit("/", 1)[-1]
    if room == "gpu" and base in SHARED_ELEMENT_HEADERS:
        return None
    if path.parts[0] == "include":
        return f'a public header may not include "{name}": use <fpx/...>'
    if base in GENERATED:
        return None if room == GENERATED[base] else f'"{name}" is generated for {GENERATED[base]} alone'
    if base not in homes:
        return f'"{name}" is not in the tree'
    allowed = {room}
    if room == "tests" and len(path.parts) > 2:
        allowed.add(path.parts[1])
    if homes[base] not in allowed:
        return f'"{name}" belongs to {homes[base]}: quotes are for files of the same room'
    return None


def check_includes(path, text, homes):
    room = home_of(path)
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        angled, quoted, computed = match.groups()
        if computed:
            wrong = None if room == "tests" else f"computed #include {computed} cannot be checked"
        elif quoted:
            wrong = check_quoted(path, room, quoted, homes)
        else:
            wrong = check_angled(path, room, angled)
        if wrong:
            yield number, wrong


def check_form(path, text):
    """Size, and the comment that says what a file is."""
    lines = text.splitlines()
    generated = any("generated" in line.lower() for line in lines[:3])
    public = path.parts[:2] == ("include", "fpx")
    limit = MAX_PUBLIC_LINES if public else MAX_LINES
    if len(lines) > limit and (public or not generated):
        yield len(lines), f"{len(lines)} lines, at most {limit}: split it"
    if path.name in SAME_NAME_OK:
        return
    first = next((x for x in lines if x.strip() and not x.startswith("#!")), "")
    if not first.lstrip().startswith(("/*", "//") if path.suffix in CODE else ("#", '"""')):
        yield 1, "no comment at the top: say in one to three lines what this file is and why it is right"


def check(root):
    """All findings as (path, line, text), and how many sources were read."""
    findings, by_name, homes, sources = [], {}, {}, []
    for path in files_of(root):
        if path.suffix in NAMED and path.name not in SAME_NAME_OK:
            by_name.setdefault(path.name, []).append(path)
        if path.suffix in CODE | SCRIPT:
            sources.append(path)
        if path.suffix in CODE:
            homes[path.name] = home_of(path)
        if path.parts[:2] == ("include", "fpx") and "/".join(path.parts[1:]) not in ROOM_OF:
            findings.append((path, 1, "belongs to no room: add it to HEADERS in tests/layering.py"))
    for name, paths in by_name.items():
        for other in paths[1:]:
            findings.append((other, 1, f"{paths[0]} has the same name: file names are unique in the tree"))
    for path in sources:
        text = (root / path).read_text(encoding="utf-8")
        found = list(check_form(path, text))
        if path.suffix in CODE:
            found += check_includes(path, text, homes)
        findings += [(path, line, what) for line, what in found]
    return findings, len(sources)


HEAD = "/* A planted file. */\n"
PLANTS = [  # file to write, its text, a part of the finding it must cause; None: must cause none
    ("libfpx/plant.c", HEAD + "#include <fpx/gemm.h>\n", "libfpx may not include <fpx/gemm.h>"),
    ("emul/plant.c", HEAD + "#  include <fpx/accel.h>\n", "emul may not include <fpx/accel.h>"),
    ("io/plant.c", HEAD + "#include <fpx/gemm.h>\n", "io may not include"),
    ("tracer/plant.c", HEAD + "#include <fpx/program.h>\n", "tracer may not include"),
    ("compare/plant.c", HEAD + "#include <fpx/exec.h>\n", "compare may not include"),
    ("trainer/plant.c", HEAD + "#include <fpx/trace.h>\n", "trainer may not include"),
    ("qualify/plant.c", HEAD + "#include <fpx/train.h>\n", "qualify may not include"),
    ("gpu/plant.c", HEAD + "#include <fpx/tensor.h>\n", "a plugin may not include"),
    ("include/fpx/gemm.h", HEAD + "#include <fpx/device.h>\n", "emul may not include <fpx/device.h>"),
    ("include/fpx/tensor.h", HEAD + "#include <hdf5.h>\n", "a public header may not include <hdf5.h>"),
    ("include/fpx/tensor.h", HEAD + '#include "format.h"\n', 'may not include "format.h"'),
    ("include/fpx/plant.h", HEAD, "belongs to no room"),
    ("include/fpx/tensor.h", HEAD + "\n" * MAX_PUBLIC_LINES, "at most 250"),
    ("compare/plant.c", HEAD + "#include <hdf5.h>\n", "only tracer may"),
    ("trainer/plant.c", HEAD + "#include <cyaml/cyaml.h>\n", "only io may"),
    ("tracer/plant.c", HEAD + "#include <jansson.h>\n", "only io, report, cli may"),
    ("accel/plant.c", HEAD + "#include <cblas.h>\n", "only emul may"),
    ("libfpx/plant.c", HEAD + "#include <mpfr.h>\n", "only tests may"),
    ("libfpx/plant.c", HEAD + "#include <zlib.h>\n", "<zlib.h> is unknown"),
    ("libfpx/plant.c", HEAD + "#include PLANT\n", "computed #include"),
    ("step/plant.c", HEAD + '#include "../tests/header_test.c"\n', "belongs to tests"),
    ("step/plant.c", HEAD + '#include "nowhere.h"\n', "is not in the tree"),
    ("cli/format.h", HEAD, "has the same name"),
    ("step/plant.c", HEAD + "\n" * MAX_LINES, "at most 800"),
    ("step/plant.c", "int plant;\n", "no comment at the top"),
    ("tests/plant.py", "#!/usr/bin/env python3\nimport sys\n", "no comment at the top"),
    ("step/plant.c", "/* Generated by plant.py. */\n" + "\n" * MAX_LINES, None),
    ("cli/plant.c", HEAD + "#include <fpx/trace.h>\n#include <jansson.h>\n", None),
    ("tests/step/plant.c", HEAD + "#include <mpfr.h>\n#include <fpx/train.h>\n", None),
    ("build-plant/plant.c", "#include <fpx/nowhere.h>\n", None),
]


def self_test(root):
    missed = 0
    with tempfile.TemporaryDirectory() as tmp:
        copy = Path(tmp) / "tree"
        shutil.copytree(root, copy, ignore=lambda _, names: [n for n in names if skipped(n)])
        before = {(str(p), what) for p, _, what in check(copy)[0]}
        for name, text, want in PLANTS:
            path = copy / name
            saved = path.read_bytes() if path.exists() else None
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            new = [what for p, _, what in check(copy)[0] if (str(p), what) not in before]
            if (new if want is None else not any(want in what for what in new)):
                missed += 1
                print(f"{name}: expected {want or 'no finding'}, got {new}")
            path.unlink() if saved is None else path.write_bytes(saved)
    print(f"layering --self-test: {len(PLANTS) - missed} of {len(PLANTS)} as expected")
    return 1 if missed else 0


def main(args):
    here = Path(__file__).resolve().parent.parent
    if args == ["--self-test"]:
        return self_test(here)
    root = Path(args[0]) if len(args) == 1 else here
    if len(args) > 1 or not (root / "include" / "fpx").is_dir():
        print(__doc__, file=sys.stderr)
        return 2
    findings, count = check(root)
    for path, line, what in findings:
        print(f"{path}:{line}: {what}")
    print(f"layering: {count} sources, {len(findings)} findings")
    return 1 if findings or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
