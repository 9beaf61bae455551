# make demo: a real cluster with the plugin, and stock beside it
# make test: everything
# Both install what they need (Debian 12, root).

PYTHON = /usr/bin/python3
PYTEST = PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -p no:cacheprovider -q
GANETI_TREE = $(dir $(realpath /usr/sbin/ganeti-noded))

.PHONY: needs demo doc test lane-lab lane-rest test-unit contract test-qemu \
        test-doc test-records test-hotplug \
        test-patches test-cluster test-torn test-series test-suite \
        test-devices test-configurations test-upgrade patches \
        check-patches bench alternatives fuzz dist clean

needs:
	tools/install-needs

demo: needs
	lab/up -n 2 $(PYTHON) demo/demo.py

# the pages, in build/doc; a warning is an error
doc: needs
	sphinx-build -n -W --keep-going -q -b html doc build/doc
	@echo "written: build/doc/index.html"

# two lanes: much of the cluster's time is waiting for guests
test: needs
	$(MAKE) --no-print-directory -j2 --output-sync=target lane-lab lane-rest

lane-lab: needs
	$(MAKE) --no-print-directory test-cluster
	$(MAKE) --no-print-directory test-patches
	$(MAKE) --no-print-directory test-records

lane-rest: needs
	$(MAKE) --no-print-directory contract
	$(MAKE) --no-print-directory test-qemu
	$(MAKE) --no-print-directory doc
	$(MAKE) --no-print-directory test-unit
	$(MAKE) --no-print-directory test-doc
	$(MAKE) --no-print-directory test-hotplug

# every Python that is here: pure modules, stubs, linter
test-unit: needs
	tools/run-tox

# the same contract against a real Ganeti: the installed one, or any other with
# make contract GANETI_TREE=DIR PYTHON=INTERPRETER
contract: needs
	GANETI_TREE=$(GANETI_TREE) $(PYTEST) tests/contract

test-qemu: needs
	$(PYTEST) tests/qemu

# what the pages quote is what is printed; the design document's tables are what
# happens with the Ganeti that is here
test-doc: needs
	$(PYTEST) tests/doc
	GANETI_TREE=$(GANETI_TREE) $(PYTEST) tests/series/test_combinations.py \
	  tests/series/test_scenario.py tests/series/test_start.py

# genuine runtime files of all series, booted; RECORDS=all for every one
test-records: needs
	GANETI_TREE=$(GANETI_TREE) $(PYTEST) tests/series/test_records.py

# what hotplug protects from, beside stock; the node daemon killed at each fifth
# point (KILLED_EVERY=1: at every one, KILLED_THEN=both: twice); a long random
# run (RANDOM_STEPS, RANDOM_SEED)
test-hotplug: needs
	GANETI_TREE=$(GANETI_TREE) $(PYTEST) -s tests/series/test_faults.py \
	  tests/series/test_scsi.py tests/series/test_adverse.py \
	  tests/series/test_left_behind.py tests/series/test_monitor.py \
	  tests/series/test_multiqueue.py tests/series/test_repair.py \
	  tests/series/test_killed.py tests/series/test_random.py \
	  tests/series/test_migration.py
	$(MAKE) --no-print-directory test-devices DEVICES_EVERY=12
	$(MAKE) --no-print-directory test-configurations CONFIGURATIONS=12

# what lies in patches/ is what the package makes, and fits Debian's sources
test-patches: needs
	$(PYTEST) tests/patches
	$(PYTHON) tools/check-patches --debian

test-cluster: needs
	$(PYTEST) tests/lab
	lab/up -n 2 $(PYTHON) -m pytest -p no:cacheprovider -v tests/cluster

# all kinds of guests that move, and what stock does to those that must not
test-torn: needs
	TORN=1 lab/up -n 2 $(PYTHON) -m pytest -p no:cacheprovider -v \
	  tests/cluster/test_torn.py tests/cluster/test_migration.py

# a Ganeti of any series on a real QEMU, stock and with the plugin:
# make test-series GANETI_TREE=DIR PYTHON=INTERPRETER
test-series: needs
	GANETI_TREE=$(GANETI_TREE) $(PYTEST) tests/series

# with the Ganeti that is here, or that of another Debian release:
# make test-devices SUITE=trixie
tree_there = $(if $(SUITE),$$(dirname $$(realpath /usr/sbin/ganeti-noded)),$(GANETI_TREE))
beside_stock = $(if $(SUITE),tools/test-suite $(SUITE)) sh -c '$(1) \
  GANETI_TREE=$(tree_there) $(PYTEST) --show-capture=no $(2)'

# each type of PCI device that QEMU has, or each DEVICES_EVERYth, alone in
# kvm_extra: started, checked, migrated there and back
DEVICES_EVERY = 1
test-devices: needs
	$(call beside_stock,DEVICES_EVERY=$(DEVICES_EVERY),\
	  tests/series/test_devices.py)

# random configurations: what stock starts and migrates, the plugin does
CONFIGURATIONS = 1000
CONFIGURATIONS_SEED = 2014
test-configurations: needs
	$(call beside_stock,CONFIGURATIONS=$(CONFIGURATIONS) \
	  CONFIGURATIONS_SEED=$(CONFIGURATIONS_SEED),\
	  tests/series/test_configurations.py)

# the tests that need a real Ganeti, on that of another Debian release:
# make test-suite SUITE=trixie
test-suite: needs
	tools/test-suite $(SUITE)

# a node's upgrade to the next Debian, whose Python has no hook, in a root of
# its own; takes some minutes
test-upgrade: needs
	tools/test-upgrade

patches:
	tools/make-patches

# Debian's sources, or: make check-patches GANETI_GIT=DIR TREES=DIR PYTHON2=...
check-patches: needs
	$(PYTHON) tools/check-patches $(if $(TREES),--trees $(TREES)) \
	  $(if $(PYTHON2),--python2 $(PYTHON2)) \
	  --rest $(GANETI_TREE)ganeti $(or $(GANETI_GIT),--debian)

# benchmarks/RESULTS.md says so if there was no libvirt to measure
bench: needs
	tools/install-needs libvirt-clients libvirt-daemon \
	  libvirt-daemon-driver-qemu || echo "going on without libvirt"
	$(PYTHON) benchmarks/hook.py
	$(PYTHON) benchmarks/hotplug.py
	$(PYTHON) benchmarks/upgrade.py
	$(PYTHON) benchmarks/migration.py

# what the design document says of other ways, and benchmarks/results has as it
# was printed; with another release's QEMU:
# tools/test-suite sid /usr/bin/python3 benchmarks/buses.py
alternatives: needs
	$(PYTHON) benchmarks/buses.py
	$(PYTHON) benchmarks/starts.py

# new examples for the tests that take generated input; then runtime files that
# nobody ever wrote, for SECONDS; atheris comes from PyPI and
# stays in .cache/fuzz, as does what was found worth keeping. An input that
# fails is written to the current folder and named; it is run again by
# .cache/fuzz/bin/python tests/fuzz/fuzz_runtime.py FILE
SECONDS = 60
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

# what gnt-cluster copyfile takes to the nodes
dist:
	tools/make-dist

clean:
	rm -rf .tox .cache dist build *.egg-info
