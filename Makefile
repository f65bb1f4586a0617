# Two commands on a fresh machine with Python 3.11+ and make:
#   make demo    sets everything up and runs the samples
#   make test    sets everything up and passes the tests
# The rest: test-all (with the slow tests), bench, lint, samples (rebuilds the prebuilt programs), clean, and
#   make bench [ARCH=x86_64] [KERNELS="hash fib"]    writes docs/performance.md, or prints what was chosen
#   make test-gdb [ARCH=x86_64] [FILES='gdb.base/break*.exp …'] [GDB_OPTIONS='--again …']    GDB's own testsuite, hours for all files; resumes

PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
JOBS    ?= 2
PACKAGES := qemu-user gcc-arm-linux-gnueabihf libc6-dev-armhf-cross binutils gcc libc6-dev \
            qemu-system-arm gcc-arm-none-eabi libnewlib-arm-none-eabi binutils-arm-none-eabi llvm \
            g++-arm-linux-gnueabihf gcc-powerpc64le-linux-gnu libc6-dev-ppc64el-cross gcc-powerpc-linux-gnu libc6-dev-powerpc-cross \
            gdb-multiarch gdbserver tmux procps
TOOLS   := qemu-arm arm-linux-gnueabihf-gcc gcc qemu-system-arm arm-none-eabi-gcc llvm-mc arm-linux-gnueabihf-g++ \
           powerpc64le-linux-gnu-gcc powerpc-linux-gnu-gcc gdb-multiarch gdbserver tmux pgrep
# On an x86-64 host: 32-bit programs. Never gcc-multilib itself: it conflicts with the cross compilers, and apt would remove them.
ifeq ($(shell uname -m),x86_64)
GCC     := $(or $(shell gcc -dumpversion 2>/dev/null | cut -d. -f1),12)
PACKAGES += gcc-$(GCC)-multilib libc6-dev-i386
TOOLS   += /usr/lib/gcc/x86_64-linux-gnu/$(GCC)/32/libgcc.a /usr/lib32/libc.a
endif
GDB_PACKAGES := $(PACKAGES) dejagnu expect g++
GDB_TOOLS := $(TOOLS) runtest expect g++
TESTS   ?= tests

.PHONY: demo test test-all test-gdb bench lint samples clean
.DEFAULT_GOAL := demo

demo: $(VENV)/installed
	@$(BIN)/python samples/demo.py

test: $(VENV)/installed $(VENV)/tools
	@$(BIN)/python -m pytest -n $(JOBS) $(TESTS)

test-all: $(VENV)/installed $(VENV)/tools
	@$(BIN)/python -m pytest -n $(JOBS) -m "" --timeout 3600 $(TESTS)

test-gdb: $(VENV)/installed $(VENV)/gdb-tools
	@$(BIN)/python -m tests.gdb_testsuite --jobs $(JOBS) $(if $(ARCH),--arch $(ARCH)) $(if $(FILES),,--docs) $(GDB_OPTIONS) $(FILES)

bench: $(VENV)/installed $(VENV)/tools
	@$(BIN)/python -m bench $(if $(ARCH),--arch $(ARCH)) $(KERNELS)
	@test -n "$(KERNELS)$(ARCH)" || { $(BIN)/python -m bench.debugging && $(BIN)/python -m bench.screen; }

lint: $(VENV)/installed
	@$(BIN)/ruff check .
	@$(BIN)/mypy

samples: $(VENV)/tools
	@$(MAKE) --no-print-directory -C samples
	@$(MAKE) --no-print-directory -C samples/firmware

# Python: the package, editable, with what its tests need. A second call costs nothing.
$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "xemu needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Making a Python environment in $(VENV) …"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing xemu and what it needs …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

# What the tests compare with: QEMU, cross compilers, LLVM's assembler; for test-gdb GDB, gdbserver and DejaGnu as well. Without
# them (and without root) tests say what they lack; under CI they fail.
define install
@missing=; for tool in $(1); do { test -e $$tool || command -v $$tool >/dev/null; } || missing="$$missing $$tool"; done; \
if [ -z "$$missing" ]; then touch $@; \
elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
    echo "Installing $(2) …"; \
    { apt-get -qq update || true; } && \
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends $(2) >$(VENV)/apt.log 2>&1 && touch $@ || \
    { tail -n 5 $(VENV)/apt.log >&2; echo "The packages could not be installed; tests that need$$missing will say so." >&2; }; \
else \
    echo "Not found:$$missing. On Debian or Ubuntu: sudo apt-get install $(2)" >&2; \
    echo "The tests that need them will be skipped." >&2; \
fi
endef

$(VENV)/tools: | $(VENV)/installed
	$(call install,$(TOOLS),$(PACKAGES))

$(VENV)/gdb-tools: | $(VENV)/installed
	$(call install,$(GDB_TOOLS),$(GDB_PACKAGES))

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
