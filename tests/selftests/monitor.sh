#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What ssesetup tells monitoring: status and list as JSON, read by jq, and metrics,
# read by a parser that takes nothing wrong, against what dmsetup and the headers say.
# Many disks at a time; a set that is broken, a device that is gone and one that hangs
# among them. Looking uses no key and reads no disk.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=deslib.bash
. "$DMSSE_DIR/deslib.bash"
need_cmd jq perl
need_module dm-writecache

MANY=50
OPEN=$((MANY + 5))
AUDIT=/var/log/dm-sse/audit.jsonl
METRICS=$WORK/metrics.prom
SAMPLES=$WORK/samples

# FILTER of "list --json"
listed() {
	"$SSESETUP" list --json | jq -r "$1"
}

# FILTER of "status --json MAPPING"
told() {
	"$SSESETUP" status --json "$1" | jq -r "$2"
}

# Takes the metrics as they are now: SAMPLES.
look() {
	"$SSESETUP" metrics >"$METRICS" && "$DMSSE_DIR/exposition.pl" "$METRICS" >"$SAMPLES"
}

# Of the last look: is this sample there; is any that begins so; its value.
has() {
	grep -qxF "$1" "$SAMPLES"
}

has_any() {
	grep -qF "$1" "$SAMPLES"
}

value() {
	awk -v name="$1" 'index($0, name " ") == 1 { print $NF }' "$SAMPLES"
}

# Every counter of every mapping: "NAME STATE WORD=NUMBER...", sorted; times left out.
counters_of_dmsetup() {
	dmsetup status --target sse | sed 's/: / /' | awk '{
		line = $1 " " $5
		for (i = 6; i <= NF; i++) {
			split($i, w, ":")
			if (w[2] ~ /^[0-9]+$/ && w[1] !~ /^(layers|lease_seconds|held_bios)$/)
				line = line " " w[1] "=" w[2]
		}
		print line }' | sort
}

counters_of_list() {
	listed '.disks[] | .name + " " + .state + (.counters | to_entries |
		map(" " + (.key | gsub("-"; "_")) + "=" + (.value | tostring)) | add)' | sort
}

# The same of some, by the names of the metrics and in bytes.
totals_of_dmsetup() {
	counters_of_dmsetup | awk '{
		for (i = 3; i <= NF; i++) {
			split($i, w, "=")
			if (w[1] == "read_sectors") print "dm_sse_disk_read_bytes_total{disk=" $1 "} " 512 * w[2]
			if (w[1] == "write_sectors") print "dm_sse_disk_written_bytes_total{disk=" $1 "} " 512 * w[2]
			if (w[1] == "write_bios") print "dm_sse_disk_writes_total{disk=" $1 "} " w[2]
			if (w[1] ~ /_errors$/) print "dm_sse_disk_" w[1] "_total{disk=" $1 "} " w[2]
		} }' | sort
}

totals_of_metrics() {
	grep -E '^dm_sse_disk_(read_bytes|written_bytes|writes|crypt_errors|io_errors)_total' "$SAMPLES" | sort
}

# The versions that the disk's headers have, by layer.
versions_of_headers() {
	"$SSESETUP" des where-used --json "$1" | jq -r '.[0].keys | sort_by(.layer) | map(.version) | join(" ")'
}

versions_of_status() {
	told "$1" '.layers | sort_by(.layer) | map(.["key-version"]) | join(" ")'
}

### Nothing is open

is "nothing is listed" "$(listed '[.version, (.disks | length)] | @csv')" 1,0
is "... for people, too" "$("$SSESETUP" list | awk 'NR == 1 { print $1, $2, $NF } END { print NR }')" \
	"NAME STATE DEVICE"$'\n'1
check "metrics, with nothing open" look
sse status --json dmsse-none
is "the status of nothing ends with 4" "$RC" 4
is "... and says so" "$(jq -c . <<<"$OUT")" '{"version":1,"name":"dmsse-none","active":false}'

### Disks of every kind

# A name that takes care to escape.
ODD=$WORK/'a "disk\name"'
truncate -s 16M "$ODD"
image PLATFORM 16
mkdir "$KEYS/versions"
pem versions/1
right "a set" des create gold --type platform-and-customer --key "file:$KEYS/versions" --lease 1h \
	--kek-timeout 120
