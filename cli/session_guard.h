/* session_guard.h - see session_guard.c. */
#ifndef CLI_SESSION_GUARD_H
#define CLI_SESSION_GUARD_H

#include "session.h"

typedef struct guard guard;

/* Attached after everything else that watches. FPX_ENOMEM. */
fpx_status guard_new(session *s, guard **ret_guard, fpx_error *err);
void guard_free(guard *g); /* NULL is fine */

/* After a step that failed: whether it was this guard's doing. Then the session's finding names the operation, and the
 * state before the step is saved where there is a folder for it. */
int guard_caught(guard *g, fpx_error *err);
int guard_kept(const guard *g); /* the state before the step is saved */

/* The first element of a result that is no finite number; SIZE_MAX: none. Codes that are packed have none. */
size_t guard_first_nonfinite(const fpx_tensor *desc, const void *codes);
/* The session's first value that is not finite: this element. */
void guard_find(session *s, uint64_t step, const char *op, const char *tensor,
                const fpx_tensor *desc, size_t at);

#endif /* CLI_SESSION_GUARD_H */
