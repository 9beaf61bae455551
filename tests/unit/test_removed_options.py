"""The table of the options that QEMU has removed."""

import re

from ganeti_kvm_pci.qemu import removed_options


def test_the_table_is_whole():
  for option in removed_options.OPTIONS:
    assert re.match("-[a-z]", option.flag)
    assert option.removed <= removed_options.LATEST
    assert option.source.startswith(("docs/about/", "tried: "))
    assert (option.since is None) == (option.renew is None)
    # there is always one that knows both, so that a guest can be moved
    assert option.since is None or option.since <= option.removed
    assert option.always or \
      "shut the instance down and start it" in option.remedy
