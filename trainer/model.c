/* model.c - forward and backward pass of a decoder-only transformer, written out as a step program:
 * the one place that says which operation feeds which. Shapes stand beside each line. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/cpu.h>

#include "model_build.h"
#include "recipe_idle.h"

typedef struct norm {
    int layer;
    const char *op;
    uint32_t x, gain, rstd, y;
} norm;

typedef struct block {
    norm norm1, norm2;
    linear qkv, out, up, down;
    uint32_t q, k, v, p;  /* [B,H,T,D], p [B,H,T,T] */
    uint32_t kept;        /* p after dropout */
    uint32_t qkv_y, up_y; /* inputs of rope and of the activation */
} block;

typedef struct shape {
    uint64_t b, t, m, c, h, d, f, v; /* as in fpx/accel.h */
    uint32_t activation;
    double eps, base;
} shape;

/* One output tensor "<site>/<out>" and the operation "<site>/<suffix>" that writes it. */
static uint32_t apply(build *b, int layer, const char *op, fpx_op_kind kind, fpx_role role,
                      const uint32_t *in, const uint64_t *dims, const char *out,
                      const fpx_attr *attr)
{
    const fpx_tensor_class cls = role == FPX_FPROP ? FPX_TENSOR_ACTIVATION : FPX_TENSOR_GRADIENT;
    char site[FPX_NAME_MAX];
    uint32_t y;

    build_site(b, layer, op, site);
    y = build_tensor(b, layer, cls, &fpx_fp32, dims, "%s/%s", site, out);
    build_op(b, layer, kind, role, site,
             role == FPX_FPROP ? "fprop"
                               : (strcmp(out, "dv") == 0 || strcmp(out, "dk") == 0 ? out : "dgrad"),
             in, LIST(y), attr);
    return y;
}

/* After dropout, or its gradient; x itself where there is none. A micro-batch draws what its rows would draw in the one
 * batch of all of them. */
static uint32_t dropout(build *b, int layer, const char *op, fpx_role role, uint32_t x)
{
    char site[FPX_NAME_MAX];
    uint64_t dims[FPX_MAX_DIMS] = { 0 };

    if (b->dropout == 0.0 || b->status != FPX_OK)
        return x;
    const fpx_tensor *like = &fpx_program_tensor_at(b->program, x)->desc;
    memcpy(dims, like->shape, like->ndim * sizeof dims[0]);
    build_shared_site(layer, op, site);
    const fpx_attr attr = { .dropout = { .rate = b->dropout,
                                         .seed = b->seed,
                                         .site = build_random_site(site),
                                         .first = b->micro * (uint64_t)fpx_tensor_count(like) } };
    return apply(b, layer, op, FPX_OP_DROPOUT, role, LIST(x, build_draw(b, b->micro)), dims,
                 role == FPX_FPROP ? "y" : "dx", &attr);
}

static uint32_t norm_forward(build *b, const shape *s, norm *n, int layer, const char *op,
                             uint32_t x)
{
    const fpx_attr attr = { .rmsnorm = { .eps = s->eps, .leaf = s->t } };
    char site[FPX_NAME_MAX];

    build_site(b, layer, op, site);
    n->layer = layer;
    n->op = op;
    n->x = x;
    n->gain = build_param(b, layer, op, "gain", DIMS(s->c));
    n->y = build_tensor(b, layer, FPX_TENSOR_ACTIVATION, &fpx_fp32, DIMS(s->m, s->c), "%s/y", site);
    n->rstd = build_tensor(b, layer, FPX_TENSOR_ACTIVATION, &fpx_fp32, DIMS(s->m), "%s/rstd", site);
    build_op(b, layer, FPX_OP_RMSNORM, FPX_FPROP, site, "fprop", LIST(x, n->gain),
             LIST(n->y, n->rstd), &attr);
    return n->y;
}

