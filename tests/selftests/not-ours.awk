# SPDX-License-Identifier: GPL-2.0-only
# A kernel's log without what is known not to be the target's.
#
# User Mode Linux walks a process's mappings without a lock, in flush_tlb_mm(), when
# pages are unmapped by another: as those of a ring of io_setup() are whose owner was
# killed. Lockdep says so, with the file three lines below.
/WARNING: suspicious RCU usage/ && !held {
	held = $0
	left = 3
	next
}
held {
	if (/lib\/maple_tree\.c:[0-9]+ suspicious rcu_dereference_check/) {
		held = ""
	} else if (--left == 0) {
		print held
		held = ""
	}
}
{ print }
END {
	if (held)
		print held
}
