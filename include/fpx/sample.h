/* fpx/sample.h - text from a trained model: a checkpoint of fpx train holds all it takes (model, recipe, tokenizer). */
#ifndef FPX_SAMPLE_H
#define FPX_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/device.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The next token is drawn from softmax(logits / temperature) of the top_k largest logits (of equal ones the lower
 * tokens), by the inverse of its cumulative distribution in token order; arithmetic in float64, number i of the
 * seed's stream for token i. Plain data. */
typedef struct fpx_sampling {
    size_t tokens;      /* at most so many; a model of data.kind instruct ends with token 0 */
    double temperature; /* 0: the largest logit, always; 1: the model's own */
    uint32_t top_k;     /* 0: all */
    uint64_t seed;
} fpx_sampling;

typedef struct fpx_sampler fpx_sampler;

/* Reads a checkpoint (a file, or a folder: its newest) and makes ready for the forward pass, with the recipe's
 * arithmetic, one sequence at a time. devices: as fpx_trainer_new; they must outlive the sampler. FPX_EIO: none there;
 * FPX_EFORMAT: no checkpoint, or of a version that did not store its experiment; FPX_EUNSUPPORTED: trained on tokens
 * without a tokenizer. */
fpx_status fpx_sampler_open(const char *checkpoint, fpx_device *const *devices, size_t ndevices,
                            fpx_sampler **ret_sampler, fpx_error *err);
void fpx_sampler_free(fpx_sampler *sampler); /* NULL is fine */

/* Continues `count` bytes of a prompt, of which the last data.sequence tokens are seen. *ret_text, to be freed with
 * free(), holds the new bytes alone; a zero byte that is not counted follows. FPX_EINVAL: an empty prompt, a
 * temperature that is negative or no number; FPX_ENUMERIC: a logit is not finite; devices' errors. */
fpx_status fpx_sampler_run(fpx_sampler *sampler, const void *prompt, size_t count,
                           const fpx_sampling *sampling, char **ret_text, size_t *ret_count,
                           fpx_error *err);

#ifdef __cplusplus
}
#endif

#endif /* FPX_SAMPLE_H */
