# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: BSD-2-Clause
# A guest and the daemon it mounts from, for the scripts here and scripts/demo;
# sourced. One guest and one daemon at a time.

qemu=${VIRTIOFS_GUEST_QEMU:-qemu-system-x86_64}
machine=(-M q35 -nodefaults -no-user-config -display none -no-reboot)
guest_memory=512M
# The kernel's own check of its timer fails where QEMU gets too little of a CPU.
kernel_arguments='console=ttyS0 loglevel=4 panic=-1 no_timer_check'

guest_pid=
daemon_pid=

# pack DIRECTORY: as an initramfs on stdout, owned by root and without the time of day.
pack() {
	(cd "$1" && find . -exec touch -h -d @0 {} + && find . -print0 | LC_ALL=C sort -z |
		cpio --quiet --null -o -H newc -R 0:0 --reproducible)
}

# daemon_start SOCKET LOG COMMAND...: return when it listens.
daemon_start() {
	local socket=$1 log=$2 tries=0 rc

	shift 2
	"$@" >"$log" 2>&1 &
	daemon_pid=$!
	until [ -S "$socket" ]; do
		if ! kill -0 $daemon_pid 2>/dev/null; then
			wait $daemon_pid && rc=0 || rc=$?
			daemon_pid=
			echo "the daemon ended with status $rc before it listened"
			return 1
		fi
		tries=$((tries + 1))
		if [ $tries -gt 200 ]; then
			echo "the daemon made no socket in 20 s"
			return 1
		fi
		sleep 0.1
	done
}

# daemon_stop [STATUS]: it must end by itself or by SIGTERM, with that status (0).
daemon_stop() {
	local expected=${1:-0} tries=0 rc=0

	[ -n "$daemon_pid" ] || return 0
	# Some daemons serve one front-end and end with it.
	sleep 0.5
	kill -TERM $daemon_pid 2>/dev/null || true
	while kill -0 $daemon_pid 2>/dev/null; do
		tries=$((tries + 1))
		if [ $tries -gt 200 ]; then
			kill -KILL $daemon_pid 2>/dev/null || true
			daemon_pid=
			echo "the daemon did not end within 20 s of SIGTERM"
			return 1
		fi
		sleep 0.1
	done
	wait $daemon_pid || rc=$?
	daemon_pid=
	[ $rc -ne "$expected" ] || return 0
	echo "the daemon ended with status $rc"
	return 1
}

# guest_start PREPARED SOCKET TAG INITRAMFS CONSOLE DEVICE ARGUMENTS: boot one.
# DEVICE is more properties of vhost-user-fs-pci, each with a comma in front.
guest_start() {
	local prepared=$1 socket=$2 tag=$3 initramfs=$4 console=$5 device=$6 arguments=$7

	"$qemu" -accel "$(cat "$prepared/accel")" -cpu max "${machine[@]}" -m "$guest_memory" -smp 2 \
		-object "memory-backend-memfd,id=mem,size=$guest_memory,share=on" -machine memory-backend=mem \
		-kernel "$prepared/vmlinuz" -initrd "$initramfs" -serial "file:$console" \
		-append "$kernel_arguments $arguments" \
		-chardev "socket,id=fs,path=$socket" \
		-device "vhost-user-fs-pci,chardev=fs,tag=$tag$device" \
		</dev/null >"$console.qemu" 2>&1 &
	guest_pid=$!
}

# guest_wait CONSOLE SECONDS [REQUEST]: until it has powered off. For each line
# "guest: please WORDS" on the console it runs REQUEST WORDS. Fails where the console
# is silent for so long, or the daemon goes away under the guest.
guest_wait() {
	local console=$1 seconds=$2 request=${3:-} since=$SECONDS size=0 asked=0 line now

	while kill -0 $guest_pid 2>/dev/null; do
		now=$(stat -c %s "$console" 2>/dev/null || true)
		if [ "$now" != "$size" ]; then
			size=$now
			since=$SECONDS
		fi
		if [ $((SECONDS - since)) -ge "$seconds" ]; then
			echo "the guest hangs: not a word from it in $seconds s"
			return 1
		fi
		# It may end first when the guest is on its last instructions.
		if ! kill -0 $daemon_pid 2>/dev/null; then
			sleep 2
			kill -0 $guest_pid 2>/dev/null || break
			echo 'the daemon has gone while the guest runs'
			return 1
		fi
		if [ -n "$request" ] && [ -e "$console" ]; then
			line=$(tr -d '\r' <"$console" | sed -n 's/^guest: please //p' |
				sed -n "$((asked + 1))p")
			if [ -n "$line" ]; then
				asked=$((asked + 1))
				# shellcheck disable=SC2086 # words
				$request $line
			fi
		fi
		sleep 0.1
	done
	wait $guest_pid || {
		echo "QEMU failed: $(cat "$console.qemu")"
		guest_pid=
		return 1
	}
	guest_pid=
}

# clean_up: leave no process behind, whatever went wrong.
clean_up() {
	local pid

	for pid in $guest_pid $daemon_pid; do
		kill -KILL "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	guest_pid=
	daemon_pid=
	return 0
}
