/* demo_fault.c - kinds as a table: which outputs a kind can strike, and what it does there. */
#include "demo_fault.h"

#include <stdio.h>
#include <string.h>

#include <fpx/stream.h>

typedef struct site {
    const fpx_program *program;
    size_t op;
    uint32_t out;
} site;

static const fpx_program_tensor *tensor_of(const site *s)
{
    return fpx_program_tensor_at(s->program, fpx_program_op_at(s->program, s->op)->out[s->out]);
}

static int any_float(const site *s)
{
    return tensor_of(s)->desc.format.cls == FPX_CLASS_FLOAT;
}

static int is_scale(const site *s)
{
    return fpx_program_op_at(s->program, s->op)->kind == FPX_OP_SCALE;
}

static int is_product(const site *s)
{
    return fpx_program_op_at(s->program, s->op)->kind == FPX_OP_GEMM;
}

/* Read by nothing but quantizers (and their scales), or by nothing at all: an error below the
 * format's precision is rounded away, and the run goes on as if nothing had been. */
static int only_quantized(const site *s)
{
    const uint32_t id = fpx_program_op_at(s->program, s->op)->out[s->out];
    const uint32_t cls = tensor_of(s)->cls;

    if (cls != FPX_TENSOR_ACTIVATION || tensor_of(s)->desc.format.bits != 32)
        return 0;
    for (size_t i = 0; i < fpx_program_ops(s->program); i++) {
        const fpx_program_op *op = fpx_program_op_at(s->program, i);

        for (uint32_t k = 0; k < op->nin; k++)
            if (op->in[k] == id && op->kind != FPX_OP_SCALE && op->kind != FPX_OP_QUANTIZE)
                return 0;
    }
    return 1;
}

static const struct {
    const char *words;
    int (*strikes)(const site *s);
    uint32_t kind;
    int heals;
} kinds[] = { { "one bit of one element is flipped", any_float, FPX_FAULT_BIT, 0 },
              { "one element is one ulp too large", any_float, FPX_FAULT_ULP, 0 },
              { "a stale scale: the one of the step before is used", is_scale, FPX_FAULT_STALE, 0 },
              { "a narrow datapath: every element of the tensor loses its lowest bits", is_product,
                FPX_FAULT_TRUNCATE, 0 },
              { "one element is one ulp too large, and rounding heals it", only_quantized,
                FPX_FAULT_ULP, 1 } };

enum { KINDS = sizeof kinds / sizeof kinds[0], SITE_DEMO = 3 };

/* The n-th output that the kind can strike; with ret_site NULL only counts them. */
static size_t pick(const fpx_program *program, size_t kind, size_t n, site *ret_site)
{
    size_t count = 0;

    for (size_t i = 0; i < fpx_program_ops(program); i++) {
        for (uint32_t o = 0; o < fpx_program_op_at(program, i)->nout; o++) {
            const site s = { program, i, o };

            if (!kinds[kind].strikes(&s))
                continue;
            if (ret_site != NULL && count == n)
                *ret_site = s;
            count++;
        }
    }
    return count;
}

void demo_fault_draw(const fpx_program *program, uint64_t steps, uint64_t seed, uint32_t attempt,
                     demo_fault *ret_fault)
{
    const fpx_stream stream = { .seed = seed, .site = SITE_DEMO, .micro_batch = attempt };
    size_t kind = fpx_stream_u32(&stream, 0) % KINDS, sites = pick(program, kind, 0, NULL);
    site s = { program, 0, 0 };
    demo_fault f = { 0 };

    if (sites == 0) { /* a program without scales: any program has elements */
        kind = 0;
        sites = pick(program, kind, 0, NULL);
    }
    f.heals = kinds[kind].heals;
    (void)pick(program, kind, sites > 0 ? fpx_stream_u32(&stream, 1) % sites : 0, &s);
    const fpx_program_tensor *t = tensor_of(&s);
    f.fault.kind = kinds[kind].kind;
    f.fault.out = s.out;
    f.fault.step = 1 + fpx_stream_u32(&stream, 2) % (steps - 2);
    f.fault.element = fpx_stream_u32(&stream, 3) % fpx_tensor_count(&t->desc);
    f.fault.bit = f.fault.kind == FPX_FAULT_TRUNCATE
                      ? 4 + fpx_stream_u32(&stream, 4) % 12
                      : fpx_stream_u32(&stream, 4) % t->desc.format.bits;
    (void)snprintf(f.fault.op, sizeof f.fault.op, "%s", fpx_program_op_at(program, s.op)->name);
    (void)snprintf(f.tensor, sizeof f.tensor, "%s", t->name);
    (void)snprintf(f.words, sizeof f.words, "%s", kinds[kind].words);
    *ret_fault = f;
}
