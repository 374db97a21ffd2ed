/* test_mma_run.c - fpx_mma_run against fpx_mma, bit for bit: every preset and random models around them, every kind of
 * data that a limit of the kernels is made for, ragged shapes, strides, packings, every level, 1, 2 and 5 threads; and
 * that both sides of each limit were met, by the shares that the run reports.
 *
 * test_mma_run [CASES [SEED [PART]]]: random cases after those of the presets; only presets with PART in their name. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/mma_run.h>

#include "mma_case.h"

enum { POOLS = 3 };

static int failures;
static size_t outputs, calls, vector_calls;
static size_t chains,
    left; /* runs of FMA chains by kernels; left to the reference, scales being too large or small */
static fpx_mma_shares all;
static fpx_pool *pools[POOLS];
static const size_t pool_threads[POOLS] = { 1, 2, 5 };

static void expect(int holds, const char *what)
{
    if (!holds)
        (void)printf("not so: %s\n", what);
    failures += !holds;
}

static void fail(const fpx_mma_model *m, const fpx_mma_call *call, const char *kind,
                 const char *level, size_t threads, size_t at, uint64_t want, uint64_t got)
{
    if (failures++ < 10)
        (void)printf("%s: %s x %s, m %zu n %zu k %zu, %s, %s, %zu threads, element (%zu, %zu): "
                     "0x%" PRIx64 ", the reference gives 0x%" PRIx64 "\n",
                     m->name, call->a.format.name, call->b.format.name, call->m, call->n, call->k,
                     kind, level, threads, at / call->stride_d, at % call->stride_d, got, want);
}

static void run_call(const fpx_mma_model *model, const fpx_mma_call *call, const char *kind)
{
    const size_t size = fpx_format_size(&model->format), bytes = call->m * call->stride_d * size;
    const int in_place = call->c != NULL && call->stride_c_row == call->stride_d &&
                         call->stride_c_column == 1 &&
                         fpx_format_equal(&call->c_format, &model->format);
    fpx_error err = { 0 };

    memset(data.want, 0xa5, bytes + CANARY);
    const fpx_status status = fpx_mma(model, call, data.want, &err);
    if (status == FPX_EUNSUPPORTED)
        return; /* operands that the model has no room for */
    if (status != FPX_OK) {
        (void)printf("%s: %s\n", model->name, err.text);
        exit(1);
    }
    calls++;
    outputs += call->m * call->n;
    for (int level = 0; level <= (int)fpx_cpu_detect(); level++) {
        if (level == FPX_CPU_SCALAR && calls % 16 != 0)
            continue; /* the same code as the reference's */
        for (int p = 0; p < POOLS; p++) {
            if (p > 0 && calls % 4 != 0)
                continue; /* threads cost more than sums */
            fpx_mma_call here = *call;
            const size_t need = fpx_mma_scratch(model, call, (fpx_cpu_level)level, pool_threads[p]);
            unsigned char *const scratch = malloc(need + 1 + CANARY);
            fpx_mma_shares shares;

            if (scratch == NULL)
                exit(2);
            memset(scratch, 0x5a, need + 1 + CANARY);
            memset(data.got, 0xa5, bytes + CANARY);
            if (in_place) {
                for (size_t i = 0; i < call->m; i++)
                    memcpy(data.got + i * call->stride_d * size, data.c + i * call->stride_d * size,
                           call->n * size);
                here.c = data.got;
            }
            /* Scratch at an odd address. */
            if (fpx_mma_run(model, &here, data.got, scratch + 1, pools[p], (fpx_cpu_level)level,
                            &shares, &err) != FPX_OK) {
                (void)printf("%s: refused: %s\n", model->name, err.text);
                exit(1);
            }
            for (size_t i = 0; i < CANARY; i++)
                expect(scratch[need + 1 + i] == 0x5a, "scratch ends where it should");
            free(scratch);
            if (p == 0 && level > 0) {
                all.lanes += shares.lanes;
                all.scalar_lanes += shares.scalar_lanes;
                all.skipped_lanes += shares.skipped_lanes;
                all.fraction_lanes += shares.fraction_lanes;
                vector_calls += shares.scalar_outputs == 0;
                chains += model->sum == FPX_MMA_FMA && shares.scalar_outputs == 0;
                left += need > 0 && shares.scalar_outputs > 0;
            }
            if (memcmp(data.want, data.got, bytes + CANARY) == 0)
                continue;
            for (size_t i = 0; i < call->m * call->stride_d; i++) {
                const uint64_t want = fpx_format_code(&model->format, data.want, i);
                const uint64_t got = fpx_format_code(&model->format, data.got, i);
                if (want != got) {
                    fail(model, call, kind, fpx_cpu_level_name((fpx_cpu_level)level),
                         pool_threads[p], i, want, got);
                    break;
                }
            }
        }
    }
}

