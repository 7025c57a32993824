/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program outside the tree does with the library, whichever way it found it. */
#include <stdio.h>

#include <virtiofs/virtiofs.h>

int main(void)
{
	if (virtiofs_version() != VIRTIOFS_VERSION) {
		fprintf(stderr, "headers are %#x, library is %#x\n", (unsigned)VIRTIOFS_VERSION,
			virtiofs_version());
		return 1;
	}
	printf("libvirtiofs %s\n", VIRTIOFS_VERSION_STRING);
	return 0;
}
