# make demo: a real cluster with the plugin, and stock beside it
# make test: everything
# Both install what they need (Debian 12, root).

PYTHON = /usr/bin/python3
PYTEST = PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -p no:cacheprovider -q
GANETI_TREE = $(dir $(realpath /usr/sbin/ganeti-noded))

.PHONY: needs demo test test-unit contract test-qemu test-cluster bench dist \
        clean

needs:
	tools/install-needs

demo: needs
	lab/up -n 2 $(PYTHON) demo/demo.py

test: test-unit contract test-qemu test-cluster

# every Python that is here: pure modules, stubs, linter
test-unit: needs
	tools/run-tox

# the same contract against a real Ganeti: the installed one, or any other with
# make contract GANETI_TREE=DIR PYTHON=INTERPRETER
contract: needs
	GANETI_TREE=$(GANETI_TREE) $(PYTEST) tests/contract

test-qemu: needs
	$(PYTEST) tests/qemu

test-cluster: needs
	$(PYTEST) tests/lab
	lab/up -n 2 $(PYTHON) -m pytest -p no:cacheprovider -v tests/cluster

bench: needs
	$(PYTHON) benchmarks/hook.py

# what gnt-cluster copyfile takes to the nodes
dist:
	tools/make-dist

clean:
	rm -rf .tox .cache dist build *.egg-info