static void run_preset(const fpx_mma_preset *p, const fpx_mma_model *model)
{
    const struct kind *const kind = &kinds[below(KINDS)];
    fpx_mma_call call = { .m = between(1, below(3) == 0 ? M_MAX : 9),
                          .n = between(1, N_MAX),
                          .k = between(1, below(2) == 0 ? 160 : 40) };

    if (model->sum != FPX_MMA_ALIGNED && below(8) == 0) /* blocks of FPX_GEMM_KC */
        call.k = between(250, K_MAX);
    if (draw_formats(p, &call)) {
        draw_call(model, kind, &call);
        run_call(model, &call, kind->name);
    }
}

/* The preset's model with other numbers in some fields. */
static fpx_mma_model changed(const fpx_mma_model *from)
{
    fpx_mma_model m = *from;

    if (m.sum != FPX_MMA_ALIGNED)
        return m;
    if (below(2) == 0)
        m.fraction = (uint8_t)between(8, 29);
    if (below(2) == 0 && m.group == 0)
        m.block = (uint32_t)between(1, 40);
    if (below(3) == 0 && m.round == FPX_RZ)
        m.fraction_out = (uint8_t)between(1, 23);
    if (below(4) == 0)
        m.e_least = (int16_t)(0 - (int)between(1, 140));
    if (below(3) == 0 && m.c != FPX_MMA_C_JOINED)
        m.e_zero = (int16_t)(m.e_zero - (int)below(10) + 2);
    if (below(3) == 0 && m.group == 0) {
        m.step = (uint32_t)between(1, 40);
        m.vectors = (uint16_t)between(1, 3);
        m.width = (uint16_t)(m.vectors > 1 ? between(1, 5) : 0);
        m.promote = (uint32_t)below(4) * m.step;
        m.split = (uint32_t)below(5);
        m.tile = m.split > 1 ? (uint32_t)between(1, 3) * m.step : 0;
        m.deal = m.split > 1 ? (uint8_t)below(2) : 0;
        m.combine = m.split > 1 ? (uint8_t)below(2) : 0;
        if (m.c != FPX_MMA_C_JOINED)
            m.c = below(2) == 0 ? FPX_MMA_C_LATE : FPX_MMA_C_EARLY;
    }
    return m;
}

/* What is said without computing: names, scratch, refusals; and k = 0, where D is C. */
static void check_calls(void)
{
    static const char *const presets[] = { "hopper/wgmma/fp8-fp32",
                                           "blackwell/tcgen05/mxf4nvf4-fp32" };
    const unsigned char codes[64] = { 0 }, c[4] = { 0, 0, 0x80, 0x3f };
    unsigned char d[4] = { 0 };
    fpx_mma_preset p;

    for (int i = 0; i < 2; i++) {
        (void)fpx_mma_preset_find(presets[i], &p, NULL);
        const fpx_mma_operand o = { .format = i == 0 ? fpx_e4m3 : fpx_e2m1,
                                    .codes = codes,
                                    .stride_k = 1 };
        fpx_mma_call call = {
            .m = 1, .n = 1, .k = 64, .a = o, .b = o, .c = c, .c_format = fpx_fp32, .stride_d = 1
        };
        for (int level = 0; level <= (int)fpx_cpu_detect(); level++) {
            const fpx_cpu_level l = (fpx_cpu_level)level;
            expect(strcmp(fpx_mma_kernel_name(&p.model, &call, l), fpx_cpu_level_name(l)) == 0,
                   "the kernels are those of the level");
            expect((fpx_mma_scratch(&p.model, &call, l, 1) > 0) == (level > 0),
                   "scratch is asked for");
            expect(fpx_mma_run(&p.model, &call, d, NULL, NULL, l, NULL, NULL) ==
                       (level > 0 ? FPX_EINVAL : FPX_OK),
                   "no scratch is refused");
            call.k = 0;
            memset(d, 0, sizeof d);
            expect(fpx_mma_run(&p.model, &call, d, NULL, NULL, l, NULL, NULL) == FPX_OK &&
                       memcmp(d, c, sizeof d) == 0,
                   "with k = 0 D is C");
            call.k = 64;
        }
    }
}

