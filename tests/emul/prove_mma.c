/* prove_mma.c - the vector kernels of matrix units against the scalar reference, for ./dev prove: many outputs of each
 * model that has kernels, over every kind of data, short ragged k (blocks begun, whole and chained) and every layout.
 *
 * prove_mma list                     a line for each model: mma/ (or fma/) and the name of its first preset
 * prove_mma NAME [OUTPUTS [SEED]]    compares so many outputs; what differed, then one line of result
 *
 * Presets of one model and the same inputs are one proof: a device's name changes nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mma_case.h"

enum { SHOWN = 10 };

static int same_text(const char *x, const char *y)
{
    return x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

/* The same model, its name aside, for the same operands. */
static int same_proof(const fpx_mma_preset *x, const fpx_mma_preset *y)
{
    if (!same_text(x->inputs, y->inputs) || !same_text(x->scales, y->scales) ||
        !fpx_format_equal(&x->model.format, &y->model.format))
        return 0;
    for (size_t f = 0; fpx_mma_field_at(f) != NULL; f++) {
        if (fpx_mma_field_get(&x->model, f) != fpx_mma_field_get(&y->model, f))
            return 0;
    }
    return 1;
}

static int is_first(size_t index, const fpx_mma_preset *p)
{
    fpx_mma_preset earlier;

    for (size_t i = 0; i < index && fpx_mma_preset_at(i, &earlier) == FPX_OK; i++) {
        if (same_proof(&earlier, p))
            return 0;
    }
    return 1;
}

/* A call's k: half of them within one block, the others in up to four. Chains go on from one block of the product
 * (fpx/gemm.h: 256) to the next in some. */
static size_t draw_k(const fpx_mma_model *model)
{
    const size_t block = model->block == 0 ? 8 : model->block, how = below(10);

    if (model->sum != FPX_MMA_ALIGNED && below(64) == 0)
        return between(250, K_MAX);
    if (how < 5)
        return between(1, block);
    return how < 8 ? between(block + 1, 2 * block) : between(2 * block + 1, 4 * block);
}

static int has_kernels(const fpx_mma_preset *p)
{
    for (int tries = 0; tries < 64; tries++) {
        fpx_mma_call call = { .m = 1, .n = 1, .k = 1, .stride_d = 1 };
        if (draw_formats(p, &call) &&
            strcmp(fpx_mma_kernel_name(&p->model, &call, fpx_cpu_detect()), "scalar") != 0)
            return 1;
    }
    return 0;
}

/* Chains of FMA and trees have kernels of their own. */
static const char *set_of(const fpx_mma_preset *p)
{
    return p->model.sum == FPX_MMA_ALIGNED ? "mma" : "fma";
}

static int list(void)
{
    fpx_mma_preset p;

    for (size_t i = 0; fpx_mma_preset_at(i, &p) == FPX_OK; i++) {
        if (is_first(i, &p) && has_kernels(&p))
            (void)printf("%s/%s\n", set_of(&p), p.model.name);
    }
    return 0;
}

/* What was done so far. */
typedef struct tally {
    uint64_t outputs, different;
    fpx_mma_shares shares;
    void *scratch;
    size_t room;
} tally;

