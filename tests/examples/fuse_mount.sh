#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# fuse_mount.sh FUSE_MOUNT: what it cannot share it does not mount.
set -eu
dir=$(mktemp -d)
trap 'umount -l "$dir/mnt" 2>/dev/null || :; rm -rf "$dir"' EXIT
mkdir "$dir/mnt"
status=0
"$1" "$dir/missing" "$dir/mnt" 2>"$dir/err" || status=$?
test "$status" -eq 1
grep -q "'$dir/missing': No such file or directory" "$dir/err"
if grep -q " $dir/mnt " /proc/self/mounts; then
	echo "a mount that nobody serves was left behind" >&2
	exit 1
fi