static uint32_t norm_backward(build *b, const shape *s, const norm *n, uint32_t dy)
{
    const fpx_attr attr = { .rmsnorm = { .eps = s->eps, .leaf = s->t } };
    char site[FPX_NAME_MAX];
    uint32_t dx, dgain;

    build_site(b, n->layer, n->op, site);
    dx = build_tensor(b, n->layer, FPX_TENSOR_GRADIENT, &fpx_fp32, DIMS(s->m, s->c), "%s/dx", site);
    dgain = build_tensor(b, n->layer, FPX_TENSOR_GRADIENT, &fpx_fp32, DIMS(s->c), "%s/dgain", site);
    build_op(b, n->layer, FPX_OP_RMSNORM_GRAD, FPX_DGRAD, site, "dgrad",
             LIST(n->x, n->gain, n->rstd, dy), LIST(dx, dgain), &attr);
    build_set_grad(b, n->gain, dgain);
    return dx;
}

/* "<op>/q", "/k", "/v" in [B,H,T,D]; with prefix "d" their gradients are made elsewhere. */
static uint32_t attention_forward(build *b, const shape *s, block *k, int layer, uint32_t qkv)
{
    const uint64_t *heads = DIMS(s->b, s->h, s->t, s->d), *square = DIMS(s->b, s->h, s->t, s->t);
    const fpx_attr rope = { .rope = { .base = s->base } };
    const fpx_attr scores = { .gemm = { .trans_b = 1 } };
    const fpx_attr soft = { .softmax = { .scale = 1.0 / sqrt((double)s->d), .causal = 1 } };
    char site[FPX_NAME_MAX];
    uint32_t x;

    build_site(b, layer, "attn.rope", site);
    k->qkv_y = qkv;
    k->q = build_tensor(b, layer, FPX_TENSOR_ACTIVATION, &fpx_fp32, heads, "%s/q", site);
    k->k = build_tensor(b, layer, FPX_TENSOR_ACTIVATION, &fpx_fp32, heads, "%s/k", site);
    k->v = build_tensor(b, layer, FPX_TENSOR_ACTIVATION, &fpx_fp32, heads, "%s/v", site);
    build_op(b, layer, FPX_OP_ROPE, FPX_FPROP, site, "fprop", LIST(qkv), LIST(k->q, k->k, k->v),
             &rope);
    x = apply(b, layer, "attn.scores", FPX_OP_GEMM, FPX_FPROP, LIST(k->q, k->k), square, "y",
              &scores);
    k->p = apply(b, layer, "attn.softmax", FPX_OP_SOFTMAX, FPX_FPROP, LIST(x), square, "y", &soft);
    k->kept = dropout(b, layer, "attn.softmax.dropout", FPX_FPROP, k->p);
    x = apply(b, layer, "attn.context", FPX_OP_GEMM, FPX_FPROP, LIST(k->kept, k->v), heads, "y",
              NULL);
    return apply(b, layer, "attn.merge", FPX_OP_MERGE_HEADS, FPX_FPROP, LIST(x), DIMS(s->m, s->c),
                 "y", NULL);
}

static uint32_t attention_backward(build *b, const shape *s, const block *k, int layer, uint32_t dy)
{
    const uint64_t *heads = DIMS(s->b, s->h, s->t, s->d), *square = DIMS(s->b, s->h, s->t, s->t);
    const fpx_attr rope = { .rope = { .base = s->base } };
    const fpx_attr nt = { .gemm = { .trans_b = 1 } }, tn = { .gemm = { .trans_a = 1 } };
    const fpx_attr soft = { .softmax = { .scale = 1.0 / sqrt((double)s->d), .causal = 1 } };
    uint32_t dc, dp, dv, ds, dq, dk;

    dc = apply(b, layer, "attn.merge", FPX_OP_SPLIT_HEADS, FPX_DGRAD, LIST(dy), heads, "dx", NULL);
    dp = apply(b, layer, "attn.context", FPX_OP_GEMM, FPX_DGRAD, LIST(dc, k->v), square, "dp", &nt);
    dv = apply(b, layer, "attn.context", FPX_OP_GEMM, FPX_DGRAD, LIST(k->kept, dc), heads, "dv",
               &tn);
    dp = dropout(b, layer, "attn.softmax.dropout", FPX_DGRAD, dp);
    ds = apply(b, layer, "attn.softmax", FPX_OP_SOFTMAX_GRAD, FPX_DGRAD, LIST(k->p, dp), square,
               "dx", &soft);
    dq = apply(b, layer, "attn.scores", FPX_OP_GEMM, FPX_DGRAD, LIST(ds, k->k), heads, "dq", NULL);
    dk = apply(b, layer, "attn.scores", FPX_OP_GEMM, FPX_DGRAD, LIST(ds, k->q), heads, "dk", &tn);
    return apply(b, layer, "attn.rope", FPX_OP_ROPE_GRAD, FPX_DGRAD, LIST(dq, dk, dv),
                 DIMS(s->m, 3 * s->c), "dx", &rope);
}

