/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest can make this process hold open is bounded, below what the process may
 * have: with no descriptor left it would fail in places that are not the guest's
 * (CVE-2020-10717).
 */
#include "passthrough/share.h"

bool vfi_budget_try(struct vfi_budget *budget)
{
	if (__atomic_fetch_add(&budget->used, 1, __ATOMIC_RELAXED) < budget->max)
		return true;
	__atomic_fetch_sub(&budget->used, 1, __ATOMIC_RELAXED);
	return false;
}

bool vfi_budget_take(struct vfi_share *share, struct vfi_budget *budget)
{
	uint32_t dropped;

	if (vfi_budget_try(budget))
		return true;
	if (vfi_ratelimit_ok(&share->spent, &dropped))
		vfi_log(&share->env, VIRTIOFS_LOG_WARNING,
			"the guest has %u %s, as many as it may: it gets ENFILE", budget->max,
			budget == &share->inodes ? "files in its cache" : "open files");
	return false;
}

void vfi_budget_give(struct vfi_budget *budget)
{
	__atomic_fetch_sub(&budget->used, 1, __ATOMIC_RELAXED);
}
