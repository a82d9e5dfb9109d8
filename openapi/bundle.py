"""The parts of the document, put together as one.

parley.yaml has what belongs to the whole document. Each of its tags has a file in resources/ with the paths of that tag and the
components that belong to them; shared/ has the components that all resources use. A name is unique in the whole document, so
a reference is `#/components/...` wherever its target is written.
"""

import yaml

# What the parts add to. All else belongs to parley.yaml.
TABLES = ("paths", "x-problems")

# Ten times as fast where PyYAML was built with libyaml, as in Debian.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DuplicateName(ValueError):
    pass


def part_paths(folder, tags):
    """The files of the parts, in the order of the tags; what is shared comes last."""
    resources = [folder / "resources" / f"{tag['name'].lower()}.yaml" for tag in tags]
    stray = set((folder / "resources").glob("*.yaml")) - set(resources)
    if stray:
        raise ValueError(f"{sorted(stray)[0]}: parley.yaml has no such tag")
    return resources + sorted((folder / "shared").glob("*.yaml"))


def read(path):
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, LOADER)


def add(table, more, where):
    for name, value in more.items():
        if name in table:
            raise DuplicateName(f"{where}: a second {name}")
        table[name] = value


def load(folder):
    """The whole document, as the sources say it."""
    root = read(folder / "parley.yaml")
    root.update({table: {} for table in TABLES})
    for path in part_paths(folder, root["tags"]):
        part = read(path)
        for kind, components in part.pop("components", {}).items():
            add(root["components"].setdefault(kind, {}), components, path.name)
        for table in TABLES:
            add(root[table], part.pop(table, {}), path.name)
        if part:
            raise ValueError(f"{path.name}: {sorted(part)[0]} belongs in parley.yaml")
    return root
