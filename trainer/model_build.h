/* model_build.h - the growing program, and what its parts need to say: shared by model.c (the forward
 * and backward pass), model_build.c (tensors, operations), model_linear.c (quantized matrix multiplications) and
 * model_optim.c (the optimizer). */
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
    uint64_t seed;
    double dropout; /* 0 in evaluation */
    int layers;
    fpx_micro_batch *micros; /* [accumulate], the model's */
    fpx_status status;       /* the first failure: later calls do nothing */
    fpx_error *err;
    uint32_t params[BUILD_MAX_PARAMS],
        grads[BUILD_MAX_PARAMS + 1];   /* in program order; the loss behind */
    const char *ops[BUILD_MAX_PARAMS]; /* whose parameter: "attn.qkv" */
    uint32_t
        weights[BUILD_MAX_PARAMS]; /* the parameter in fp32: itself, or what is made of its codes */
    size_t nparams;
    uint32_t micro;  /* the micro-batch that is built, of accumulate */
    char prefix[24]; /* of its names: "micro.1/", or "" where there is one only */
    uint32_t accumulate;
    uint32_t step_micros; /* of a training step, also where this is a forward pass alone */
} build;

/* FPX_EINVAL, also in b->status, where a name's length, as snprintf returned it, is too large for FPX_NAME_MAX; what: the
 * name, or what it begins with. */
fpx_status build_name_status(build *b, int length, const char *what);

/* A tensor of up to four axes (shape ends at the first 0). Returns its index, or FPX_NO_TENSOR. */
uint32_t build_tensor(build *b, int layer, fpx_tensor_class cls, const fpx_format *format,
                      const uint64_t dims[FPX_MAX_DIMS], const char *format_name, ...)
    __attribute__((format(printf, 6, 7)));

/* An operation; in and out end at the first FPX_NO_TENSOR. attr may be NULL. */
void build_op(build *b, int layer, fpx_op_kind kind, fpx_role role, const char *site,
              const char *suffix, const uint32_t *in, const uint32_t *out, const fpx_attr *attr);

/* A tensor outside the layers and outside any site, this micro-batch's. */
uint32_t build_of_micro(build *b, fpx_tensor_class cls, const fpx_format *format,
                        const uint64_t *dims, const char *name);

/* Where randomness is used: FNV-1a (Fowler, Noll, Vo) of a name, above all sites of sites.h. */
uint64_t build_random_site(const char *name);

/* Where micro-batch `micro`'s random bits are in their streams: an input, made when first asked for. */
uint32_t build_draw(build *b, uint32_t micro);

/* "layer.3/attn.qkv", or "head" outside the layers: of parameters, and what is made of them alone. */
void build_shared_site(int layer, const char *op, char ret_site[FPX_NAME_MAX]);
/* The same of this micro-batch. */
void build_site(const build *b, int layer, const char *op, char ret_site[FPX_NAME_MAX]);

/* Whether a tensor is of the micro-batch that is built; not so where there is only one. */
int build_is_own(const build *b, uint32_t tensor);

/* ---- model_state.c ---- */
/* The parameter "<site>/<name>" in fp32: made by the first micro-batch, found by the others. */
uint32_t build_param(build *b, int layer, const char *op, const char *name,
                     const uint64_t dims[FPX_MAX_DIMS]);
/* The gradient of such a parameter, stored as the recipe says. */
void build_set_grad(build *b, uint32_t weight, uint32_t grad);
/* A tensor in fp32: itself, or "<name>.<as>", made of its codes. */
uint32_t build_real(build *b, fpx_role role, uint32_t tensor, const char *as);
/* The state "m" or "v" of a parameter. */
uint32_t build_moment(build *b, size_t param, const char *name);
/* There is none: the recipe's rules of it are used nevertheless. */
void build_no_moment(build *b, size_t param, const char *name);
/* fp32 values become the codes of `codes`, a parameter's "master", "grad", "m" or "v", whose scale is taken from them. */
void build_store(build *b, fpx_role role, size_t param, const char *tensor, uint32_t real,
                 uint32_t codes);
/* The factor of a gradient's scale follows the gradient's codes. */
void build_factor(build *b, size_t param);

/* One linear layer y = x W^T. */
typedef struct linear {
    int layer;
    const char *op;
    uint64_t inputs, outputs;
    uint32_t x, w, y;
    uint32_t xq, wq; /* as the forward product takes them */
    int clipped;     /* the gradients are those of these copies first: estimator clip */
} linear;

/* Forward; makes the weight. Returns y. */
uint32_t linear_forward(build *b, linear *l, int layer, const char *op, uint32_t x, uint64_t inputs,
                        uint64_t outputs);
/* Backward: dw is added to the build's gradients. Returns dx. */
uint32_t linear_backward(build *b, const linear *l, uint32_t dy);

/* The operand of a role as its product takes it: `source` itself, or its quantized copy. tensor: "x", "w", "dy"; k_axis: 0
 * or 1, the axis of the stored matrix that the product sums over. */
uint32_t build_quantized(build *b, const linear *l, fpx_role role, const char *tensor, int k_axis,
                         uint32_t source);

/* ---- model_clip.c ---- */
/* Whether the recipe has estimator clip for both operands of the forward product; one alone is refused. */
int build_is_clipped(build *b, const linear *l);
/* The values of a quantized copy of "x" or "w", as tensors of the backward products. */
uint32_t build_decoded(build *b, const linear *l, fpx_role role, const char *tensor,
                       uint32_t codes);
/* From the gradient of the quantized copy `codes` to that of its operand, "<site>/<name>". */
uint32_t build_clip(build *b, const linear *l, fpx_role role, const char *name, uint32_t codes,
                    uint32_t grad);
/* ---- model_remedies.c ---- */
/* x held between two of its quantiles: "<site>/x.clamp". */
uint32_t build_clamped(build *b, const linear *l, const fpx_operand_rule *rule, uint32_t x);
/* Whether what was cut off of x, times w, is added to the product: base then is the product alone, l->y the sum. */
fpx_compensation build_compensates(build *b, const linear *l);
void build_compensation(build *b, const linear *l, uint32_t base, uint32_t w);
/* dw times the slope of the weight's quantizer, where the recipe has an estimator; else dw. */
uint32_t build_estimated(build *b, const linear *l, uint32_t dw);
/* ---- model_loss.c ---- */
typedef struct loss_site {
    int pairs; /* of preferences */
    uint32_t logits, targets, lse, dlogp;
} loss_site;

/* Returns the micro-batch's loss: the mean where it is alone, else the sum. */
uint32_t loss_forward(build *b, loss_site *l, const fpx_data_config *d, uint32_t logits,
                      fpx_model *m);
/* Returns the gradient of the logits. count: the model's. */
uint32_t loss_backward(build *b, const loss_site *l, uint32_t count);

/* ---- model_accumulate.c ---- */
/* After micro-batch b->micro: its gradients, and its loss sum, join those before it. After the last, b->grads and
 * *loss are of the whole step. Does nothing where there is one micro-batch. */
typedef struct accumulation {
    uint32_t *open; /* [level][nparams + 1]: subtrees that wait for their right neighbour */
    size_t width;
} accumulation;
void build_accumulate(build *b, accumulation *a, uint32_t *loss);

/* From the gradients to new parameters: the norm, clipping, one update a parameter. */
void build_optimizer(build *b, const fpx_optimizer_config *o, fpx_model *m);

#endif /* TRAINER_MODEL_BUILD_H */
