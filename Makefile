# A line "## ..." says what the next target does; "make" alone prints them.
# "make demo" and "make test" install what they need (Debian 12, root), and so
# do most others; "make help", "test-unit", "doc", "man", "patches" and "dist"
# install nothing.

PYTHON = /usr/bin/python3
PYTEST = PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -p no:cacheprovider -q
GANETI_TREE = $(dir $(realpath /usr/sbin/ganeti-noded))

.PHONY: help needs demo doc test test-unit test-pythons contract test-qemu \
        test-doc test-runtime-files test-hotplug test-hotplug-pc \
        test-hotplug-q35 test-q35 test-patches test-cluster test-q35-cluster \
        test-torn test-tags test-integration test-suite test-devices \
        test-configurations test-frozen test-versions test-rollout \
        test-preflight test-upgrade test-deb test-deb-cluster \
        test-autopkgtest test-qa test-peers soak test-releases test-systemd \
        patches golden check-patches check-upstream bench bench-check \
        alternatives fuzz man dist deb test-pip clean

## prints this
help:
	@echo "make TARGET, where TARGET is one of"
	@awk '/^## / { does = does " " substr($$0, 4); next } \
	  does != "" { sub(/:.*/, ""); \
	    printf "  %-20s%s\n", $$0, does; does = "" }' $(MAKEFILE_LIST)

## installs what the others need, from Debian's packages
needs:
	tools/install-needs

## a real two-node cluster, without and with the plugin
demo: needs
	lab/up -n 2 $(PYTHON) demo/demo.py

# a warning is an error
## the pages as HTML, in build/doc; installs nothing
doc:
	@tools/check-needs $(PYTHON) -- sphinx-build dot
	sphinx-build -n -W --keep-going -q -b html doc build/doc
	@echo "written: build/doc/index.html"

# three at a time: guests keep others waiting, while all Pythons compute; what
# takes longest begins first, and what fails keeps none from running
## installs what is needed and runs all tests but test-torn
test: needs
	$(MAKE) --no-print-directory -k -j3 --output-sync=target test-cluster \
	  test-hotplug-pc test-pythons test-doc test-patches test-hotplug-q35 \
	  test-qemu test-runtime-files contract doc

# those under every Python are test-pythons'
## the unit tests (PYTHON=INTERPRETER); installs nothing
test-unit:
	@tools/check-needs $(PYTHON) pytest hypothesis
	$(PYTEST) tests/unit

# gives way to guests that run beside it
## unit tests, contract on stubs: each Python here; linter
test-pythons: needs
	nice -n 5 tools/run-tox

# the installed Ganeti, or any other with
# make contract GANETI_TREE=DIR PYTHON=INTERPRETER
## the contract suite on a real Ganeti, and tests/golden
contract: needs
	GANETI_TREE=$(GANETI_TREE) $(PYTEST) tests/contract
	GANETI_TREE=$(GANETI_TREE) $(PYTEST) -rs tests/golden

# for this Ganeti and that of Debian's trixie, or with
# make golden GANETI_TREE=DIR PYTHON=INTERPRETER for that one alone; look at what
# git diff says then
## writes anew what QEMU is started with (tests/golden)
golden: needs
	UPDATE=1 GANETI_TREE=$(GANETI_TREE) $(PYTEST) -rs tests/golden
	$(if $(filter file,$(origin GANETI_TREE)),UPDATE=1 tools/golden trixie)

## the tests that need a real QEMU and no Ganeti
test-qemu: needs
	$(PYTEST) tests/qemu

# the design document's tables are what happens with the Ganeti that is here
## what the documents say, compared with what happens
test-doc: needs
	$(PYTEST) tests/doc
	GANETI_TREE=$(GANETI_TREE) $(PYTEST) tests/integration/test_combinations.py \
	  tests/integration/test_scenario.py tests/integration/test_start.py