right "a set to be broken" des create silver --type customer --key "file:$KEYS/versions/1.pem"
right "a disk of two layers" format -q --des gold "$ODD"
right "... open" open "$ODD" dmsse-gold
right "a disk of the platform's" format -q "$PLATFORM"
right "... open" open "$PLATFORM" dmsse-platform
make_disk BELOW 64
dmsetup create dmsse-below --table "0 8192 linear $BELOW 0"
at_exit "dm_remove dmsse-below"
load_key one 64
for ((i = 0; i < MANY; i++)); do
	echo "dmsse-many-$i,,,rw,0 1024 sse aes-xts-plain64 $REF 0 $BELOW $((8192 + i * 1024))"
	at_exit "dm_remove dmsse-many-$i"
done >"$WORK/many"
sse_create dmsse-over "$(sse_line /dev/mapper/dmsse-below)"
image CACHED 8
truncate -s 8M "$WORK/ssd"
right "a disk for a cache" format -q "$CACHED"
right "... open with it" open -q "$CACHED" dmsse-cached --cache "$WORK/ssd,writecache"
put dmsse-cached 1 cached
truncate -s 8M "$WORK/scratch"
right "a temporary disk" temp create "$WORK/scratch" dmsse-scratch
check "$MANY more" dmsetup create --concise "$(paste -sd ';' "$WORK/many")"
put dmsse-gold 1 gold
put dmsse-platform 1 platform
for ((i = 0; i < MANY; i += 7)); do
	dd if=/dev/mapper/dmsse-many-$i of=/dev/null bs=4096 count=$((i + 1)) iflag=direct status=none
done

### What is told

reads_before=$(cat "/sys/class/block/${BELOW##*/}/stat")
audit_before=$(wc -l <"$AUDIT")
start=$(date +%s%N)
check "a list of $OPEN disks" "$SSESETUP" list
diag "it took $((($(date +%s%N) - start) / 1000000)) ms"
upper=$(word dmsse-gold lease_seconds)
check "the metrics of $OPEN disks" look
told dmsse-gold . >"$WORK/gold"
lower=$(word dmsse-gold lease_seconds)
gold() {
	jq -r "$1" <"$WORK/gold"
}
between() {
	[ "$upper" -ge "$1" ] && [ "$1" -ge "$lower" ] && [ "$1" -gt 0 ]
}
is "every counter of all disks is dmsetup's" "$(counters_of_list)" "$(counters_of_dmsetup)"
is "the metrics have the same totals" "$(totals_of_metrics)" "$(totals_of_dmsetup)"
is "... of all disks" "$(grep -c '^dm_sse_disk_info{' "$SAMPLES")" $OPEN
check "the lease is between two looks of dmsetup" between "$(gold '."lease-seconds"')"
check "... in the metrics, too" between "$(value 'dm_sse_disk_lease_left_seconds{disk=dmsse-gold}')"
is "a disk without a lease has none" "$(told dmsse-platform '."lease-seconds"')" null
refute "... nor a sample" has_any 'dm_sse_disk_lease_left_seconds{disk=dmsse-platform}'
is "set, type, UUID and the image below" "$(gold '[.des, .type, .uuid, ."loop-file"] | join(" ")')" \
	"gold LUKS2 $(cryptsetup luksUUID "$ODD") $ODD"
is "a mapping of nobody's" "$(told dmsse-many-1 '[.type, .des, .uuid] | @json')" '[null,null,null]'
is "cipher, driver and key of each layer" \
	"$(gold '.layers[] | [.layer, .cipher, ."key-bits", .key, .keyed, .driver] | @tsv')" \
	"$(dmsetup table dmsse-gold | awk -v OFS='\t' -v i="$(word dmsse-gold inner_driver)" \
		-v o="$(word dmsse-gold outer_driver)" '
		function key(ref, p) { split(ref, p, ":"); sub(/^:[0-9]+:/, "", ref); bits = 8 * p[2]; return ref }
		{ k = key($5); print "inner", $4, bits, k, "true", i
		  for (f = 9; f <= NF; f++) if ($f == "outer") {
			k = key($(f + 2)); print "outer", $(f + 1), bits, k, "true", o } }')"
