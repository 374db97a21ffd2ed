"""The worked example of a page of docs/: compiled as it says, with copies of the archives, it prints what it says.
library_doc.py ROOT PAGE ARCHIVE,ARCHIVE... COMPILER..."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

root, page, archives, compiler = sys.argv[1], sys.argv[2], sys.argv[3].split(","), sys.argv[4:]
with open(os.path.join(root, page), encoding="utf-8") as file:
    text = file.read()
source = re.search(r"```c\n(.*?)```", text, re.S)[1]
printed = re.search(r"It prints\n\n```\n(.*?)```", text, re.S)[1]
command = re.search(r"^gcc (.*)$", text, re.M)[1].split()
name = next(word for word in command if word.endswith(".c"))
place = {"include": os.path.join(os.path.abspath(root), "include")}
with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(source)
    for archive in archives:
        own = os.path.basename(archive)
        shutil.copy(os.path.abspath(archive), os.path.join(folder, own))
        place.update({word: own for word in command if os.path.basename(word) == own})
    subprocess.run([*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Werror", *[place.get(word, word) for word in command]],
                   cwd=folder, check=True)
    got = subprocess.run([os.path.join(folder, name.removesuffix(".c"))], capture_output=True, text=True, check=True).stdout
if got != printed:
    print(f"{page} says\n{printed}the example prints\n{got}")
print(f"100%: Checks: 1, Failures: {int(got != printed)}, Errors: 0")
sys.exit(got != printed)