static float power(int e)
{
    return (float)ldexp(1, e);
}

/* Sums next to ties of bf16 and fp16, from normal to subnormal: t 1 + c, c far below t, of both signs or 0. In float32 c
 * is lost, and a second rounding would take the tie. NaN with all its bits, too. */
static void check_ties(const char *name)
{
    fpx_mma_preset p;

    (void)fpx_mma_preset_find(name, &p, NULL);
    const int half = p.model.format.mbits + 1; /* place of half an ulp below the first */
    const int least = 1 - p.model.format.bias - p.model.format.mbits;
    const float ones[] = { 1, -1, 2, 0.5f };
    float *const a = (float *)(void *)data.a, *const c = (float *)(void *)data.c;
    fpx_mma_call call = { .m = M_MAX,
                          .n = N_MAX,
                          .k = 1,
                          .c = data.c,
                          .c_format = fpx_fp32,
                          .stride_c_row = N_MAX,
                          .stride_c_column = 1,
                          .stride_d = N_MAX };

    call.a = (fpx_mma_operand){ .format = fpx_fp32, .codes = a, .stride_vector = 1, .stride_k = 1 };
    call.b = call.a;
    call.b.codes = data.b;
    for (size_t j = 0; j < call.n; j++)
        memcpy(data.b + j * sizeof *ones, &ones[below(4)], sizeof *ones);
    for (size_t i = 0; i < call.m; i++) {
        const uint32_t nan = below(2) ? 0x7fffffff : 0xffffffff;
        const int e = least + (int)below((size_t)(-2 * least)); /* of the last place kept */
        const size_t top = (size_t)1 << (below(2) ? below((size_t)half) : (size_t)half - 1);

        a[i] = (float)(2 * (top + below(top)) + 1) * power(e - 1); /* odd halves of a last place */
        for (size_t j = 0; j < call.n; j++) {
            const int far = e - 26 - (int)below(30);
            c[i * call.n + j] = (float)((int)below(3) - 1) * power(far < -149 ? -149 : far);
            if (below(40) == 0)
                memcpy(&c[i * call.n + j], &nan, sizeof nan);
        }
        if (below(20) == 0)
            memcpy(&a[i], &nan, sizeof nan);
    }
    run_call(&p.model, &call, "ties");
}

/* Products, sums and C about the least normal float32, of both signs. */
static void check_small_sums(const char *name)
{
    fpx_mma_preset p;
    fpx_mma_call call = { .m = 40,
                          .n = 40,
                          .k = 23,
                          .c = data.c,
                          .c_format = fpx_fp32,
                          .stride_c_row = 40,
                          .stride_c_column = 1,
                          .stride_d = 40 };

    (void)fpx_mma_preset_find(name, &p, NULL);
    call.a = call.b = (fpx_mma_operand){
        .format = fpx_bf16, .codes = data.a, .stride_vector = 23, .stride_k = 1
    };
    call.b.codes = data.b;
    for (size_t i = 0; i < 40 * 23; i++) { /* exponents of products: -130 to -122 */
        put(&fpx_bf16, FPX_PACK_NONE, data.a, i,
            below(2) << 15 | between(62, 66) << 7 | below(128));
        put(&fpx_bf16, FPX_PACK_NONE, data.b, i,
            below(2) << 15 | between(62, 66) << 7 | below(128));
    }
    for (size_t i = 0; i < 40 * 40; i++)
        put(&fpx_fp32, FPX_PACK_NONE, data.c, i, below(2) << 31 | below(5) << 23 | below(1 << 23));
    run_call(&p.model, &call, "small sums");
}

