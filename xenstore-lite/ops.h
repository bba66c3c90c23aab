/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/ops.h - handlers of the store's messages. */
#ifndef XENSTORE_LITE_OPS_H
#define XENSTORE_LITE_OPS_H

#include "xenstore-lite/dispatch.h"

/*
 * Each carries out one type of message after dispatch() has checked it.
 * Return: 0 or -errno, which becomes the ERROR answer.  A handler that fails
 * has changed nothing.
 */
int op_directory(struct req *r) must_check;
int op_directory_part(struct req *r) must_check;
int op_read(struct req *r) must_check;
int op_write(struct req *r) must_check;
int op_mkdir(struct req *r) must_check;
int op_rm(struct req *r) must_check;
int op_get_perms(struct req *r) must_check;
int op_set_perms(struct req *r) must_check;
int op_watch(struct req *r) must_check;
int op_unwatch(struct req *r) must_check;
int op_reset_watches(struct req *r) must_check;
int op_transaction_start(struct req *r) must_check;
int op_transaction_end(struct req *r) must_check;
int op_introduce(struct req *r) must_check;
int op_release(struct req *r) must_check;
int op_resume(struct req *r) must_check;
int op_set_target(struct req *r) must_check;
int op_is_introduced(struct req *r) must_check;
int op_get_domain_path(struct req *r) must_check;

/* ops_limits.c */
int op_get_feature(struct req *r) must_check;
int op_set_feature(struct req *r) must_check;
int op_get_quota(struct req *r) must_check;
int op_set_quota(struct req *r) must_check;

/** op_domid() - Read the string @arg as a domid; Return: 0 or -EINVAL. */
int op_domid(const struct req *r, size_t arg, unsigned int *domid) must_check;

/** op_control() - control.c. */
int op_control(struct req *r) must_check;

#endif
