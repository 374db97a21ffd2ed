/* instruct.h - prompts and responses as tokens: prompt, response, token 0, the next sequence's prompt, ... A preference is
 * two sequences, its chosen response's and its rejected one's. */
#ifndef TRAINER_INSTRUCT_H
#define TRAINER_INSTRUCT_H

#include "token_source.h"

typedef struct instruct {
    size_t n;        /* sequences */
    size_t group;    /* of them a record: 1 or 2 */
    size_t *start;   /* [n + 1]: sequence r is tokens start[r] .. start[r + 1] - 1 of the source */
    size_t *prompts; /* [n]: so many of them are the prompt's */
} instruct;

/* Of an experiment whose data.kind is instruct or preference. As token_source_open; FPX_EINVAL also: a record of more than
 * data.sequence + 1 tokens; the text says its line. */
fpx_status instruct_open(const fpx_experiment *experiment, token_source *ret_source,
                         instruct *ret_instruct, fpx_error *err);
void instruct_close(instruct *of); /* one of zeros is fine */

#endif /* TRAINER_INSTRUCT_H */
