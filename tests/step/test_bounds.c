/* test_bounds.c - the float32 results of the `cpu` device lie within the bounds of its float64 results,
 * for every operation, over sane and hostile data; and a single flipped bit does not. */
#include <check.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/device.h>
#include <fpx/opshape.h>
#include <fpx/optable.h>

/* Data: what is ordinary, and what finds a forgotten term. */
enum data { UNIT, WIDE, CANCEL, EQUAL, TINY, HUGE_DATA, SPARSE, SPECIAL, DATA_KINDS };
static const char *const data_names[] = { "unit", "wide", "cancel", "equal",
                                          "tiny", "huge", "sparse", "special" };

/* Extents: a letter of a pattern means dims[letter]. */
typedef struct extents {
    uint64_t b, t, h, d, f, v;
} extents;

static const extents shapes[] = { { 1, 1, 1, 2, 1, 2 },     { 2, 5, 3, 4, 17, 33 },
                                  { 3, 16, 2, 8, 70, 100 }, { 1, 67, 1, 34, 3, 19 },
                                  { 5, 24, 2, 2, 40, 300 }, { 1, 2, 1, 2050, 3, 4001 },
                                  { 1, 300, 1, 2, 2, 2 } };
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* Format and extents of each tensor: r real, i int32, d fp64; W = 3C, G = 2F, other digits stand
 * for themselves. `sharp`: the share of results in which a flip of bit 12 must be noticed, 0 where
 * another term than the result's own size decides. */
typedef struct row {
    const char *in[FPX_MAX_IN], *out[FPX_MAX_OUT];
    double sharp;
} row;

static const row rows[FPX_OP_KINDS] = {
    [FPX_OP_EMBED] = { { "iM", "rVC" }, { "rMC" }, 1 },
    [FPX_OP_EMBED_GRAD] = { { "iM", "rMC" }, { "rVC" }, 0.9 },
    [FPX_OP_RMSNORM] = { { "rMC", "rC" }, { "rMC", "rM" }, 1 },
    [FPX_OP_RMSNORM_GRAD] = { { "rMC", "rC", "rM", "rMC" }, { "rMC", "rC" }, 0.5 },
    [FPX_OP_ROPE] = { { "rMW" }, { "rBHTD", "rBHTD", "rBHTD" }, 0.9 },
    [FPX_OP_ROPE_GRAD] = { { "rBHTD", "rBHTD", "rBHTD" }, { "rMW" }, 0.9 },
    [FPX_OP_SOFTMAX] = { { "rBHTT" }, { "rBHTT" }, 1 },
    [FPX_OP_SOFTMAX_GRAD] = { { "rBHTT", "rBHTT" }, { "rBHTT" }, 0.5 },
    [FPX_OP_MERGE_HEADS] = { { "rBHTD" }, { "rMC" }, 1 },
    [FPX_OP_SPLIT_HEADS] = { { "rMC" }, { "rBHTD" }, 1 },
    [FPX_OP_SWIGLU] = { { "rMG" }, { "rMF" }, 1 },
    [FPX_OP_SWIGLU_GRAD] = { { "rMG", "rMF" }, { "rMG" }, 0.95 },
    [FPX_OP_GELU] = { { "rMF" }, { "rMF" }, 0.95 },
    [FPX_OP_GELU_GRAD] = { { "rMF", "rMF" }, { "rMF" }, 0.95 },
    [FPX_OP_ADD] = { { "rMC", "rMC" }, { "rMC" }, 1 },
    [FPX_OP_XENT] = { { "rMV", "iM" }, { "r1", "rM" }, 0.9 },
    [FPX_OP_XENT_GRAD] = { { "rMV", "iM", "rM", "r1" }, { "rMV" }, 0.9 },
    [FPX_OP_SUMSQ] = { { "rMC", "d1" }, { "d1" }, 0 },
    [FPX_OP_CLIP] = { { "d1" }, { "r1", "r1" }, 1 },
    [FPX_OP_ADAMW] = { { "rMC", "rMC", "rMC", "rMC", "r1", "r3" }, { "rMC", "rMC", "rMC" }, 0.9 },
    [FPX_OP_SGD] = { { "rMC", "rMC", "rMC", "r1", "r3" }, { "rMC", "rMC" }, 0.9 },
    [FPX_OP_DIVIDE] = { { "rMC", "r1" }, { "rMC" }, 1 },
    [FPX_OP_DEQUANTIZE] = { { "rMC" }, { "rMC" }, 1 },
    [FPX_OP_LION] = { { "rMC", "rMC", "rMC", "r1", "r3" }, { "rMC", "rMC" }, 0.9 },
    [FPX_OP_DGE] = { { "rMC", "rMC" }, { "rMC" }, 0 },
    [FPX_OP_CLAMP] = { { "rMC" }, { "rMC" }, 0.5 },
    [FPX_OP_ADD_RESIDUAL] = { { "rMF", "rMC", "rMC", "rFC" }, { "rMF" }, 0.9 },
    [FPX_OP_DROPOUT] = { { "rMC", "i2" }, { "rMC" }, 1 },
    [FPX_OP_LOGP] = { { "rMV", "iM" }, { "rB", "rM" }, 0.9 },
    [FPX_OP_LOGP_GRAD] = { { "rMV", "iM", "rM", "rB" }, { "rMV" }, 0.9 },
    [FPX_OP_DPO] = { { "rG", "rG", "r1" }, { "r1", "rG", "rF" }, 0.9 },
};