static uint32_t block_forward(build *b, const shape *s, block *k, int layer, uint32_t x)
{
    const int glu = s->activation == FPX_SWIGLU;
    const uint64_t *width = DIMS(s->m, s->c);
    uint32_t y;

    y = norm_forward(b, s, &k->norm1, layer, "attn.norm", x);
    y = linear_forward(b, &k->qkv, layer, "attn.qkv", y, s->c, 3 * s->c);
    y = attention_forward(b, s, k, layer, y);
    y = linear_forward(b, &k->out, layer, "attn.out", y, s->c, s->c);
    y = dropout(b, layer, "attn.out.dropout", FPX_FPROP, y);
    x = apply(b, layer, "attn.add", FPX_OP_ADD, FPX_FPROP, LIST(x, y), width, "y", NULL);
    y = norm_forward(b, s, &k->norm2, layer, "mlp.norm", x);
    k->up_y = linear_forward(b, &k->up, layer, "mlp.up", y, s->c, (glu ? 2 : 1) * s->f);
    y = apply(b, layer, "mlp.act", glu ? FPX_OP_SWIGLU : FPX_OP_GELU, FPX_FPROP, LIST(k->up_y),
              DIMS(s->m, s->f), "y", NULL);
    y = linear_forward(b, &k->down, layer, "mlp.down", y, s->f, s->c);
    y = dropout(b, layer, "mlp.down.dropout", FPX_FPROP, y);
    return apply(b, layer, "mlp.add", FPX_OP_ADD, FPX_FPROP, LIST(x, y), width, "y", NULL);
}

/* A residual sends its gradient both ways: the sum of both is the gradient of the block's input. */
static uint32_t block_backward(build *b, const shape *s, const block *k, int layer, uint32_t dx)
{
    const int glu = s->activation == FPX_SWIGLU;
    const uint64_t *width = DIMS(s->m, s->c);
    uint32_t d;

    d = dropout(b, layer, "mlp.down.dropout", FPX_DGRAD, dx);
    d = linear_backward(b, &k->down, d);
    d = apply(b, layer, "mlp.act", glu ? FPX_OP_SWIGLU_GRAD : FPX_OP_GELU_GRAD, FPX_DGRAD,
              LIST(k->up_y, d), DIMS(s->m, (glu ? 2 : 1) * s->f), "dx", NULL);
    d = linear_backward(b, &k->up, d);
    d = norm_backward(b, s, &k->norm2, d);
    dx = apply(b, layer, "mlp.add", FPX_OP_ADD, FPX_DGRAD, LIST(dx, d), width, "dx", NULL);
    d = dropout(b, layer, "attn.out.dropout", FPX_DGRAD, dx);
    d = linear_backward(b, &k->out, d);
    d = attention_backward(b, s, k, layer, d);
    d = linear_backward(b, &k->qkv, d);
    d = norm_backward(b, s, &k->norm1, d);
    return apply(b, layer, "attn.add", FPX_OP_ADD, FPX_DGRAD, LIST(dx, d), width, "dx", NULL);
}

