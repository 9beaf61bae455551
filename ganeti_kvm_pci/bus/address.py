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

"""The forms in which the PCI address of a device appears.

  - in code: the slot, a decimal int from 0 to 31, with the function (0 to 7)
    beside it where it matters
  - in the runtime file of Ganeti 2.16 and later: C{hvinfo["addr"]}, e.g.
    C{"0xc"}
  - in the runtime file of Ganeti 2.10 to 2.15: C{pci}, an int, e.g. C{12}
  - on QEMU's command line: C{addr=0xc} or C{addr=0xc.0x1}. QEMU reads the
    digits as hexadecimal with or without C{0x}: C{addr=10} is slot 16
    (set_pci_devfn() in hw/core/qdev-properties-system.c, QEMU 5.2 to 11.1)
  - in QEMU's object model: C{devfn}, an int, slot * 8 + function

"""

import re

from ..errors import AddressError

#: Slots of a conventional PCI bus, by the PCI specification.
SLOTS = 32

#: Functions of a slot, by the PCI specification.
FUNCTIONS = 8

#: The bus that QEMU's machine type pc (i440fx) makes, and that of q35.
BUS = "pci.0"
PCIE_BUS = "pcie.0"

#: The device of each machine type that has it.
_HOST_BRIDGES = {BUS: "i440FX-pcihost", PCIE_BUS: "q35-pcihost"}

_ADDR_RE = re.compile(r"^(?:0[xX])?([0-9a-fA-F]+)"
                      r"(?:\.(?:0[xX])?([0-9a-fA-F]+))?\Z")


#: What is written nearly always, read.
_READ = dict(("0x%x" % slot, (slot, 0)) for slot in range(SLOTS))


def check_slot(slot):
  """Return a slot that really is one.

  @type slot: int
  @rtype: int
  @raise AddressError: for anything but an int from 0 to 31

  """
  if isinstance(slot, bool) or not isinstance(slot, int):
    raise AddressError(slot, "a slot is a number")
  if not 0 <= slot < SLOTS:
    raise AddressError(slot, "slots go from 0 to %d" % (SLOTS - 1))
  return slot


def check_function(function):
  """Return a function of a slot that really is one.

  @type function: int
  @rtype: int
  @raise AddressError: for anything but an int from 0 to 7

  """
  if isinstance(function, bool) or not isinstance(function, int):
    raise AddressError(function, "a function is a number")
  if not 0 <= function < FUNCTIONS:
    raise AddressError(function, "functions go from 0 to %d" % (FUNCTIONS - 1))
  return function


def parse(text):
  """Read an address as QEMU would.

  @type text: string
  @param text: e.g. C{"0xc"} or C{"0xc.0x1"}
  @rtype: tuple of two ints
  @return: slot and function
  @raise AddressError: if QEMU would not take it for an address

  """
  try:
    if text in _READ:
      return _READ[text]
    match = _ADDR_RE.match(text)
  except TypeError:
    raise AddressError(text, "it is no text")
  if not match:
    raise AddressError(text, "hexadecimal SLOT or SLOT.FUNCTION expected")
  slot = int(match.group(1), 16)
  function = int(match.group(2) or "0", 16)
  if slot >= SLOTS:
    raise AddressError(text, "slot %d is beyond the last one, %d" %
                       (slot, SLOTS - 1))
  if function >= FUNCTIONS:
    raise AddressError(text, "function %d is beyond the last one, %d" %
                       (function, FUNCTIONS - 1))
  return (slot, function)


def is_bus(name, wanted=BUS):
  """Tell whether a bus, as an option names it, is pci.0, or pcie.0.

  By its own name, or by a path that leads to it or to the host bridge, which
  has no other (QEMU's qbus_find()).

  @type name: string
  @param wanted: L{BUS} or L{PCIE_BUS}
  @rtype: bool

  """
  return last_of(name) in (wanted, _HOST_BRIDGES[wanted])


def last_of(name):
  """Return the bus, or device, that a path as an option names it leads to.

  @type name: string
  @rtype: string

  """
  return name.rstrip("/").rpartition("/")[2]


def unparse(slot, function=0):
  """Write an address as Ganeti's runtime files and QEMU's options have it.

  @rtype: string
  @return: C{"0xc"}, or C{"0xc.0x1"} for a function other than 0

  """
  check_slot(slot)
  if check_function(function):
    return "0x%x.0x%x" % (slot, function)
  return "0x%x" % slot


def from_devfn(devfn):
  """Split QEMU's C{devfn}.

  @rtype: tuple of two ints
  @return: slot and function
  @raise AddressError: if it denotes none

  """
  if (isinstance(devfn, bool) or not isinstance(devfn, int) or
      not 0 <= devfn < SLOTS * FUNCTIONS):
    raise AddressError(devfn, "a devfn goes from 0 to %d" %
                       (SLOTS * FUNCTIONS - 1))
  return divmod(devfn, FUNCTIONS)
