#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# embed.sh EMBED: the example reads a file of a directory through a device.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
seq 1 3000 >"$dir/file"
"$1" "$dir" file >"$dir/out"
cmp "$dir/file" "$dir/out"

if "$1" "$dir" missing >"$dir/out" 2>"$dir/err"; then
	echo "a missing file was read" >&2
	exit 1
fi
test ! -s "$dir/out"
if "$1" "$dir/missing" file 2>"$dir/err"; then
	echo "a missing directory was shared" >&2
	exit 1
fi
grep -q usage "$dir/err"
