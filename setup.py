"""Packaging of ganeti-kvm-pci."""

import io
import os
import re

from setuptools import setup

HERE = os.path.dirname(os.path.abspath(__file__))


def read(*names):
  with io.open(os.path.join(HERE, *names), encoding="utf-8") as stream:
    return stream.read()


setup(
  name="ganeti-kvm-pci",
  version=re.search(r'__version__ = "([^"]+)"',
                    read("ganeti_kvm_pci", "__init__.py")).group(1),
  description="Partitioned PCI bus for Ganeti's KVM instances",
  long_description=read("README.md"),
  long_description_content_type="text/markdown",
  license="BSD-2-Clause",
  packages=["ganeti_kvm_pci"],
  python_requires=">=2.7,!=3.0.*,!=3.1.*,!=3.2.*,!=3.3.*,!=3.4.*,!=3.5.*",
  entry_points={
    "console_scripts": ["ganeti-kvm-pci = ganeti_kvm_pci.cli:main"],
    },
  )
