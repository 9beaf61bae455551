"""A guest whose NICs go by PCI path keeps their configuration.

No Windows can be had here. What stands in for it is a Linux whose udev names
each NIC, and gives it its IP address, by its PCI path.

"""

import os
import re
import subprocess

import pytest

import cluster

pytestmark = pytest.mark.two_nodes

#: Where unmodified Ganeti has three NICs after two disks, and what the guest
#: is to do with what is there.
PATHS = dict(("lan%d" % at, ("pci-0000:00:%02x.0" % (14 + at),
                             "198.51.100.%d/24" % (1 + at))) for at in range(3))


@pytest.fixture
def by_path():
  """Have a guest whose udev names and configures NICs by PCI path.

  @return: the hypervisor parameters that boot it

  """
  folder = os.path.join(os.environ["TMPDIR"], "by-path")
  links = os.path.join(folder, "tree/etc/systemd/network")
  rules = os.path.join(folder, "tree/etc/udev/rules.d")
  os.makedirs(links)
  os.makedirs(rules)
  with open(os.path.join(rules, "90-addresses.rules"), "w") as rule:
    for name, (path, address) in sorted(PATHS.items()):
      with open("%s/10-%s.link" % (links, name), "w") as link:
        link.write("[Match]\nPath=%s\n\n[Link]\nName=%s\n" % (path, name))
      rule.write('SUBSYSTEM=="net", ACTION=="add", ENV{ID_PATH}=="%s",'
                 ' RUN+="/bin/ip address add %s dev $name"\n' % (path, address))
  subprocess.run([cluster.PROJECT + "/lab/guest", "-u", folder + "/tree",
                  folder], check=True)
  image = "/srv/ganeti/by-path.initrd.gz"
  os.rename(folder + "/initrd.gz", image)
  yield {"initrd_path": image}
  os.remove(image)


def addresses(vm):
  """Ask the guest which of its NICs has which address."""
  seen = vm.guest("ip -o -4 address show", timeout=600)
  assert seen.status == 0, seen.output
  found = dict(re.findall(r"^\d+: (\S+) +inet (\S+)", seen.output, re.M))
  found.pop("lo", None)
  assert set(found) <= set(seen.nics)
  # a NIC without one is shown as such
  return dict((name, found.get(name)) for name in seen.nics)


def test_a_guest_that_goes_by_path(vm, another_vm, unmodified, installed,
                                   by_path, plugin_state, request):
  """From unmodified Ganeti, to a cold boot under the plugin without a NIC."""
  del unmodified
  guests = (vm, another_vm)
  configured = dict((name, address) for name, (_, address) in PATHS.items())
  for guest in guests:
    guest.add(disks=2, nics=3, hvparams=by_path)
  for guest in guests:
    assert addresses(guest) == configured
  # one of them
  installed("freeze", vm.name)
  plugin_state.switch(True)
  request.getfixturevalue("eight_reserved")
  del configured["lan1"]
  for guest in guests:
    guest.modify("--net", "1:remove")
    assert addresses(guest) == configured
  for guest in guests:
    guest.reboot()
  assert addresses(vm) == configured
  # the other has NICs that it does not know
  assert addresses(another_vm) == {"ens24": None, "ens25": None}
  # a new one disturbs none of them, neither now nor at the next boot
  vm.modify("--net", "add:link=br0")
  configured["ens24"] = None
  assert addresses(vm) == configured
  vm.reboot()
  assert addresses(vm) == configured
