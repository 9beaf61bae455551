#
#

# Copyright (C) 2026 the Ganeti project
# All rights reserved.
#
# Redistribution and use in source and binary forms, with or without
# modification, are permitted provided that the following conditions are
# met:
#
# 1. Redistributions of source code must retain the above copyright notice,
# this list of conditions and the following disclaimer.
#
# 2. Redistributions in binary form must reproduce the above copyright
# notice, this list of conditions and the following disclaimer in the
# documentation and/or other materials provided with the distribution.
#
# THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS
# IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED
# TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR
# PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR
# CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL,
# EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO,
# PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR
# PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF
# LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING
# NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS
# SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

"""Why a QMP command failed; and that only two modules read QEMU's words."""

import ast
import os

import pytest

import ganeti_kvm_pci
from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.qemu import refusals

_TOP = os.path.dirname(ganeti_kvm_pci.__file__)
_READERS = ["qemu/refusals.py", "qemu/start_error.py"]


@pytest.mark.parametrize("text, name", [
  ("kvm: error executing the device_del command: Device 'a' not found"
   " (DeviceNotFound):", "DeviceNotFound"),
  ("kvm: error executing the device_del command: Device a is already in the"
   " process of unplug (GenericError):", "GenericError"),
  ("Instance does not support the 'x' QMP command.", "CommandNotFound"),
  ("Device 'a' (hot) not found", None),
])
def test_class(text, name):
  assert refusals.error_class(text) == name


def test_reasons():
  def Err(words, name="GenericError"):
    return CommandError("device_del", words, name)

  assert refusals.is_not_found(Err("no such", "DeviceNotFound"))
  assert refusals.is_not_found(Err("Device 'a' not found"))
  assert refusals.is_not_found(Err("Failed to find node with node-name='a'"))
  assert refusals.is_not_found(Err("Cannot find node a"))
  assert refusals.is_unplug_pending(Err("already in the process of unplug"))
  assert refusals.is_in_use(Err("Node a is in use"))
  assert not refusals.is_in_use(Err("Node a is busy"))


def _compared(tree):
  for node in ast.walk(tree):
    if isinstance(node, ast.Compare) and \
        isinstance(node.ops[0], (ast.In, ast.NotIn)):
      try:
        value = ast.literal_eval(node.left)
      except ValueError:
        continue
      if isinstance(value, str) and len(value.split()) > 1:
        yield value


def test_nobody_else_looks_for_words():
  found = []
  for folder, _, names in os.walk(_TOP):
    for name in names:
      path = os.path.join(folder, name)
      if name.endswith(".py") and \
          os.path.relpath(path, _TOP) not in _READERS:
        with open(path, "rb") as stream:
          found += [(path, words)
                    for words in _compared(ast.parse(stream.read()))]
  assert not found
