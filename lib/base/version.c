/* SPDX-License-Identifier: BSD-2-Clause */
#include <virtiofs/version.h>

unsigned virtiofs_version(void)
{
	return VIRTIOFS_VERSION;
}