static fpx_status check_shape(const fpx_experiment *e, const shape *s, fpx_error *err)
{
    if (s->h == 0 || s->c % s->h != 0 || s->d % 2 != 0)
        return fpx_error_set(
            err, FPX_EINVAL,
            "model: width %u needs to be an even multiple of heads %u (the head width "
            "must be even for rotary pairs)",
            e->model.width, e->model.heads);
    if (s->b == 0 || s->t == 0 || s->f == 0 || s->v == 0 || e->model.layers == 0 ||
        e->data.accumulate == 0)
        return fpx_error_set(
            err, FPX_EINVAL,
            "model: layers, hidden, vocabulary, batch, sequence and accumulate must be at least 1");
    if (e->data.accumulate > 1 && (s->b & (s->b - 1)) != 0)
        return fpx_error_set(err, FPX_EINVAL,
                             "data: batch %u must be a power of two where accumulate is above 1",
                             e->data.batch);
    if (e->model.layers > BUILD_MAX_PARAMS) /* each has more than one: no need to build to know */
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: %u layers have more than the %d parameter tensors that are "
                             "possible",
                             e->name, e->model.layers, BUILD_MAX_PARAMS);
    return FPX_OK;
}

/* One micro-batch forward and, training, backward. Returns its loss: the mean where it is alone, else the sum. */
static uint32_t build_micro(build *b, const fpx_experiment *e, const shape *s, int training,
                            block *blocks, fpx_model *m)
{
    const int layers = (int)e->model.layers;
    const fpx_attr leaf = { .tokens = { .leaf = s->t } };
    fpx_micro_batch *micro = &m->micro[b->micro];
    norm last;
    linear head;
    uint32_t x, table, y, d;
    loss_site at;

    micro->tokens = build_of_micro(b, FPX_TENSOR_INPUT, &fpx_int32, DIMS(s->m), "tokens");
    micro->targets = build_of_micro(b, FPX_TENSOR_INPUT, &fpx_int32, DIMS(s->m), "targets");
    table = build_param(b, -1, "embed", "w", DIMS(s->v, s->c));
    x = apply(b, -1, "embed", FPX_OP_EMBED, FPX_FPROP, LIST(micro->tokens, table), DIMS(s->m, s->c),
              "y", NULL);
    x = dropout(b, -1, "embed.dropout", FPX_FPROP, x);
    for (int l = 0; l < layers; l++)
        x = block_forward(b, s, &blocks[l], l, x);
    x = norm_forward(b, s, &last, -1, "norm", x);
    m->logits = linear_forward(b, &head, -1, "head", x, s->c, s->v);
    y = loss_forward(b, &at, &e->data, m->logits, m);
    if (training) {
        d = loss_backward(b, &at, m->count);
        d = linear_backward(b, &head, d);
        d = norm_backward(b, s, &last, d);
        for (int l = layers - 1; l >= 0; l--)
            d = block_backward(b, s, &blocks[l], l, d);
        d = dropout(b, -1, "embed.dropout", FPX_DGRAD, d);
        d = apply(b, -1, "embed", FPX_OP_EMBED_GRAD, FPX_WGRAD, LIST(micro->tokens, d),
                  DIMS(s->v, s->c), "dw", &leaf);
        build_set_grad(b, table, d);
    }
    return y;
}

static fpx_status build_all(build *b, const fpx_experiment *e, const shape *s, int training,
                            block *blocks, fpx_model *m)
{
    accumulation sums = { .open = NULL };
    const int several = b->accumulate > 1;

    if (several)
        m->count = build_tensor(b, -1, FPX_TENSOR_INPUT, &fpx_fp32, DIMS(1), "count");
    for (; b->micro < b->accumulate && b->status == FPX_OK; b->micro++) {
        if (several)
            (void)snprintf(b->prefix, sizeof b->prefix, "micro.%u/", b->micro);
        m->loss = build_micro(b, e, s, training, blocks, m);
        build_accumulate(b, &sums, &m->loss);
        m->micro[b->micro].end = (uint32_t)fpx_program_ops(b->program);
    }
    free(sums.open);
    b->prefix[0] = '\0';
    if (several) {
        const uint32_t total = m->loss;

        m->loss = build_tensor(b, -1, FPX_TENSOR_ACTIVATION, &fpx_fp32, DIMS(1), "loss");
        build_op(b, -1, FPX_OP_DIVIDE, FPX_FPROP, "loss", "mean", LIST(total, m->count),
                 LIST(m->loss), NULL);
    }
    if (training)
        build_optimizer(b, &e->optimizer, m);
    return b->status;
}