static uint64_t state;

static uint64_t random_word(void) /* splitmix64 */
{
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int below(int n)
{
    return (int)(random_word() % (uint64_t)n);
}

static double signed_unit(void)
{
    return (double)(int64_t)random_word() * 0x1p-63;
}

static float equal; /* what EQUAL repeats */

static float draw(enum data data, size_t i)
{
    static const float special[] = { NAN,      -NAN, INFINITY, -INFINITY, FLT_MAX,
                                     -FLT_MAX, 0.0f, -0.0f,    0x1p-149f, 1.0f };
    const double x = signed_unit();

    switch (data) {
    case UNIT:
        return (float)(4.0 * x);
    case WIDE:
        return (float)ldexp(x, below(80) - 40);
    case CANCEL: /* neighbours are nearly opposite: sums lose most of their digits */
        return (float)((i % 2 != 0 ? -100.0 : 100.0) + 0x1p-12 * x);
    case EQUAL: /* a sum's roundings all go the same way */
        equal = i == 0 ? (float)(4.0 * x) : equal;
        return equal;
    case TINY:
        return (float)ldexp(x, -110 - below(40));
    case HUGE_DATA:
        return (float)ldexp(x, 40 + below(88));
    case SPARSE:
        return below(3) == 0 ? (float)x : 0.0f;
    default:
        return below(40) == 0 ? special[below(10)] : (float)x;
    }
}

/* A call in its own formats beside the same in float64, with all their memory. */
typedef struct trial {
    fpx_call call, wide;
    void *in[FPX_MAX_IN], *out[FPX_MAX_OUT];      /* of call, in its formats */
    double *exact[FPX_MAX_IN], *ref[FPX_MAX_OUT]; /* of wide; int32 inputs are in[i] itself */
    double *value[FPX_MAX_OUT], *bound[FPX_MAX_OUT];
} trial;

static void *device;

static void *allot(size_t bytes)
{
    void *p = calloc(1, bytes > 0 ? bytes : 1);

    ck_assert_ptr_nonnull(p);
    return p;
}

static uint64_t extent_of(char letter, const extents *s)
{
    switch (letter) {
    case 'B':
        return s->b;
    case 'T':
        return s->t;
    case 'H':
        return s->h;
    case 'D':
        return s->d;
    case 'F':
        return s->f;
    case 'V':
        return s->v;
    case 'M':
        return s->b * s->t;
    case 'C':
        return s->h * s->d;
    case 'W':
        return 3 * s->h * s->d;
    case 'G':
        return 2 * s->f;
    default:
        return (uint64_t)(letter - '0');
    }
}

static fpx_tensor tensor_of(const char *pattern, const extents *s)
{
    const fpx_format *format = pattern[0] == 'i'   ? &fpx_int32
                               : pattern[0] == 'd' ? &fpx_fp64
                                                   : &fpx_fp32;
    uint64_t shape[FPX_MAX_DIMS];
    const size_t ndim = strlen(pattern) - 1;
    fpx_tensor t;

    for (size_t i = 0; i < ndim; i++)
        shape[i] = extent_of(pattern[1 + i], s);
    ck_assert_int_eq(fpx_tensor_make(format, ndim, shape, &t), FPX_OK);
    return t;
}

static void run_call(fpx_call *call, void *const *in, void *const *out)
{
    const uint8_t in_place = fpx_op_shape_of((fpx_op_kind)call->kind)->in_place;
    uint32_t buffers[FPX_MAX_IN + FPX_MAX_OUT], n = 0;
    char text[256];

    for (uint32_t i = 0; i < call->nin + call->nout; i++) {
        const int output = i >= call->nin;
        const uint32_t at = output ? i - call->nin : i;
        fpx_tensor *t = output ? &call->out[at] : &call->in[at];

        if (output && (in_place >> at & 1) != 0) {
            t->place = call->in[at].place;
            continue;
        }
        void *address = output ? out[at] : in[at];
        if (!output && (in_place >> at & 1) != 0) { /* inputs are kept as they were */
            memcpy(out[at], in[at], fpx_tensor_bytes(t));
            address = out[at];
        }
        ck_assert_int_eq(fpx_accel_cpu.adopt(device, address, fpx_tensor_bytes(t), &buffers[n]),
                         FPX_OK);
        t->place = (fpx_place){ .buffer = buffers[n++] };
        if (t->nscales > 0 && !output) { /* the factor of operand i lies in in[nin + i] */
            ck_assert_int_eq(fpx_accel_cpu.adopt(device, in[call->nin + at], 4, &buffers[n]),
                             FPX_OK);
            t->scale[0].place = (fpx_place){ .buffer = buffers[n++] };
        }
    }
    fpx_status status = fpx_accel_cpu.prepare(device, call, text, sizeof text);
    if (status == FPX_OK)
        status = fpx_accel_cpu.run(device, call, text, sizeof text);
    if (status != FPX_OK)
        ck_abort_msg("%s: %s", fpx_status_text(status), text);
    while (n > 0)
        fpx_accel_cpu.release(device, buffers[--n]);
}

static void decode(const fpx_tensor *t, double scale, const void *codes, double *to)
{
    ck_assert_int_eq(fpx_decode_f64(&t->format, scale, codes, to, fpx_tensor_count(t)), FPX_OK);
}

/* Allots what the call's tensors need; tests fill in[]. */
static void allot_all(trial *t)
{
    for (uint32_t i = 0; i < t->call.nin; i++) {
        t->in[i] = allot(fpx_tensor_bytes(&t->call.in[i]));
        t->exact[i] = allot(fpx_tensor_count(&t->call.in[i]) * sizeof(double));
    }
    for (uint32_t i = 0; i < t->call.nout; i++) {
        const size_t n = fpx_tensor_count(&t->call.out[i]);

        t->out[i] = allot(fpx_tensor_bytes(&t->call.out[i]));
        t->ref[i] = allot(n * sizeof(double));
        t->value[i] = allot(n * sizeof(double));
        t->bound[i] = allot(n * sizeof(double));
    }
}

static void release(trial *t)
{
    for (int i = 0; i < FPX_MAX_IN; i++) {
        free(t->in[i]);
        free(t->exact[i]);
    }
    for (int i = 0; i < FPX_MAX_OUT; i++) {
        free(t->out[i]);
        free(t->ref[i]);
        free(t->value[i]);
        free(t->bound[i]);
    }
}

static void widen(fpx_tensor *t)
{
    if (t->format.cls == FPX_CLASS_FLOAT)
        t->format = fpx_fp64;
    t->nscales = 0;
}

/* Runs both instances and the bound. scale[i] decodes input i (1 where it has none); decoded: the
 * same for out[0]. */
static void compute(trial *t, const double *scale, double decoded)
{
    static double identity[2] = { 1.0, 1.0 };
    const fpx_op_info *info = fpx_op_info_of((fpx_op_kind)t->call.kind);
    fpx_bound_args args = { .call = &t->call, .unit = 0x1p-24 };
    void *wide_in[FPX_MAX_IN], *wide_out[FPX_MAX_OUT];
    fpx_error err;

    if (fpx_call_check(&t->call, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    t->wide = t->call;
    for (uint32_t i = 0; i < t->call.nin; i++) {
        const int integers = t->call.in[i].format.cls == FPX_CLASS_INT;

        widen(&t->wide.in[i]);
        decode(&t->call.in[i], scale == NULL ? 1.0 : scale[i], t->in[i], t->exact[i]);
        args.in[i] = wide_in[i] = integers ? t->in[i] : t->exact[i];
    }
    if (t->call.kind == FPX_OP_QUANTIZE) /* the reference's scale; the bound sees the real one */
        wide_in[1] = identity;
    for (uint32_t i = 0; i < t->call.nout; i++) {
        widen(&t->wide.out[i]);
        wide_out[i] = t->ref[i];
        args.out[i] = t->ref[i];
        args.bound[i] = t->bound[i];
    }
    run_call(&t->call, t->in, t->out);
    run_call(&t->wide, wide_in, wide_out);
    for (uint32_t i = 0; i < t->call.nout; i++)
        decode(&t->call.out[i], i == 0 ? decoded : 1.0, t->out[i], t->value[i]);
    const size_t scratch = info->bound_scratch(&t->call);
    args.scratch = allot(scratch * sizeof(double));
    for (uint32_t i = 0; i < t->call.nout; i++)
        for (size_t j = 0; j < fpx_tensor_count(&t->call.out[i]); j++)
            t->bound[i][j] = NAN; /* every entry must be written */
    info->bound(&args);
    free(args.scratch);
}

/* What was seen of an operation over all trials. */
typedef struct tally {
    double ratio;                  /* the largest error / bound */
    size_t judged, open, elements; /* with a finite bound above 0; Inf; all */
    size_t flips, noticed;
    size_t beyond, within, lowered; /* products: by the tight bound */
} tally;

static double flipped(double value)
{
    const float x = (float)value;
    uint32_t bits;
    float y;

    memcpy(&bits, &x, sizeof bits);
    bits ^= UINT32_C(1) << 12;
    memcpy(&y, &bits, sizeof y);
    return (double)y;
}

static void judge(const trial *t, enum data data, tally *sum)
{
    const fpx_op_shape *shape = fpx_op_shape_of((fpx_op_kind)t->call.kind);

    for (uint32_t i = 0; i < t->call.nout; i++)
        for (size_t j = 0; j < fpx_tensor_count(&t->call.out[i]); j++) {
            const double value = t->value[i][j], ref = t->ref[i][j], bound = t->bound[i][j];
            const double error = fabs(value - ref);

            sum->elements++;
            if (!(bound >= 0.0) || (bound <= DBL_MAX && !(error <= bound)))
                ck_abort_msg("%s, %s data: %s[%zu] of [%" PRIu64
                             ",..] is %a, reference %a: error %.4g, "
                             "bound %.4g",
                             shape->name, data_names[data], shape->out_names[i], j,
                             t->call.out[i].shape[0], value, ref, error, bound);
            if (bound > DBL_MAX) {
                sum->open++;
                continue;
            }
            if (bound > 0.0) {
                sum->judged++;
                sum->ratio = error / bound > sum->ratio ? error / bound : sum->ratio;
            }
            if (data == UNIT && fabs(value) > 0x1p-100) {
                sum->flips++;
                sum->noticed += fabs(flipped(value) - ref) > bound;
            }
        }
}

static void report(const char *name, const tally *sum)
{
    printf(
        "%-14s error/bound at most %.3f over %zu, unbounded %.1f %%, bit 12 noticed in %.2f %%\n",
        name, sum->ratio, sum->judged,
        100.0 * (double)sum->open / (double)(sum->elements > 0 ? sum->elements : 1),
        100.0 * (double)sum->noticed / (double)(sum->flips > 0 ? sum->flips : 1));
    fflush(stdout);
}

static void set_attributes(fpx_call *c, const extents *s)
{
    const uint64_t leaf = below(2) != 0 ? s->t : 0;

    switch (c->kind) {
    case FPX_OP_EMBED_GRAD:
    case FPX_OP_XENT:
    case FPX_OP_XENT_GRAD:
        c->attr.tokens.leaf = leaf;
        c->attr.tokens.sum = c->kind == FPX_OP_XENT && below(2) != 0;
        break;
    case FPX_OP_RMSNORM:
    case FPX_OP_RMSNORM_GRAD:
        c->attr.rmsnorm.eps = below(3) != 0 ? 1e-5 : 0.0;
        c->attr.rmsnorm.leaf = leaf;
        break;
    case FPX_OP_ROPE:
    case FPX_OP_ROPE_GRAD:
        c->attr.rope.base = below(2) != 0 ? 10000.0 : 500000.0;
        break;
    case FPX_OP_SOFTMAX:
    case FPX_OP_SOFTMAX_GRAD:
        c->attr.softmax.scale = below(2) != 0 ? 0.125 : 1.0 / sqrt(34.0);
        c->attr.softmax.causal = (uint32_t)below(2);
        break;
    case FPX_OP_CLIP:
        c->attr.clip.max_norm = below(4) != 0 ? ldexp(1.0 + signed_unit(), below(8)) : 0.0;
        break;
    case FPX_OP_ADAMW:
        c->attr.adamw.beta1 = 0.9;
        c->attr.adamw.beta2 = below(2) != 0 ? 0.95 : 0.999;
        c->attr.adamw.eps = below(2) != 0 ? 1e-8 : 0.0;
        c->attr.adamw.weight_decay = 0.1;
        break;
    case FPX_OP_SGD:
        c->attr.sgd.momentum = below(2) != 0 ? 0.9 : 0.0;
        c->attr.sgd.weight_decay = below(2) != 0 ? 0.1 : 0.0;
        break;
    case FPX_OP_DGE:
        c->attr.dge.k = below(2) != 0 ? 5.0 : 10.0;
        c->attr.dge.cap = below(2) != 0 ? 3.0 : 0.5;
        c->attr.dge.rule = (uint32_t)below(2);
        break;
    case FPX_OP_CLAMP:
        c->attr.clamp.alpha = below(2) != 0 ? 0.9 : 0.75;
        c->attr.clamp.over = (uint32_t)below(3);
        break;
    case FPX_OP_LION:
        c->attr.lion.beta1 = 0.9;
        c->attr.lion.beta2 = 0.99;
        c->attr.lion.weight_decay = below(2) != 0 ? 0.1 : 0.0;
        break;
    case FPX_OP_LOGP:
    case FPX_OP_LOGP_GRAD:
        c->attr.tokens.leaf = s->t;
        break;
    case FPX_OP_DPO:
        c->attr.dpo.beta = below(2) != 0 ? 0.1 : 3.0;
        c->attr.dpo.sum = (uint32_t)below(2);
        break;
    case FPX_OP_DROPOUT:
        c->attr.dropout.rate = below(2) != 0 ? 0.1 : 0.7;
        c->attr.dropout.first = random_word();
        break;
    default:
        break;
    }
}

/* Random inputs, then what an operation needs its inputs to be. */
static void fill(trial *t, const extents *s, enum data data)
{
    const uint32_t kind = t->call.kind;

    for (uint32_t i = 0; i < t->call.nin; i++) {
        const size_t n = fpx_tensor_count(&t->call.in[i]);
        const char type = rows[kind].in[i][0];

        for (size_t j = 0; j < n; j++)
            if (type == 'i') /* targets may be absent */
                ((int32_t *)t->in[i])[j] =
                    kind != FPX_OP_EMBED && kind != FPX_OP_EMBED_GRAD && below(5) == 0
                        ? -1
                        : below((int)s->v);
            else if (type == 'd')
                ((double *)t->in[i])[j] = fabs((double)draw(data, j)) * (1.0 + 0x1p-40);
            else
                ((float *)t->in[i])[j] = draw(data, j);
    }
    float *third = t->call.nin > 2 ? t->in[2] : NULL;
    if (kind == FPX_OP_RMSNORM_GRAD || kind == FPX_OP_ADAMW) /* rstd, v */
        for (size_t j = 0; j < fpx_tensor_count(&t->call.in[2]); j++)
            third[j] = fabsf(third[j]);
    if ((kind == FPX_OP_XENT_GRAD || kind == FPX_OP_LOGP_GRAD) &&
        data != SPECIAL) /* above most logits of its row */
        for (size_t j = 0; j < fpx_tensor_count(&t->call.in[2]); j++)
            third[j] = 1.0f + fabsf(third[j]);
    if (kind == FPX_OP_XENT_GRAD || kind == FPX_OP_DPO)
        ((float *)t->in[t->call.nin - 1])[0] = (float)(1 + below(1000));
    if (kind == FPX_OP_ADAMW || kind == FPX_OP_SGD || kind == FPX_OP_LION) {
        float *factor = t->in[t->call.nin - 2], *hyper = t->in[t->call.nin - 1];

        factor[0] = below(2) != 0 ? 1.0f : 0.37f;
        hyper[0] = 1e-3f;
        hyper[1] = (float)(1.0 + below(10));
        hyper[2] = (float)(1.0 + below(1000));
    }
}

static int rounds(void)
{
    const char *effort = getenv("FPX_TEST_EFFORT");
    const int times = effort == NULL ? 1 : atoi(effort);

    return times > 1 ? 2 * times : 2;
}

static void begin(void)
{
    char text[256];

    state = UINT64_C(20240229);
    printf("seed %" PRIu64 "\n", state);
    ck_assert_int_eq(fpx_accel_cpu.open("threads=1", &device, text, sizeof text), FPX_OK);
}

static void end(void)
{
    fpx_accel_cpu.close(device);
}

START_TEST(results_lie_within_bounds)
{
    const fpx_op_shape *shape = fpx_op_shape_of((fpx_op_kind)_i);
    tally sum = { 0 };

    if (rows[_i].in[0] == NULL)
        return; /* has a test of its own below */
    for (int r = 0; r < rounds(); r++)
        for (int data = 0; data < DATA_KINDS; data++)
            for (size_t s = 0; s < SHAPES; s++) {
                trial t = { .call = { .struct_size = sizeof t.call, .kind = (uint32_t)_i } };

                t.call.nin = shape->max_in;
                t.call.nout = shape->nout;
                for (uint32_t i = 0; i < t.call.nin; i++)
                    t.call.in[i] = tensor_of(rows[_i].in[i], &shapes[s]);
                for (uint32_t i = 0; i < t.call.nout; i++)
                    t.call.out[i] = tensor_of(rows[_i].out[i], &shapes[s]);
                set_attributes(&t.call, &shapes[s]);
                allot_all(&t);
                fill(&t, &shapes[s], (enum data)data);
                compute(&t, NULL, 1.0);
                judge(&t, (enum data)data, &sum);
                release(&t);
            }
    report(shape->name, &sum);
    ck_assert_msg((double)sum.noticed >= rows[_i].sharp * (double)sum.flips && sum.flips > 0,
                  "%s: flips of bit 12 go unnoticed", shape->name);
    ck_assert_msg(sum.judged == 0 || sum.ratio > 0.1 || _i == FPX_OP_SUMSQ,
                  "%s: no error comes near the bound", shape->name);
    ck_assert_msg(sum.open * 2 < sum.elements, "%s: most results have no bound", shape->name);
}
END_TEST

/* Codes of random finite values of a format; SPECIAL takes any code. */
static void fill_codes(const fpx_format *format, enum data data, void *codes, size_t n)
{
    const fpx_conversion conversion = { .format = *format, .overflow = FPX_SATFINITE };
    float *x = allot(n * sizeof *x);

    for (size_t i = 0; i < n; i++)
        x[i] = draw(data, i);
    if (fpx_format_equal(format, &fpx_fp32))
        memcpy(codes, x, n * sizeof *x);
    else
        ck_assert_int_eq(fpx_encode_f32(&conversion, 1.0f, x, codes, n), FPX_OK);
    free(x);
}

/* The same bounds where the results are known. Those of another order are not below. Results that lie just within the
 * cheap bound are open, and most of them turn out to lie beyond the tight one. */
static void two_tiers(trial *t, enum data data, tally *sum)
{
    const size_t n = fpx_tensor_count(&t->call.out[0]);
    double *cheap = t->bound[0], *bound = allot(n * sizeof *bound);
    double *far = allot(n * sizeof *far);
    fpx_bound_args args = { .call = &t->call,
                            .unit = 0x1p-24,
                            .in = { t->exact[0], t->exact[1] },
                            .out = { t->ref[0] },
                            .bound = { bound } };

    args.scratch = allot(fpx_op_info_of(FPX_OP_GEMM)->bound_scratch(&t->call) * sizeof(double));
    args.any_order = 1;
    fpx_op_info_of(FPX_OP_GEMM)->bound(&args);
    for (size_t j = 0; j < n; j++) {
        if (!(bound[j] >= cheap[j]))
            ck_abort_msg("any order: %a below %a", bound[j], cheap[j]);
        far[j] = t->ref[0][j] + 0.999 * cheap[j];
    }
    args.any_order = 0;
    args.value = far;
    fpx_op_info_of(FPX_OP_GEMM)->bound(&args);
    for (size_t j = 0; j < n; j++) {
        if (!(bound[j] <= cheap[j]))
            ck_abort_msg("tight: %a above %a", bound[j], cheap[j]);
        sum->beyond += data == UNIT && far[j] - t->ref[0][j] > bound[j];
        sum->within += data == UNIT && far[j] - t->ref[0][j] <= bound[j];
    }
    args.value = t->value[0];
    fpx_op_info_of(FPX_OP_GEMM)->bound(&args);
    for (size_t j = 0; j < n; j++)
        sum->lowered += bound[j] < cheap[j];
    t->bound[0] = bound;
    judge(t, data, sum);
    t->bound[0] = cheap;
    free(bound);
    free(far);
    free(args.scratch);
}

static void gemm_trial(const fpx_format *a, const fpx_format *b, enum data data, tally *sum)
{
    const uint64_t k = (uint64_t)(1 + below(5) * below(150)), m = (uint64_t)(1 + below(9)),
                   n = (uint64_t)(1 + below(9));
    const int scaled = a->bits < 16 && below(4) != 0, batched = below(2);
    float factor[2] = { 1.0f, 1.0f };
    double scale[2];
    trial t = { .call = {
                    .struct_size = sizeof t.call, .kind = FPX_OP_GEMM, .nin = 2, .nout = 1 } };
    const fpx_format *const formats[3] = { a, b, &fpx_fp32 };
    fpx_tensor *const tensors[3] = { &t.call.in[0], &t.call.in[1], &t.call.out[0] };
    uint64_t shape[3][4] = { { 2, 3, m, k }, { 2, 3, k, n }, { 2, 3, m, n } };

    for (int i = 0; i < 2; i++) {
        const uint32_t trans = (uint32_t)below(2);
        const uint64_t first = shape[i][2];

        *(i == 0 ? &t.call.attr.gemm.trans_a : &t.call.attr.gemm.trans_b) = trans;
        if (trans != 0) {
            shape[i][2] = shape[i][3];
            shape[i][3] = first;
        }
    }
    t.call.attr.gemm.leaf = below(2) != 0 && k % 2 == 0 ? k / 2 : 0;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(
            fpx_tensor_make(formats[i], batched ? 4 : 2, shape[i] + (batched ? 0 : 2), tensors[i]),
            FPX_OK);
    allot_all(&t);
    for (int i = 0; i < 2; i++) {
        fill_codes(formats[i], data, t.in[i], fpx_tensor_count(&t.call.in[i]));
        if (scaled) {
            t.call.in[i].nscales = 1;
            t.call.in[i].scale[0].format = fpx_fp32;
            /* From alphas that underflow to ordinary ones. */
            factor[i] = (float)ldexp(1.5 + signed_unit() / 3.0, below(90) - 80);
        }
        scale[i] = (double)factor[i];
        t.in[2 + i] = allot(sizeof factor[i]);
        memcpy(t.in[2 + i], &factor[i], sizeof factor[i]);
    }
    compute(&t, scale, 1.0);
    judge(&t, data, sum);
    two_tiers(&t, data, sum);
    release(&t);
}

START_TEST(products_lie_within_bounds)
{
    static const fpx_format *const pairs[][2] = {
        { &fpx_fp32, &fpx_fp32 }, { &fpx_e4m3, &fpx_e4m3 }, { &fpx_e5m2, &fpx_e4m3 },
        { &fpx_bf16, &fpx_bf16 }, { &fpx_fp16, &fpx_fp16 }, { &fpx_e2m1, &fpx_e2m1 }
    };
    tally sum = { 0 };

    for (int r = 0; r < 20 * rounds(); r++)
        for (int data = 0; data < DATA_KINDS; data++)
            for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
                gemm_trial(pairs[i][0], pairs[i][1], (enum data)data, &sum);
    report("gemm", &sum);
    printf("gemm           beyond the tight bound %zu, within both %zu; lowered %zu of %zu\n",
           sum.beyond, sum.within, sum.lowered, sum.elements / 2);
    ck_assert(sum.beyond > sum.within && sum.lowered > 0);
    ck_assert(sum.ratio > 1e-4 && sum.open * 2 < sum.elements);
}
END_TEST

static void quantize_trial(const fpx_format *format, enum data data, tally *sum)
{
    trial t = { .call = { .struct_size = sizeof t.call, .kind = FPX_OP_QUANTIZE, .nout = 1 } };
    const uint64_t n = 300;
    float scale[2] = { 1.0f, 1.0f };

    t.call.nin = 1u + (uint32_t)below(2);
    t.call.attr.quantize.overflow = below(3) != 0 ? FPX_SATFINITE : FPX_OVERFLOW_NONE;
    ck_assert_int_eq(fpx_tensor_make(&fpx_fp32, 1, &n, &t.call.in[0]), FPX_OK);
    ck_assert_int_eq(fpx_tensor_make(&fpx_fp32, 1, &(uint64_t){ 2 }, &t.call.in[1]), FPX_OK);
    ck_assert_int_eq(fpx_tensor_make(format, 1, &n, &t.call.out[0]), FPX_OK);
    allot_all(&t);
    float *x = t.in[0], amax = 0.0f;
    for (size_t i = 0; i < n; i++) {
        x[i] = draw(data, i);
        amax = fabsf(x[i]) > amax ? fabsf(x[i]) : amax;
    }
    if (t.call.nin > 1) {
        t.call.out[0].nscales = format->bits < 32;
        t.call.out[0].scale[0].format = fpx_fp32;
        if (amax > 0.0f && amax <= FLT_MAX && format->bits < 32)
            scale[0] = fminf((float)fpx_format_max(format) / amax, FLT_MAX);
        if (below(3) == 0 && format->bits < 32)
            scale[0] *= 1.7f; /* stale: some values saturate */
        scale[0] = fminf(scale[0], FLT_MAX);
        scale[1] = 1.0f / scale[0];
        memcpy(t.in[1], scale, sizeof scale);
    }
    compute(&t, NULL, (double)scale[1]);
    judge(&t, data, sum);
    release(&t);
}

START_TEST(quantized_values_lie_within_bounds)
{
    static const fpx_format *const formats[] = { &fpx_e4m3, &fpx_e5m2, &fpx_e2m1,
                                                 &fpx_bf16, &fpx_fp16, &fpx_fp32 };
    tally sum = { 0 };

    for (int r = 0; r < 20 * rounds(); r++)
        for (int data = 0; data < DATA_KINDS; data++)
            for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
                quantize_trial(formats[i], (enum data)data, &sum);
    report("quantize", &sum);
    /* Halfway cases come close to half a spacing. */
    ck_assert(sum.ratio > 0.9 && sum.open * 2 < sum.elements);
}
END_TEST

START_TEST(scales_have_no_bound)
{
    double bound[2] = { 0.0, 0.0 };
    fpx_call call = { .struct_size = sizeof call, .kind = FPX_OP_SCALE, .nout = 1 };
    fpx_bound_args args = { .call = &call, .unit = 0x1p-24, .bound = { bound } };

    ck_assert_int_eq(fpx_tensor_make(&fpx_fp32, 1, (uint64_t[]){ 2 }, &call.out[0]), FPX_OK);
    fpx_op_info_of(FPX_OP_SCALE)->bound(&args);
    ck_assert(isinf(bound[0]) && isinf(bound[1]));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bounds");
    TCase *tc = tcase_create("rows");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, begin, end);
    tcase_add_loop_test(tc, results_lie_within_bounds, 0, FPX_OP_KINDS);
    tcase_add_test(tc, products_lie_within_bounds);
    tcase_add_test(tc, quantized_values_lie_within_bounds);
    tcase_add_test(tc, scales_have_no_bound);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
