# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# What the scripts share; sourced, with the current directory at the top of the tree.

# Debian's names for what each task needs.
# shellcheck disable=SC2034 # used by who sources this
packages_build="build-essential cmake ninja-build pkg-config liburing-dev"
# shellcheck disable=SC2034
packages_guest="qemu-system-x86 busybox-static cpio"
# shellcheck disable=SC2034
packages_test="libcmocka-dev $packages_guest"
# shellcheck disable=SC2034
packages_check="git clang clang-format clang-tidy libclang-rt-dev llvm cppcheck shellcheck"

say() {
	printf '\n== %s\n' "$*"
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# progress COMMAND...: run it, and in every stretch of 8 s without a line of output
# say that it is still at work.
progress() (
	set -o pipefail
	began=$SECONDS
	"$@" 2>&1 | {
		while :; do
			line=
			rc=0
			IFS= read -r -t 8 line || rc=$?
			if [ $rc -eq 0 ]; then
				printf '%s\n' "$line"
			elif [ $rc -gt 128 ]; then
				[ -z "$line" ] || printf '%s' "$line"
				printf '   ... still at it after %d s\n' $((SECONDS - began))
			else
				printf '%s' "$line"
				break
			fi
		done
	}
)

# install_packages NAME...: with apt, those that are missing; root or sudo.
install_packages() {
	local name missing=() as_root=()

	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		echo "Not Debian, nothing installed; there it would be: $*" >&2
		return 0
	fi
	for name; do
		dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' ||
			missing+=("$name")
	done
	[ ${#missing[@]} -gt 0 ] || return 0

	say "Installing ${missing[*]}"
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null ||
			die "not root, and no sudo: run 'apt-get install ${missing[*]}' as root"
		as_root=(sudo)
	fi
	progress "${as_root[@]}" apt-get -q update || die "apt-get update failed"
	progress "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}" ||
		die "apt-get install failed"
}

# build DIRECTORY TARGET CMAKE-ARGUMENTS...: configure and build there.
build() {
	local dir=$1 target=$2

	shift 2
	[ -e "$dir/CMakeCache.txt" ] || set -- -G Ninja "$@"
	progress cmake -S . -B "$dir" "$@" &&
		progress cmake --build "$dir" -j "$(nproc)" --target "$target"
}