# RUNTIME_FILES=all for every one
## genuine runtime files of all Ganeti versions, booted
test-runtime-files: needs
	GANETI_TREE=$(GANETI_TREE) $(PYTEST) tests/integration/test_old_runtime_files.py

on_qemu = $(patsubst %,tests/integration/test_%.py,$(1))
HOTPLUG = faults scsi adverse left_behind monitor multiqueue one_way repair \
          unclaimed events pending refusals threads killed random migration \
          acpi_index frozen plan_hotplug guest_names kept_answers versions \
          block_jobs machine_type folder_removed samples

# TABLE=FILE for a table of it, such as benchmarks/results/versions.txt
## bare QEMU's migrations between all versions, beside ours
test-versions: needs
	for suite in bullseye trixie sid; do \
	  tools/test-suite $$suite true || exit; done
	VERSIONS=all VERSIONS_TABLE=$(TABLE) GANETI_TREE=$(GANETI_TREE) $(PYTEST) \
	  $(call on_qemu,versions)

# with q35 where it differs most, and what test-devices and test-configurations
# have more of
## hotplug and migration on a real QEMU, with faults
test-hotplug: needs
	$(MAKE) --no-print-directory test-hotplug-pc
	$(MAKE) --no-print-directory test-hotplug-q35

# what hotplug protects from, beside unmodified Ganeti; the node daemon killed
# at each fifth point (KILLED_EVERY=1: at every one, KILLED_THEN=both: twice); a
# long random run (RANDOM_STEPS, RANDOM_SEED); requests at once (THREADS_ROUNDS);
# each two versions of QEMU whose roots are here (MACHINE_VERSIONS=all)
## the greater part of it, with pc
test-hotplug-pc: needs
	GANETI_TREE=$(GANETI_TREE) $(PYTEST) -s $(call on_qemu,$(HOTPLUG))

## the rest of it: q35, some devices and configurations
test-hotplug-q35: needs
	MACHINE_TYPE=q35 GANETI_TREE=$(GANETI_TREE) $(PYTEST) -s \
	  $(call on_qemu,hotplug one_way start random machine_type)
	$(MAKE) --no-print-directory test-devices DEVICES_EVERY=12
	$(MAKE) --no-print-directory test-configurations CONFIGURATIONS=12

# with Ganeti's master, beside its own q35: make test-q35 GANETI_TREE=DIR
## all of hotplug, start and migration with guests of q35
test-q35: export MACHINE_TYPE = q35
test-q35: needs
	GANETI_TREE=$(GANETI_TREE) $(PYTEST) -s $(call on_qemu,hotplug $(HOTPLUG) \
	  start scenario combinations q35_parameters)
	$(MAKE) --no-print-directory test-devices DEVICES_EVERY=12
	$(MAKE) --no-print-directory test-configurations CONFIGURATIONS=12

# tests/golden with the one of them that is not installed
## the patches are the package's, and fit Debian's sources
test-patches: needs
	$(PYTEST) tests/patches
	$(PYTHON) tools/check-patches --debian
	tools/golden trixie

## scenarios on a real two-node cluster
test-cluster: needs
	$(PYTEST) tests/lab
	lab/up -n 2 $(PYTHON) -m pytest -p no:cacheprovider -v tests/cluster

# the others are about unmodified Ganeti too, which starts no q35 guest;
# test-cluster has what is of q35 alone
## the scenarios with q35 guests (also SUITE=trixie)
test-q35-cluster: needs
	$(if $(SUITE),tools/test-suite $(SUITE)) env MACHINE_TYPE=q35 lab/up -n 2 \
	  $(PYTHON) -m pytest -p no:cacheprovider -v tests/cluster/test_q35.py \
	  tests/cluster/test_partition.py tests/cluster/test_reboot.py \
	  tests/cluster/test_refusals.py tests/cluster/test_pending.py \
	  tests/cluster/test_migration.py tests/cluster/test_uefi.py

