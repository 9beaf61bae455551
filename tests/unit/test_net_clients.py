"""What C{info network} tells of netdevs and NICs."""

import pytest

from ganeti_kvm_pci.qemu import net_clients

NAME = "nic-000000a2-1111-2222"

# QEMU 7.2, of a guest with a NIC of two queues, one that kvm_extra has without
# an id, and a netdev that nothing uses
TEXT = """\
%s: index=0,type=nic,model=virtio-net-pci,macaddr=aa:00:00:00:00:02\r
 \\ %s: index=0,type=tap,fd=20\r
%s: index=1,type=nic,model=virtio-net-pci,macaddr=aa:00:00:00:00:02\r
 \\ %s: index=1,type=tap,fd=22\r
e1000.0: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:56\r
 \\ user0: index=0,type=user,net=10.0.2.0,restrict=off\r
left: index=0,type=tap,fd=24\r
""" % (NAME, NAME, NAME, NAME)

HUB = """\
hub 0\r
 \\ hub0port1: e1000.0: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:56\r
 \\ hub0port0: user0: index=0,type=user,net=10.0.2.0,restrict=off\r
"""


def test_netdevs_and_who_uses_them():
  assert net_clients.netdevs(TEXT) == {NAME: True, "user0": True,
                                       "left": False}
  assert net_clients.netdevs(HUB) == {"user0": True}
  assert net_clients.netdevs("") == {}


def test_nics_by_name():
  assert net_clients.nics(TEXT) == set([NAME, "e1000.0"])
  assert net_clients.nics(HUB) == set(["e1000.0"])
  assert net_clients.nics("") == set()


@pytest.mark.parametrize("text", [
  "filters:\r\n", "hub0port1\r\n", "%s: type=nic,index=0\r\n" % NAME,
  "%s: index=0,type=nic,model=e1000\r\n" % NAME])
def test_no_nics_from_what_is_not_understood(text):
  assert net_clients.nics(TEXT + text) is None