is "a disk with a cache is on its own device" \
	"$(told dmsse-cached '[.device, ."device-number", ."loop-file", ."offset-sectors"] | map(tostring) | join(" ")')" \
	"$(losetup -n -O NAME,MAJ:MIN -j "$CACHED" | awk '{print $1, $2}') $CACHED 4096"
is "... and the cache on its" "$(told dmsse-cached '.cache | [.device, .mode, .failed] | map(tostring) | join(" ")')" \
	"$(losetup -n -O NAME -j "$WORK/ssd") writecache false"
is "... with some of the data" "$(told dmsse-cached '.cache | ."block-bytes" * ."dirty-blocks" >= 1048576')" true
is "... as the metrics have it" "$(value 'dm_sse_disk_cache_dirty_bytes{disk=dmsse-cached}')" \
	"$(told dmsse-cached '.cache | ."block-bytes" * ."dirty-blocks"')"
check "... which has not failed" has 'dm_sse_disk_cache_failed{disk=dmsse-cached} 0'
is "others have none" "$(told dmsse-gold .cache)" null
refute "... in the metrics either" has_any 'dm_sse_disk_cache_failed{disk=dmsse-gold}'
is "temporary, and no clone" "$(listed '.disks[] | select(.temporary) | [.name, .type, .clone] | @json')" \
	'["dmsse-scratch","TEMP",null]'
is "columns for people" "$("$SSESETUP" list | awk '$1 == "dmsse-gold" { print $2, $3, $4, $6, $8, $9 }')" \
	"active gold 2 $(gold '[.layers[]."key-version"] | join("/")') 1.0M 0"
