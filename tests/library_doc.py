"""The worked example of docs/library.md: compiled as it says, with a copy of the archive, it prints what it says.
library_doc.py ROOT ARCHIVE COMPILER..."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

root, archive, compiler = sys.argv[1], os.path.abspath(sys.argv[2]), sys.argv[3:]
with open(os.path.join(root, "docs/library.md"), encoding="utf-8") as file:
    text = file.read()
source = re.search(r"```c\n(.*?)```", text, re.S)[1]
printed = re.search(r"It prints\n\n```\n(.*?)```", text, re.S)[1]
command = re.search(r"^gcc (.*)$", text, re.M)[1].split()
with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, "blocks.c"), "w", encoding="utf-8") as file:
        file.write(source)
    shutil.copy(archive, os.path.join(folder, "libfpx.a"))
    place = {"include": os.path.join(os.path.abspath(root), "include"), "build-release/libfpx/libfpx.a": "libfpx.a"}
    subprocess.run([*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Werror", *[place.get(word, word) for word in command]],
                   cwd=folder, check=True)
    got = subprocess.run([os.path.join(folder, "blocks")], capture_output=True, text=True, check=True).stdout
if got != printed:
    print(f"docs/library.md says\n{printed}the example prints\n{got}")
print(f"100%: Checks: 1, Failures: {int(got != printed)}, Errors: 0")
sys.exit(got != printed)