# a guest's own view of its PCI addresses, from unmodified Ganeti to enable,
# cold boots, hotplug and migration back to it; test-cluster has three guests
## ten guests whose slots stay (also SUITE=trixie)
test-frozen: needs
	$(if $(SUITE),tools/test-suite $(SUITE)) env FROZEN=1 lab/up -n 2 \
	  $(PYTHON) -m pytest -p no:cacheprovider -v -s tests/cluster/test_frozen.py

# a mixed cluster, a node added later, one installed anew; test-cluster has the
# short way, on two nodes
## roll-out and way back on three nodes, with running guests
test-rollout: needs
	lab/up -n 3 -c 2 $(PYTHON) -m pytest -p no:cacheprovider -v -s \
	  tests/cluster/test_rollout.py

# test-cluster has the short way, five guests
## a node with ten guests, preflight, and what then moves
test-preflight: needs
	PREFLIGHT_GUESTS=10 lab/up -n 2 $(PYTHON) -m pytest -p no:cacheprovider \
	  -v -s tests/cluster/test_preflight.py

# all guests that move, and what unmodified Ganeti does to those that must not
## scenarios that cost a guest on unmodified Ganeti
test-torn: needs
	TORN=1 lab/up -n 2 $(PYTHON) -m pytest -p no:cacheprovider -v \
	  tests/cluster/test_torn.py tests/cluster/test_migration.py

# test-cluster has all but what copies disks to another node and back
## what Ganeti's commands do to the tags by which slots stay
test-tags: needs
	TAGS=1 lab/up -n 2 $(PYTHON) -m pytest -p no:cacheprovider -v \
	  tests/cluster/test_tags.py

# takes hours; PEERS=FILE or PEERS="FILE FILE" for some of them, such as
# PEERS=tests/peers/test_resize.py. Counts are the environment's: see each file
PEERS = $(sort $(wildcard tests/peers/test_*.py tests/peers/cluster/test_*.py))
in_the_lab = $(filter tests/peers/cluster/%,$(PEERS))
# where a root port's bus is another matter than pci.0: with q35 too, less often
on_q35 = $(filter $(patsubst %,tests/peers/test_%.py,bus_scan busy_disks \
  firmware_menu full_bus nic_types resize suspend),$(PEERS))
## hotplug and migration as QEMU and libvirt test them
test-peers: needs
	$(if $(filter-out $(in_the_lab),$(PEERS)),GANETI_TREE=$(GANETI_TREE) \
	  $(PYTEST) -v -s $(filter-out $(in_the_lab),$(PEERS)))
	$(if $(on_q35),MACHINE_TYPE=q35 GANETI_TREE=$(GANETI_TREE) \
	  $(PYTEST) -v -s $(on_q35))
	$(if $(in_the_lab),lab/up -n 2 $(PYTHON) -m pytest -p no:cacheprovider \
	  -v -s $(in_the_lab))

# SOAK_SEED has the same operations chosen again
HOURS = 1.5
## random operations on four guests, two nodes (HOURS=1.5)
soak: needs
	lab/up -n 2 $(PYTHON) tests/soak/soak.py $(HOURS)

# tools/keep-samples writes what this version writes, before it is released;
# test-unit reads the samples of all releases
## the previous release reads this one's files
test-releases:
	@tools/check-needs $(PYTHON) pytest hypothesis
	tools/test-releases $(COMMIT)

# GANETI_GIT=DIR is Ganeti's repository; takes an hour or so. PLUGIN=no,
# PLUGIN=only: the one run alone; TEMPLATES=sharedfile: that disk template alone
## Ganeti's QA suite, without and with the plugin
test-qa: needs
	tools/test-qa $(or $(GANETI_GIT),$(error GANETI_GIT=DIR)) $(SUITE)

