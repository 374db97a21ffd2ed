/* session_spike.h - see session_spike.c. */
#ifndef CLI_SESSION_SPIKE_H
#define CLI_SESSION_SPIKE_H

#include "session.h"

/* The loss of a step just done joins the band; 1 where it left it, which is kept and said. */
int spike_look(session *s, const fpx_step_result *r);
/* A line of what to do next; silent where none left it. */
void spike_print(const session *s, FILE *out);

#endif /* CLI_SESSION_SPIKE_H */
