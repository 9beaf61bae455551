"""What setup.py says of the package, by any setuptools.

With one that writes down what it is given: not every Python has a real one.

"""

import io
import json
import os
import subprocess
import sys

import pytest

import ganeti_kvm_pci

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__))))

SETUPTOOLS = """
import json

__version__ = "%s"

def find_packages(include):
  return include

def setup(**kwargs):
  print(json.dumps(kwargs))
"""


def given_to(tmpdir, version):
  """Return what setup.py gives to setuptools of a version."""
  tmpdir.join("setuptools.py").write(SETUPTOOLS % version)
  return json.loads(subprocess.check_output(
    [sys.executable, "-B", os.path.join(TOP, "setup.py")],
    env=dict(os.environ, PYTHONPATH=str(tmpdir)),
    cwd=str(tmpdir)).decode("ascii"))


@pytest.mark.parametrize("version", ["40.8.0", "44.1.1", "59.6.0"])
def test_old_setuptools_is_given_all_that_pyproject_has(tmpdir, version):
  given = given_to(tmpdir, version)
  assert given["version"] == ganeti_kvm_pci.__version__
  assert given["license"] == "BSD-2-Clause"
  assert given["packages"] == ["ganeti_kvm_pci", "ganeti_kvm_pci.*"]
  with io.open(os.path.join(TOP, "README.md"), encoding="utf-8") as stream:
    assert given["long_description"] == stream.read()
  assert given["entry_points"] == {
    "console_scripts": ["ganeti-kvm-pci = ganeti_kvm_pci.cli:main"]}
  assert given["python_requires"].startswith(">=2.7,!=3.0.*")
  assert "Programming Language :: Python :: 2.7" in given["classifiers"]
  if sys.version_info >= (3, 11):
    import tomllib
    with open(os.path.join(TOP, "pyproject.toml"), "rb") as stream:
      project = tomllib.load(stream)["project"]
    names = {"requires-python": "python_requires"}
    for name in ("name", "description", "keywords", "classifiers",
                 "requires-python"):
      assert given[names.get(name, name)] == project[name]
    assert given["author"] == project["authors"][0]["name"]
    assert given["entry_points"]["console_scripts"] == [
      "%s = %s" % script for script in project["scripts"].items()]
    assert given["project_urls"] == project["urls"]
    assert set(project) - set(names) == set([
      "name", "description", "readme", "authors", "keywords", "classifiers",
      "dynamic", "scripts", "urls"])


@pytest.mark.parametrize("version", ["61.0.0", "66.1.1", "84.2.1.post1"])
def test_newer_setuptools_reads_pyproject_itself(tmpdir, version):
  given = given_to(tmpdir, version)
  given.pop("data_files")
  assert given == {
    "license": "BSD-2-Clause",
    "options": {"bdist_wheel": {"python_tag": "py2.py3"}},
    "packages": ["ganeti_kvm_pci", "ganeti_kvm_pci.*"]}


def test_each_file_that_is_installed_is_there(tmpdir):
  found = given_to(tmpdir, "66.1.1")["data_files"]
  assert [path for _, paths in found for path in paths
          if not os.path.isfile(os.path.join(TOP, path))] == []
  assert len(found) > 3