/* Every scale times codes of every size, where float32 has all products and where it loses some; B brings them back. */
static void check_scales(const fpx_format *format, const fpx_format *scale)
{
    const float back[2] = { 0x1p20f, 0x1p-20f };
    fpx_mma_preset p;

    (void)fpx_mma_preset_find("ideal/fma/any-fp32", &p, NULL);
    for (unsigned code = 0; code < 256; code++) {
        fpx_mma_call call = { .m = M_MAX, .n = 2, .k = 1, .stride_d = 2 };

        data.scales_a[0] = (unsigned char)code;
        call.a = (fpx_mma_operand){ .format = *format,
                                    .codes = data.a,
                                    .scales = data.scales_a,
                                    .scale_format = *scale,
                                    .scale_block = 1,
                                    .stride_vector = 1,
                                    .stride_k = 1 };
        call.b = (fpx_mma_operand){
            .format = fpx_fp32, .codes = data.b, .stride_k = 1, .stride_vector = 1
        };
        memcpy(data.b, back, sizeof back);
        for (size_t i = 0; i < call.m; i++) {
            const uint64_t c = i % 3 == 0   ? i / 3
                               : i % 3 == 1 ? format->max_code + 2 - i / 3
                                            : next();
            put(format, FPX_PACK_NONE, data.a, i, c & ((UINT64_C(1) << format->bits) - 1));
        }
        run_call(&p.model, &call, "scales");
    }
}

static void check_chains(void)
{
    static const fpx_format *const formats[] = { &fpx_e4m3, &fpx_e5m2, &fpx_e2m1, &fpx_fp16,
                                                 &fpx_bf16, &fpx_tf32, &fpx_fp32, &fpx_mxint8 };

    for (int i = 0; i < 20; i++) {
        check_ties("ideal/fma/any-bf16");
        check_ties("ideal/fma/any-fp16");
    }
    check_small_sums("cdna2/mfma/bf16-fp32");
    check_small_sums("cdna2/mfma.1k/bf16-fp32");
    check_small_sums("ideal/fma/any-fp32");
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        check_scales(formats[i], &fpx_e8m0);
        check_scales(formats[i], &fpx_ue4m3);
    }
}

int main(int argc, char **argv)
{
    const size_t cases = argc > 1 ? strtoul(argv[1], NULL, 10) : 300;
    const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    const char *const part = argc > 3 ? argv[3] : "";
    fpx_mma_preset p;
    size_t presets = 0;

    state = seed;
    for (int i = 0; i < POOLS; i++) {
        if (fpx_pool_new(pool_threads[i], &pools[i], NULL) != FPX_OK)
            return 2;
    }
    check_calls();
    check_chains();
    while (fpx_mma_preset_at(presets, &p) == FPX_OK) {
        for (int i = 0; i < 6 && strstr(p.model.name, part) != NULL; i++)
            run_preset(&p, &p.model);
        presets++;
    }
    for (size_t i = 0; i < cases; i++) {
        (void)fpx_mma_preset_at(below(presets), &p);
        const fpx_mma_model model = changed(&p.model);
        if (strstr(p.model.name, part) != NULL)
            run_preset(&p, &model);
    }
    (void)printf("seed %" PRIu64
                 ", level %s: %zu calls (%zu in vector kernels over levels), %zu outputs; lanes "
                 "%" PRIu64 ", scalar %" PRIu64 ", skipped %" PRIu64 ", fraction %" PRIu64
                 "; failures %d\n",
                 seed, fpx_cpu_level_name(fpx_cpu_detect()), calls, vector_calls, outputs,
                 all.lanes, all.scalar_lanes, all.skipped_lanes, all.fraction_lanes, failures);
    if (fpx_cpu_detect() > FPX_CPU_SCALAR && *part == '\0') {
        expect(all.lanes > all.scalar_lanes, "lanes stay in kernels");
        expect(all.scalar_lanes > 0, "lanes go to the reference");
        expect(all.skipped_lanes > 0, "lanes are skipped");
        expect(chains > 0 && left > 0, "chains stay in kernels, and are left");
        expect(all.fraction_lanes > 0 && all.fraction_lanes < all.lanes, "both forms of products");
    }
    for (int i = 0; i < POOLS; i++)
        fpx_pool_free(pools[i]);
    return failures > 0;
}