# make test-integration GANETI_TREE=DIR PYTHON=INTERPRETER
## hotplug on a real QEMU with any Ganeti (GANETI_TREE=DIR)
test-integration: needs
	GANETI_TREE=$(GANETI_TREE) $(PYTEST) tests/integration

# with the Ganeti that is here, or that of another Debian release:
# make test-devices SUITE=trixie
tree_there = $(if $(SUITE),$$(dirname $$(realpath /usr/sbin/ganeti-noded)),$(GANETI_TREE))
beside_unmodified = $(if $(SUITE),tools/test-suite $(SUITE)) sh -c '$(1) \
  GANETI_TREE=$(tree_there) $(PYTEST) --show-capture=no $(2)'

# each type of PCI device that QEMU has, or each DEVICES_EVERYth, alone in
# kvm_extra: started, checked, migrated there and back
DEVICES_EVERY = 1
## each PCI device type of QEMU, alone in kvm_extra
test-devices: needs
	$(call beside_unmodified,DEVICES_EVERY=$(DEVICES_EVERY),\
	  tests/integration/test_devices.py)

# what unmodified Ganeti starts and migrates, the plugin does
CONFIGURATIONS = 1000
CONFIGURATIONS_SEED = 2014
## random configurations beside unmodified Ganeti
test-configurations: needs
	$(call beside_unmodified,CONFIGURATIONS=$(CONFIGURATIONS) \
	  CONFIGURATIONS_SEED=$(CONFIGURATIONS_SEED),\
	  tests/integration/test_configurations.py)

## contract, QEMU, hotplug, cluster on Debian's SUITE=trixie
test-suite: needs
	tools/test-suite $(SUITE)

# the new release's Python has no hook; takes some minutes. WAY=package for
# Debian's package, RELEASES="bullseye bookworm" for that upgrade
## upgrade of a node from Debian 12 to 13, in its own root
test-upgrade: needs
	tools/test-upgrade $(or $(WAY),tarball) $(RELEASES)

# SUITE=bullseye, SUITE=trixie; takes some minutes
## Debian's package on a node: installed, upgraded, purged
test-deb: needs
	tools/test-deb $(SUITE)

# the contract, a real QEMU, a node, a cluster, on what apt has installed
## debian/tests by autopkgtest's runner (SUITE=trixie)
test-autopkgtest: needs
	tools/test-deb --autopkgtest $(SUITE)

