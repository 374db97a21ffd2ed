/* model_build.h - the growing program, and what its parts need to say: shared by model.c (the forward
 * and backward pass), model_linear.c (quantized matrix multiplications) and model_optim.c (the optimizer). */
#ifndef TRAINER_MODEL_BUILD_H
#define TRAINER_MODEL_BUILD_H

#include <fpx/config.h>
#include <fpx/model.h>
#include <fpx/program.h>
#include <fpx/recipe.h>

enum { BUILD_MAX_PARAMS = 4096 };

/* Tensor indices, ended; a shape. */
#define LIST(...) ((uint32_t[]){ __VA_ARGS__, FPX_NO_TENSOR })
#define DIMS(...) ((uint64_t[FPX_MAX_DIMS]){ __VA_ARGS__ })

typedef struct build {
    fpx_program *program;
    const fpx_recipe *recipe;
    unsigned char *used; /* rules of the recipe that matched something */
    uint64_t batch, sequence;
    fpx_status status; /* the first failure: later calls do nothing */
    fpx_error *err;
    uint32_t params[BUILD_MAX_PARAMS], grads[BUILD_MAX_PARAMS]; /* in program order */
    size_t nparams;
} build;

/* A tensor of up to four axes (shape ends at the first 0). Returns its index, or FPX_NO_TENSOR. */
uint32_t build_tensor(build *b, int layer, fpx_tensor_class cls, const fpx_format *format,
                      const uint64_t dims[FPX_MAX_DIMS], const char *format_name, ...)
    __attribute__((format(printf, 6, 7)));

/* An operation; in and out end at the first FPX_NO_TENSOR. attr may be NULL. */
void build_op(build *b, int layer, fpx_op_kind kind, fpx_role role, const char *site,
              const char *suffix, const uint32_t *in, const uint32_t *out, const fpx_attr *attr);

/* "layer.3/attn.qkv", or "head" outside the layers. */
void build_site(int layer, const char *op, char ret_site[FPX_NAME_MAX]);

/* One linear layer y = x W^T. */
typedef struct linear {
    int layer;
    const char *op;
    uint64_t inputs, outputs;
    uint32_t x, w, y;
} linear;

/* Forward; makes the weight. Returns y. */
uint32_t linear_forward(build *b, linear *l, int layer, const char *op, uint32_t x, uint64_t inputs,
                        uint64_t outputs);
/* Backward: dw is added to the build's gradients. Returns dx. */
uint32_t linear_backward(build *b, const linear *l, uint32_t dy);

/* From the gradients to new parameters: the norm, clipping, one update a parameter. */
void build_optimizer(build *b, const fpx_optimizer_config *o, fpx_model *m);

#endif /* TRAINER_MODEL_BUILD_H */
