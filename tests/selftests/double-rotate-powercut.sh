#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What rotate-powercut.sh checks, with two layers.

DMSSE_LAYERS=2 exec "$(dirname "$0")/rotate-powercut.sh"
