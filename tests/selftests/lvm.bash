# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# LVM for the selftests, with a configuration of its own that sees none but the
# script's devices. It is sourced after lib.sh.
#
#	own_lvm DEVICE...	LVM sees these; again with more, when there are more

own_lvm() {
	local device filter=

	for device; do
		filter+="\"a|^$device\$|\", "
	done
	mkdir -p "$WORK/lvm"
	cat >"$WORK/lvm/lvm.conf" <<-CONF
		devices {
			dir = "/dev"
			use_devicesfile = 0
			global_filter = [ $filter"r|.*|" ]
			obtain_device_list_from_udev = 0
			external_device_info_source = "none"
		}
		activation {
			udev_sync = 0
			udev_rules = 0
			verify_udev_operations = 0
			monitoring = 0
		}
		backup {
			backup = 0
			archive = 0
		}
		global {
			event_activation = 0
			use_lvmpolld = 0
			locking_dir = "$WORK/lvm/lock"
		}
	CONF
	export LVM_SYSTEM_DIR=$WORK/lvm LVM_SUPPRESS_FD_WARNINGS=1
}
