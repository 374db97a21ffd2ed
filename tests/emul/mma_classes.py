#!/usr/bin/env python3
"""The classes of matrix units that no input tells apart, as the table in docs/models.md: made by `fpx models X --vectors all`
for every preset X.

mma_classes.py FPX              prints the table
mma_classes.py FPX models.md    1 where the document has another one"""
import json
import subprocess
import sys


def fpx_json(*args):
    return json.loads(subprocess.run([*args, "--json", "-"], capture_output=True, text=True, check=True).stdout)


def table(fpx):
    models = fpx_json(fpx, "models")["models"]
    class_of = {}
    pairs = {"equivalent": 0, "separated": 0}
    rows = []
    for model in models:
        name = model["name"]
        mine = [name]
        for other in fpx_json(fpx, "models", name, "--vectors", "all")["comparisons"]:
            pairs[other["verdict"]] += 1
            if other["verdict"] == "equivalent":
                mine.append(other["other"])
        mine = class_of.setdefault(name, mine)
        # Equivalent over the formats that two have in common; a class is of those that say so of each other.
        for other in mine:
            class_of.setdefault(other, mine)
        if mine[0] == name:
            rows.append((model, mine))
    lines = ["| A, B -> D | units that no input tells apart |", "|---|---|"]
    for model, names in rows:
        if len(names) > 1:
            types = (model["inputs"] or "any") + (", scales " + model["scales"] if model["scales"] else "")
            lines.append(f"| {types} -> {model['output']} | {', '.join('`' + n + '`' for n in names)} |")
    alone = sum(len(names) == 1 for _, names in rows)
    lines.append("")
    lines.append(f"{len(models)} units, {len(rows)} classes, {alone} of them of one unit; of {sum(pairs.values()) // 2} pairs with types in "
                 f"common {pairs['equivalent'] // 2} are equivalent and {pairs['separated'] // 2} separated.")
    return "\n".join(lines)


def main(fpx, document=None):
    text = table(fpx)
    if document is None:
        print(text)
        return 0
    with open(document, encoding="utf-8") as file:
        holds = text in file.read()
    print("the table of classes is " + ("as documented" if holds else f"another one:\n{text}"))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
