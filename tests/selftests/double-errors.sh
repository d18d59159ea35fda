#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What errors.sh checks, with two layers.

DMSSE_LAYERS=2 exec "$(dirname "$0")/errors.sh"
