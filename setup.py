"""Packaging of ganeti-kvm-pci, beside C{pyproject.toml}."""

import ast
import io
import os
import re

import setuptools

HERE = os.path.dirname(os.path.abspath(__file__))


def read(*names):
  with io.open(os.path.join(HERE, *names), encoding="utf-8") as stream:
    return stream.read()


def tables():
  """Read C{pyproject.toml}, as far as strings and lists go.

  @rtype: dict of dicts
  @return: the name of each table to what it has

  """
  found = {}
  for name, body in re.findall(r"(?ms)^\[([\w.-]+)\]\n(.*?)(?=^\[|\Z)",
                               re.sub("(?m)^#.*\n", "", read("pyproject.toml"))):
    found[name] = {}
    for key, value in re.findall(r"(?ms)^([\w-]+) = (.*?)\n(?=[\w-]+ = |\Z)",
                                 body.strip() + "\n"):
      # what TOML writes otherwise than Python
      value = re.sub(r"(?<=\{)(\w+) = ", r'"\1": ', value)
      found[name][key] = ast.literal_eval(value)
  return found


def metadata():
  """Tell what setuptools before 61 does not read."""
  project = tables()["project"]
  scripts = tables()["project.scripts"]
  return {
    "name": project["name"],
    "version": re.search(r'__version__ = "([^"]+)"',
                         read("ganeti_kvm_pci", "__init__.py")).group(1),
    "description": project["description"],
    "long_description": read(project["readme"]),
    "long_description_content_type": "text/markdown",
    "author": project["authors"][0]["name"],
    "keywords": project["keywords"],
    "classifiers": project["classifiers"],
    "project_urls": tables()["project.urls"],
    "python_requires": project["requires-python"],
    "entry_points": {"console_scripts": [
      "%s = %s" % script for script in sorted(scripts.items())]},
    }


def data():
  """List what is installed beside the package, by folders below the prefix."""
  doc = "share/doc/ganeti-kvm-pci"
  return [
    ("share/man/man8", ["man/ganeti-kvm-pci.8"]),
    ("share/bash-completion/completions", ["completion/ganeti-kvm-pci"]),
    (doc, ["README.md", "NEWS.md"]),
    (doc + "/doc", ["doc/" + name for name in (
      "design-pci-partition.rst", "operation.rst", "output-schema.json",
      "output.rst")]),
    ]


old = int(setuptools.__version__.split(".")[0]) < 61
setuptools.setup(
  license="BSD-2-Clause",
  packages=setuptools.find_packages(
    include=["ganeti_kvm_pci", "ganeti_kvm_pci.*"]),
  data_files=data(),
  # one for both; "universal" goes out of setuptools
  options={"bdist_wheel": {"python_tag": "py2.py3"}},
  **(metadata() if old else {}))
