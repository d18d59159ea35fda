#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The KUnit suites in a guest that was booted with kunit.enable=1, with as many of the
# random cases as an emulated CPU affords.
exec "$(dirname "$0")/../uml/kunit.sh" "${DMSSE_SEED:-0}" "${DMSSE_ROUNDS:-10}"