static int compare(const fpx_mma_preset *p, const fpx_mma_call *call, const char *kind,
                   fpx_cpu_level level, tally *t)
{
    const fpx_mma_model *const model = &p->model;
    const size_t size = fpx_format_size(&model->format), bytes = call->m * call->stride_d * size;
    const size_t need = fpx_mma_scratch(model, call, level, 1);
    fpx_mma_shares shares;
    fpx_error err = { 0 };

    if (need > t->room) {
        free(t->scratch);
        t->scratch = malloc(need);
        t->room = need;
        if (t->scratch == NULL)
            return 0;
    }
    memset(data.got, 0xa5, bytes);
    if (fpx_mma_run(model, call, data.got, t->scratch, NULL, level, &shares, &err) != FPX_OK) {
        (void)printf("%s: refused: %s\n", model->name, err.text);
        return 0;
    }
    t->shares.lanes += shares.lanes;
    t->shares.scalar_lanes += shares.scalar_lanes;
    t->shares.skipped_lanes += shares.skipped_lanes;
    t->shares.fraction_lanes += shares.fraction_lanes;
    t->shares.scalar_outputs += shares.scalar_outputs;
    for (size_t i = 0; memcmp(data.want, data.got, bytes) != 0 && i < call->m * call->stride_d;
         i++) {
        const uint64_t want = fpx_format_code(&model->format, data.want, i);
        const uint64_t got = fpx_format_code(&model->format, data.got, i);
        if (want != got && t->different++ < SHOWN)
            (void)printf("%s, %s, %s x %s, m %zu n %zu k %zu, %s: (%zu, %zu) 0x%" PRIx64
                         ", the reference gives 0x%" PRIx64 "\n",
                         model->name, fpx_cpu_level_name(level), call->a.format.name,
                         call->b.format.name, call->m, call->n, call->k, kind, i / call->stride_d,
                         i % call->stride_d, got, want);
    }
    return 1;
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static int prove(const fpx_mma_preset *p, size_t index, uint64_t wanted, uint64_t seed)
{
    fpx_mma_preset other;
    tally t = { 0 };
    size_t presets = 1;

    for (size_t i = index + 1; fpx_mma_preset_at(i, &other) == FPX_OK; i++)
        presets += (size_t)same_proof(p, &other);
    state = seed;
    while (t.outputs < wanted) {
        const struct kind *const kind = &kinds[below(KINDS)];
        fpx_mma_call call = { .m = between(8, M_MAX), .n = between(8, N_MAX) };
        const uint64_t scalar_before = t.shares.scalar_outputs;
        fpx_error err;

        call.k = draw_k(&p->model);
        if (!draw_formats(p, &call))
            return 2;
        draw_call(&p->model, kind, &call);
        if (strcmp(fpx_mma_kernel_name(&p->model, &call, fpx_cpu_detect()), "scalar") == 0)
            continue;
        memset(data.want, 0xa5, sizeof data.want);
        if (fpx_mma(&p->model, &call, data.want, &err) != FPX_OK)
            continue; /* operands that the model has no room for */
        for (int level = FPX_CPU_SCALAR + 1; level <= (int)fpx_cpu_detect(); level++) {
            if (!compare(p, &call, kind->name, (fpx_cpu_level)level, &t))
                return 2;
        }
        if (t.shares.scalar_outputs == scalar_before) /* else the reference met itself */
            t.outputs += call.m * call.n;
    }
    free(t.scratch);
    const uint64_t slow = t.shares.scalar_lanes + t.shares.skipped_lanes;
    (void)printf("%s/%s: %" PRIu64 " outputs by each of avx2%s against the scalar reference, seed "
                 "%" PRIu64 ", %zu presets; lanes: fast %.2f %%, scalar %.2f %%, skipped %.2f %%; "
                 "of fractions %.2f %%; %" PRIu64 " differences\n",
                 set_of(p), p->model.name, t.outputs,
                 fpx_cpu_detect() == FPX_CPU_AVX512 ? " and avx512" : "", seed, presets,
                 percent(t.shares.lanes - slow, t.shares.lanes),
                 percent(t.shares.scalar_lanes, t.shares.lanes),
                 percent(t.shares.skipped_lanes, t.shares.lanes),
                 percent(t.shares.fraction_lanes, t.shares.lanes), t.different);
    return t.different > 0;
}

int main(int argc, char **argv)
{
    const uint64_t wanted = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000000;
    const uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 0) : 20261128;
    fpx_mma_preset p;

    if (argc < 2)
        return 2;
    if (fpx_cpu_detect() == FPX_CPU_SCALAR)
        return 0; /* no kernels: nothing to list */
    if (strcmp(argv[1], "list") == 0)
        return list();
    for (size_t i = 0; fpx_mma_preset_at(i, &p) == FPX_OK; i++) {
        if (strcmp(p.model.name, argv[1]) == 0)
            return prove(&p, i, wanted, seed);
    }
    (void)printf("prove_mma: no preset %s\n", argv[1]);
    return 2;
}