is "looking used no key" "$(wc -l <"$AUDIT")" "$audit_before"
is "... and read no disk" "$(cat "/sys/class/block/${BELOW##*/}/stat")" "$reads_before"
is "key versions are those in the headers" "$(versions_of_status dmsse-gold)" "$(versions_of_headers gold)"
is "... two" "$(versions_of_status dmsse-gold | wc -w)" 2
check "... in the metrics, too" has_any "{cipher=aes-xts-plain64,des=gold,disk=dmsse-gold,driver=$(word dmsse-gold inner_driver),key_version=1,layer=inner} 1"
is "one state is 1, the other four 0" \
	"$(grep '^dm_sse_disk_state{disk=dmsse-gold,' "$SAMPLES" | awk '{ print $NF }' | sort | tr '\n' ' ')" \
	"0 0 0 0 1 "
check "... and it is the right one" has 'dm_sse_disk_state{disk=dmsse-gold,state=active} 1'
is "the set" "$(grep -E '^dm_sse_des_[a-z_]*\{des=gold' "$SAMPLES" | grep -v _info | sort)" \
	'dm_sse_des_auto_rotate{des=gold} 0
dm_sse_des_disks{des=gold} 1
dm_sse_des_enabled{des=gold} 1
dm_sse_des_lease_seconds{des=gold} 3600
dm_sse_des_readable{des=gold} 1'

### Rotation

pem versions/2
mark=$(date +%s)
right "rotate" des rotate gold
look
versions=$(versions_of_status dmsse-gold)
is "the versions are the new ones" "$versions" "$(versions_of_headers gold)"
is "... the customer's is 2" "${versions% *}" 2
check "... of the disk in the metrics" has_any ",key_version=2,layer=inner} 1"
check "... and of the set" has "dm_sse_des_info{des=gold,key_version=2,outer_key_version=${versions#* },type=platform-and-customer} 1"
last=$(value 'dm_sse_des_last_rotation_timestamp_seconds{des=gold}')
check "the time of the rotation" [ "$mark" -le "$last" -a "$last" -le "$(date +%s)" ]
refute "no error stands" has_any 'dm_sse_des_last_error_info{'
# An error with every character that is escaped, from a disk of that name.
pem versions/3
mv "$ODD" "$ODD.away"
refute "a rotation that fails" "$SSESETUP" des rotate gold
look
error=$("$SSESETUP" des show --json gold | jq -r '."last-error"')
like "an error with a quote and a backslash" "$error" '"disk\\name"'
is "... comes through" "$("$DMSSE_DIR/exposition.pl" "$METRICS" dm_sse_des_last_error_info des=gold "error=$error")" 1
check "... with its time" has_any 'dm_sse_des_last_error_timestamp_seconds{des=gold}'
is "the disk, whose image has another name, is told all the same" "$(told dmsse-gold .state)" active
mv "$ODD.away" "$ODD"
right "rotate again" des rotate gold

### What fails doesn't hold up the rest

echo 'type = nonsense' >/etc/dm-sse/des/silver.conf
look
refute "no error stands any more" has_any 'dm_sse_des_last_error_info{'
check "a set that is broken is told" has 'dm_sse_des_readable{des=silver} 0'
refute "... and has no state" has_any 'dm_sse_des_enabled{des=silver}'
check "... and the others have theirs" has 'dm_sse_des_readable{des=gold} 1'
echo '{ "version": 1, "device": ' >"/var/lib/dm-sse/disks/$(printf '%064d' 0).json"
is "an entry of the register that is broken" \
	"$(listed '[(.disks | length), (.disks[] | select(.des == "gold") | .name)] | @csv' 2>/dev/null)" \
	"$OPEN,\"dmsse-gold\""
rm "/var/lib/dm-sse/disks/$(printf '%064d' 0).json"

errors=$(word dmsse-over io_errors)
dmsetup suspend --noflush dmsse-below
dmsetup load dmsse-below --table "0 8192 error"
dmsetup resume dmsse-below
refute "a device below that fails" dd if=/dev/mapper/dmsse-over of=/dev/null bs=4096 count=1 iflag=direct
look
is "... counts, and is the only one" \
	"$(listed '.disks[] | select(.counters."io-errors" > 0) | [.name, .counters."io-errors"] | @csv')" \
	"\"dmsse-over\",$((errors + 1))"
check "... in the metrics" has "dm_sse_disk_io_errors_total{disk=dmsse-over} $((errors + 1))"
is "... in the list for people" "$("$SSESETUP" list | awk '$1 == "dmsse-over" { print $(NF - 1) }')" $((errors + 1))
is "all are told" "$(counters_of_list)" "$(counters_of_dmsetup)"

dmsetup load dmsse-below --table "0 8192 linear $BELOW 0"
dmsetup resume dmsse-below
dmsetup suspend --noflush dmsse-below
reads_before=$(word dmsse-over read_bios)
dd if=/dev/mapper/dmsse-over of=/dev/null bs=4096 count=1 iflag=direct status=none &
hanging=$!
reads() {
	[ "$(word dmsse-over read_bios)" -gt "$reads_before" ]
}
check "a disk hangs" wait_for 60 reads
check "... and the list is there" timeout 300 "$SSESETUP" list
check "... and the metrics" timeout 300 "$SSESETUP" metrics --output "$METRICS"
is "... and its status" "$(told dmsse-over .state)" active
dmsetup resume dmsse-below
wait "$hanging"

### The key is taken away

right "disable" des disable -q --now gold
check "the lease lapses" wait_for 60 state_is dmsse-gold lapsed
is "the state says so" "$(told dmsse-gold '[.state, ."lapse-reason", ."lease-seconds", .layers[0].keyed] | @csv')" \
	'"lapsed","revoked",0,false'

### The file

umask 077
check "metrics into a file" "$SSESETUP" metrics --output "$METRICS"
is "... for everybody" "$(stat -c %a "$METRICS")" 644
"$DMSSE_DIR/exposition.pl" "$METRICS" >"$SAMPLES"
is "... say so, too" "$(grep -cxF -e 'dm_sse_disk_state{disk=dmsse-gold,state=lapsed} 1' \
	-e 'dm_sse_disk_state{disk=dmsse-gold,state=active} 0' \
	-e 'dm_sse_disk_lease_left_seconds{disk=dmsse-gold} 0' \
	-e 'dm_sse_des_enabled{des=gold} 0' "$SAMPLES")" 4
exec 4<"$METRICS"
right "... again" metrics --output "$METRICS"
check "who reads the old one reads it to its end" "$DMSSE_DIR/exposition.pl" /dev/fd/4
exec 4<&-
(cd "$WORK" && "$SSESETUP" metrics --output here.prom)
check "a path without a slash" "$DMSSE_DIR/exposition.pl" "$WORK/here.prom"
wrong 4 "/absent/x.prom can't be written: No such file" metrics --output "$WORK/absent/x.prom"
wrong 4 "is not a regular file" metrics --output /dev/null

right "the disk with a cache is closed" close dmsse-cached

done_testing
