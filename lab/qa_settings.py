"""What Ganeti's QA suite is told about the lab: its configuration file.

Its own sample is C{qa/qa-sample.json}. What the suite needs and the lab lacks
is off, and L{OFF} says why.

"""

import re

STORAGE = {
  "file": "/srv/ganeti/file-storage",
  "sharedfile": "/srv/ganeti/shared-file-storage",
  "diskless": "/srv/ganeti/file-storage",
}

#: What the suite's DT_PLAIN stands for here: some of its tests (import, adding
#: by RAPI, secret OS parameters, export with removal) create C{plain} only.
PLAIN = "file"

#: Tests that are on, by the names that the suite gives them.
ON = [
  "rapi", "tags", "default-instance-tests", "cluster-verify",
  "instance-add-plain-disk", "instance-add-shared-file",
  "instance-add-diskless", "instance-add-restricted-by-disktemplates",
  "instance-add-osparams", "instance-automatic-restart", "instance-console",
  "instance-convert-disk", "instance-device-hotplug", "instance-device-names",
  "instance-export", "instance-failover", "instance-grow-disk",
  "instance-import", "instance-info", "instance-migrate",
  "instance-modify", "instance-modify-disks", "instance-modify-primary",
  "instance-reboot", "instance-recreate-disks", "instance-reinstall",
  "instance-rename", "instance-shutdown", "instance-user-down",
  "instance-consecutive-failures",
]

#: Tests about instances that are off.
OFF = {
  "instance-add-file": "the suite's plain disks are files here",
  "instance-add-drbd-disk": "the kernel has no DRBD",
  "instance-remove-drbd-offline": "the kernel has no DRBD",
  "instance-replace-disks": "DRBD only",
  "node-evacuate": "moves secondary nodes: DRBD only",
  "instance-add-rbd": "there is no Ceph",
  "instance-add-gluster": "there is no Gluster",
  "exclusive-storage-instance-tests": "needs LVM; no device mapper",
  "inter-cluster-instance-move": "needs a second cluster",
  "instance-communication": "needs dnsmasq on the node",
  "instance-list": "queries alone, for minutes",
  "instance-iterate-hvparams": "takes hours; HVPARAMS=yes turns it on",
}

#: Tests that Ganeti passes by luck, and why; they get L{ATTEMPTS}, and do not
#: count where runs are compared.
RACY = {
  "TestInstanceUserDown":
    "ganeti-kvmd connects to a monitor once, when its socket appears; QEMU may"
    " not listen yet (kvm-daemon.log: Connection refused)",
}
ATTEMPTS = 3

#: Tests that fail on unmodified Ganeti 3.0.2 and 3.1.0~rc2, and why; those that
#: do with one disk template alone have its name before theirs.
KNOWN = {
  "diskless: TestInstanceExport":
    "3.0: the folder is made with the first disk's file, and there is none",
  "diskless: TestInstanceModify":
    "3.0: adds a disk hot, without a template, to an instance that has none;"
    " 3.1: as diskless: TestInstanceRenameAndBack",
  "diskless: TestInstanceRenameAndBack":
    "the suite reads the list of disks, and there is none",
  "diskless: TestRecreateDisks":
    "as diskless: TestInstanceRenameAndBack",
  "TestInstanceDeviceNames":
    "removes a disk of a running instance without hotplug, which Ganeti"
    " refuses since 2.16",
  "TestInstanceModifyDisks":
    "3.0: as TestInstanceDeviceNames; 3.1: gives spindles both times",
  "TestInstanceExport":
    "3.1: socat 1.8 wants the host's name in the certificate, which has"
    " another",
  "TestInstanceExportWithRemove": "as TestInstanceExport",
  "TestInstanceImport": "where nothing was exported",
  "TestInstanceReinstall":
    "the image that cannot be had stays in the instance's OS parameters, so"
    " that its next step fetches it again",
}

#: What Ganeti says of an instance that there is not, and so why a test fails
#: that is about one which the test before was to make.
NO_INSTANCE = re.compile("Selection filter does not match any instances$|"
                         "Instance '[^']+' not known$")


def settings(hvparams=False):
  """Write what the suite's configuration file has.

  @param hvparams: whether to go through the values of hypervisor parameters,
      as the suite of 3.1 can
  @return: dictionary, for JSON

  """
  tests = {"default": False}
  tests.update((name, True) for name in ON)
  if hvparams:
    tests["instance-iterate-hvparams"] = True
  return {
    "name": "cluster.gnt.test",
    "enabled-hypervisors": "kvm",
    "primary_ip_version": 4,
    "exclusive-storage": False,
    "enabled-disk-templates": ["sharedfile", "file", "diskless"],
    "convert-disk-templates": ["sharedfile", "file"],
    "default-file-storage-dir": STORAGE["file"],
    "default-shared-file-storage-dir": STORAGE["sharedfile"],
    "file-storage-dir": STORAGE["file"],
    "os": "noop",
    "minmem": "256M",
    "maxmem": "256M",
    "disks": [
      {"size": "512M", "growth": "256M", "name": "disk0"},
      {"size": "512M", "growth": "128M", "name": "disk1"},
    ],
    "instance-check": "/srv/lab/qa/instance-check",
    "modify_ssh_setup": False,
    "nodes": [{"primary": "node%d.gnt.test" % n,
               "secondary": "192.0.2.%d" % n} for n in (1, 2)],
    "instances": [{"name": "vm%d.gnt.test" % n} for n in range(1, 6)],
    "groups": {"group-with-nodes": "default"},
    "tests": tests,
    "options": {"reboot-types": ["soft", "hard", "full"],
                "use-iallocators": False},
  }