static fpx_status build_model(const fpx_experiment *experiment, const fpx_recipe *recipe,
                              int training, uint32_t batch, uint32_t sequence,
                              fpx_model **ret_model, fpx_error *err)
{
    const fpx_model_config *c = &experiment->model;
    shape s = { .b = batch ? batch : experiment->data.batch,
                .t = sequence ? sequence : experiment->data.sequence,
                .c = c->width,
                .h = c->heads,
                .f = c->hidden,
                .v = c->vocabulary,
                .activation = c->activation,
                .eps = c->norm_eps,
                .base = c->rope_base };
    fpx_model *m = calloc(1, sizeof *m);
    build *b = calloc(1, sizeof *b);
    block *blocks = calloc(c->layers + 1, sizeof *blocks);
    unsigned char *used = calloc((size_t)recipe->nrules + recipe->nunits + recipe->nstates + 1, 1);
    fpx_status status = FPX_ENOMEM;

    s.m = s.b * s.t;
    s.d = s.h ? s.c / s.h : 0;
    if (m != NULL) {
        m->accumulate = training ? experiment->data.accumulate : 1;
        m->micro = calloc((size_t)m->accumulate + 1, sizeof *m->micro);
    }
    if (m == NULL || m->micro == NULL || b == NULL || blocks == NULL || used == NULL ||
        fpx_program_new(&m->program) != FPX_OK) {
        (void)fpx_error_set(err, FPX_ENOMEM, "building a model: out of memory");
    } else if ((status = check_shape(experiment, &s, err)) == FPX_OK) {
        *b = (build){ .program = m->program,
                      .recipe = recipe,
                      .used = used,
                      .batch = s.b,
                      .sequence = s.t,
                      .seed = experiment->seed,
                      .dropout = training ? c->dropout : 0.0,
                      .layers = (int)c->layers,
                      .accumulate = m->accumulate,
                      .step_micros = experiment->data.accumulate,
                      .micros = m->micro,
                      .err = err };
        m->count = m->hyper = m->norm = FPX_NO_TENSOR;
        for (uint32_t i = 0; i < m->accumulate; i++)
            m->micro[i].draw = m->micro[i].reference = m->micro[i].logp = m->micro[i].margin =
                FPX_NO_TENSOR;
        status = build_all(b, experiment, &s, training, blocks, m);
        if (status == FPX_OK && training)
            status = recipe_check_used(recipe, used, b->layers, err);
        for (size_t i = 0; status == FPX_OK && i < b->nparams; i++)
            m->parameters +=
                fpx_tensor_count(&fpx_program_tensor_at(m->program, b->params[i])->desc);
    }
    free(b);
    free(blocks);
    free(used);
    if (status != FPX_OK) {
        fpx_model_free(m);
        return status;
    }
    *ret_model = m;
    return FPX_OK;
}

/* Attributes are computed here (1 / sqrt D): in the library's rounding mode, like all numbers. */
fpx_status fpx_model_build(const fpx_experiment *experiment, const fpx_recipe *recipe, int training,
                           uint32_t batch, uint32_t sequence, fpx_model **ret_model, fpx_error *err)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    const fpx_status status =
        build_model(experiment, recipe, training, batch, sequence, ret_model, err);

    fpx_fpenv_leave(env);
    return status;
}

void fpx_model_free(fpx_model *model)
{
    if (model == NULL)
        return;
    fpx_program_free(model->program);
    free(model->micro);
    free(model);
}