# built and run in the root of the SUITE that is named
## Debian's package under running guests (SUITE=trixie)
test-deb-cluster: needs
	TESTS=no tools/make-deb
	$(if $(SUITE),tools/test-suite $(SUITE)) env \
	  DEB=$$(ls -t dist/*.deb | head -n 1) lab/up -n 2 \
	  $(PYTHON) -m pytest -p no:cacheprovider -v -s tests/cluster/test_deb.py

# the units are those of Debian's sid: up to trixie, its package has none. In
# sid, whose Ganeti makes no cluster, the node daemon alone. Also SUITE=trixie
UNITS = /usr/lib/systemd/system
## the plugin in daemons that systemd has started
test-systemd: needs
	tools/test-suite sid true
	rm -rf build/units
	mkdir -p build/units$(UNITS)
	cp .cache/suites/sid$(UNITS)/ganeti* build/units$(UNITS)
	$(if $(SUITE),tools/test-suite $(SUITE)) lab/up -n 1 -s -l build/units \
	  $(PYTHON) -m pytest -p no:cacheprovider -v -s \
	  tests/cluster/test_systemd.py
	tools/test-suite sid lab/up -n 1 -b -s $(PYTHON) -m pytest \
	  -p no:cacheprovider -v -s tests/cluster/test_systemd.py

## writes patches/ anew from the package
patches:
	tools/make-patches

# Debian's sources, or: make check-patches GANETI_GIT=DIR TREES=DIR PYTHON2=...
# ANY=1 tries what the patches were never run on, COMMIT=... another master
## applies the patches to Ganeti's sources, and tests those
check-patches: needs
	$(PYTHON) tools/check-patches $(if $(TREES),--trees $(TREES)) \
	  $(if $(PYTHON2),--python2 $(PYTHON2)) $(if $(ANY),--any) \
	  $(if $(COMMIT),--commit $(COMMIT)) --rest $(GANETI_TREE)ganeti $(or $(GANETI_GIT),--debian)

# for a weekly job: exit status 0 if all fits, 1 if not, 2 if it cannot be told
## what no longer fits Ganeti's master (GANETI_GIT=DIR)
check-upstream: needs
	$(PYTHON) tools/check-upstream $(if $(MODULES),--modules $(MODULES)) \
	  --commit $(or $(COMMIT),master) $(GANETI_GIT)

BENCHMARKS = hook hotplug upgrade node migration instance_start q35

# what each is, and how long it takes: benchmarks/README.md. RESULTS.md says so
# if there was no libvirt to measure, or if something failed
## the benchmarks; writes benchmarks/RESULTS.md
bench: needs
	tools/install-needs libvirt-clients libvirt-daemon \
	  libvirt-daemon-driver-qemu || echo "going on without libvirt"
	for name in $(BENCHMARKS); do \
	  $(PYTHON) benchmarks/$$name.py || exit; done
	$(PYTHON) benchmarks/results_report.py

# ratios, not times; what is too slow is measured twice
## compares quick benchmarks with benchmarks/limits.json
bench-check: needs
	$(PYTHON) benchmarks/check.py --run

# what the design document says of other ways, and benchmarks/results has as it
# was printed; with another release's QEMU:
# tools/test-suite sid /usr/bin/python3 benchmarks/buses.py
## the measurements behind the design document
alternatives: needs
	$(PYTHON) benchmarks/buses.py
	$(PYTHON) benchmarks/starts.py

# new examples for the tests that take generated input; then runtime files that
# nobody ever wrote, for SECONDS; atheris comes from PyPI and
# stays in .cache/fuzz, as does what was found worth keeping. An input that
# fails is written to the current folder and named; it is run again by
# .cache/fuzz/bin/python tests/fuzz/fuzz_runtime.py FILE
SECONDS = 60
## new examples for unit tests, random runtime files
fuzz: .cache/fuzz/bin/atheris-is-here
	NEW_EXAMPLES=1 $(PYTEST) $$(grep -l "^@given" tests/unit/*.py)
	PYTHONDONTWRITEBYTECODE=1 .cache/fuzz/bin/python \
	  tests/fuzz/fuzz_runtime.py -max_total_time=$(SECONDS) -max_len=8000 \
	  -timeout=20 .cache/fuzz/corpus

.cache/fuzz/bin/atheris-is-here:
	tools/install-needs python3-venv
	$(PYTHON) -m venv .cache/fuzz
	.cache/fuzz/bin/pip install --quiet atheris
	touch $@

# what pip installs, where there is no Sphinx; without a date
## writes man/ganeti-kvm-pci.8 anew from doc/
man:
	@tools/check-needs $(PYTHON) -- sphinx-build
	sphinx-build -q -b man -D "today= " -d build/doctrees doc build/man
	grep -v '^\.\\"' build/man/ganeti-kvm-pci.8 > man/ganeti-kvm-pci.8

## the tarball for the nodes: dist/ganeti-kvm-pci.tar.gz
dist:
	tools/make-dist

# here if debhelper and the rest is installed, else in a root of SUITE
## Debian's package, source and binary, in dist/
deb:
	tools/make-deb

# from PyPI: setuptools, wheel, twine, for each Python that is here
## pip with each Python: wheel, installed, tried, removed
test-pip: needs
	PIP=all $(PYTEST) -s tests/doc/test_pip.py

## removes what the other targets have written here
clean:
	rm -rf .tox .cache dist build *.egg-info
