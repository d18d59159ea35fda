# SPDX-License-Identifier: GPL-2.0-only
# The usual entry points; "make help" lists them. The module itself is
# described by Kbuild, and everything that builds external modules (KDIR=,
# LLVM=1, W=1, C=1, INSTALL_MOD_PATH=, ...) works on the command line here.

KDIR	?= /lib/modules/$(shell uname -r)/build
KERNEL	?= 6.12
FLAVOUR	?=
TEST	?=
T	?=

ifneq ($(DESTDIR),)
INSTALL_MOD_PATH ?= $(DESTDIR)
export INSTALL_MOD_PATH
endif

prefix	?= /usr/local
modulesloaddir ?= $(prefix)/lib/modules-load.d
INSTALL	?= install
# Where "make deb" leaves packages.
DEBDIR	?= build

TOOLS := userspace-tools

.PHONY: all
all: modules tools

.PHONY: modules
modules:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

.PHONY: tools
tools:
	$(MAKE) -C $(TOOLS)

# Debian's headers lack System.map, without which kbuild leaves depmod to us.
.PHONY: modules_install
modules_install:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install
ifeq ($(INSTALL_MOD_PATH),)
	depmod "$$($(MAKE) -s --no-print-directory -C $(KDIR) kernelrelease)"
endif

# Kbuild knows how to install a module, but not how to be rid of it. It is in the
# first of these directories or, from older kernels, in the second.
.PHONY: modules_uninstall
modules_uninstall:
	release="$$($(MAKE) -s --no-print-directory -C $(KDIR) kernelrelease)" || exit; \
	cd "$(INSTALL_MOD_PATH)/lib/modules/$$release" 2>/dev/null || exit 0; \
	for dir in updates extra $(INSTALL_MOD_DIR); do \
		rm -f "$$dir"/dm-sse.ko "$$dir"/dm-sse.ko.?z "$$dir"/dm-sse.ko.zst && \
		rmdir --ignore-fail-on-non-empty "$$dir" 2>/dev/null || :; \
	done
ifeq ($(INSTALL_MOD_PATH),)
	depmod "$$($(MAKE) -s --no-print-directory -C $(KDIR) kernelrelease)"
endif

.PHONY: install
install: modules_install
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(modulesloaddir) $(TOOLS)/modules-load/dm-sse.conf
	$(MAKE) -C $(TOOLS) install

# Keys, sets and the audit stay: disks may need them.
.PHONY: uninstall
uninstall: modules_uninstall
	rm -f $(DESTDIR)$(modulesloaddir)/dm-sse.conf
	$(MAKE) -C $(TOOLS) uninstall

.PHONY: deb
deb:
	@$(TOOLS)/debian/make-deb '$(DEBDIR)' && ls '$(DEBDIR)'/*.deb

# Headers of the running kernel may be missing where only tests are run, and
# kbuild's own clean would then fail before the tools are cleaned.
.PHONY: clean
clean:
	if [ -e $(KDIR)/Makefile ]; then $(MAKE) -C $(KDIR) M=$(CURDIR) clean; fi
	$(MAKE) -C $(TOOLS) clean

.PHONY: check check-deep check-all
check:
	@T='$(T)' tests/check

check-deep:
	@T='$(T)' tests/check deep

check-all:
	@T='$(T)' tests/check all

.PHONY: lint
lint:
	@tests/lint

.PHONY: demo
demo:
	@tests/demo

# Against dm-crypt, on User Mode Linux: no device of this machine is touched.
# PUBLISH=yes leaves the results in Documentation/performance.
.PHONY: bench bench-quick
bench:
	@tests/perf/run $(if $(PUBLISH),--publish)

bench-quick:
	@tests/perf/run --quick

.PHONY: vm-test
vm-test:
	@[ -n '$(TEST)' ] || { echo 'usage: make vm-test KERNEL=6.12 TEST=selftests/NAME.sh' >&2; exit 2; }
	@tests/vm/run --kernel '$(KERNEL)' --flavour '$(FLAVOUR)' -- $(TEST)

.PHONY: vm-shell
vm-shell:
	@tests/vm/run --kernel '$(KERNEL)' --flavour '$(FLAVOUR)' --shell

.PHONY: help
help:
	@echo 'Build (KDIR=<kernel build tree>, LLVM=1, W=1, C=1 as for any module):'
	@echo '  all              the module and ssesetup (default)'
	@echo '  modules          dm-sse.ko'
	@echo '  tools            ssesetup'
	@echo '  modules_install  into INSTALL_MOD_PATH/lib/modules'
	@echo '  install          both, below DESTDIR and prefix; uninstall takes them away'
	@echo '  deb              Debian packages, into DEBDIR (build)'
	@echo '  clean'
	@echo 'Tests (as root on Debian 12; they install what they need):'
	@echo '  bench            times beside dm-crypt; bench-quick: the main ones'
	@echo '                   (PUBLISH=yes: into Documentation/performance)'
	@echo '  demo             encrypted disks in a VM, and keys that come and go'
	@echo '  check            the tests; T=PATTERN picks them by name'
	@echo '  check-deep       long ones as well: before a release'
	@echo '  check-all        all of them wherever they can run, at length: hours'
	@echo '  lint             checkpatch, sparse, W=1, clang, cppcheck, shellcheck'
	@echo '  vm-test KERNEL=6.1|6.12 [FLAVOUR=cloud] TEST=selftests/NAME.sh'
	@echo '  vm-shell KERNEL=6.1|6.12 [FLAVOUR=cloud]'
	@echo '                   a root shell with the module loaded'
