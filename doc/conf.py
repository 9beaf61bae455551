"""Sphinx's settings; C{make doc} writes the pages."""

# Sphinx's names
# pylint: disable=invalid-name

project = "ganeti-kvm-pci"
copyright = "2026, the Ganeti project" # pylint: disable=redefined-builtin
root_doc = "index"
extensions = ["sphinx.ext.graphviz"]
html_theme = "alabaster"
html_copy_source = False
man_pages = [("ganeti-kvm-pci.8", "ganeti-kvm-pci",
              "partitioned PCI bus for Ganeti's KVM instances", "", 8)]
