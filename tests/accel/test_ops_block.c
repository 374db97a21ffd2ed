/* test_ops_block.c - block scales in operations: what is multiplied exactly, proved over every code and scale; products
 * against a transcription of docs/operations.md, one element after the other; quantizers against one call of
 * fpx/block.h, random bits against fpx/stream.h element by element. */
#include <float.h>

#include <fpx/block.h>
#include <fpx/hadamard.h>
#include <fpx/mma.h>
#include <fpx/reduce.h>
#include <fpx/stream.h>

#include "op_levels.h"
#include "ops_cases.h"

static const uint64_t seed = 20250607;

/* ---- codes times scales ---- */
/* The product in float64, where at most 11 bits of significand and exponents within 300 are exact. */
START_TEST(products_of_codes_and_scales_are_float32)
{
    static const fpx_format *const elements[] = { &fpx_e4m3, &fpx_e5m2, &fpx_e3m2, &fpx_e2m3,
                                                  &fpx_e2m1 };
    static const fpx_format *const scales[] = { &fpx_e8m0, &fpx_ue4m3 };
    size_t seen = 0, beyond = 0;

    for (size_t s = 0; s < 2; s++)
        for (size_t e = 0; e < 5; e++)
            for (uint32_t code = 0; code < 1u << elements[e]->bits; code++)
                for (uint32_t scale = 0; scale < 1u << scales[s]->bits; scale++) {
                    const double x = fpx_format_value(elements[e], code);
                    const double y = fpx_format_value(scales[s], scale);
                    const float product = (float)x * (float)y;

                    if (!isfinite(x) || !isfinite(y))
                        continue;
                    seen++;
                    if (fabs(x * y) > (double)FLT_MAX) {
                        beyond++;
                        if (!isinf(product))
                            ck_abort_msg("%g * %g is finite", x, y);
                    } else if ((double)product != x * y) {
                        ck_abort_msg("%s %#x times %s %#x is not exact", elements[e]->name, code,
                                     scales[s]->name, scale);
                    }
                }
    printf("%zu products of codes and scales, %zu beyond float32, the others exact\n", seen,
           beyond);
}
END_TEST

/* ---- products ---- */
static double code_value(const fixture *f, const fpx_tensor *t, size_t row, size_t col)
{
    return fpx_format_value(&t->format,
                            fpx_format_code(&t->format, data_of(f, t), row * t->shape[1] + col));
}

static float block_scale(const fixture *f, const fpx_tensor *t, size_t row, size_t col)
{
    const fpx_scaling *s = &t->scale[0];
    const size_t b0 = s->block[0] == 0 ? t->shape[0] : s->block[0];
    const size_t b1 = s->block[1] == 0 ? t->shape[1] : s->block[1];
    const size_t across = (t->shape[1] + b1 - 1) / b1;

    return (float)fpx_format_value(
        &s->format,
        fpx_format_code(&s->format, f->arena + s->place.offset, row / b0 * across + col / b1));
}

/* Element (i, k) of A, or (j, k) of B: its code, and its block's scale. */
typedef struct term {
    float code, scale;
} term;

static term term_of(const fixture *f, const fpx_tensor *t, int k_axis, size_t v, size_t k)
{
    const size_t row = k_axis == 0 ? k : v, col = k_axis == 0 ? v : k;

    return (term){ (float)code_value(f, t, row, col), block_scale(f, t, row, col) };
}

/* One leaf: as it is written in docs/operations.md. */
static float leaf_of(const fixture *f, const fpx_call *c, size_t i, size_t j, size_t first,
                     size_t last, int runs)
{
    const int ka = c->attr.gemm.trans_a == 0, kb = c->attr.gemm.trans_b != 0;
    const fpx_tensor *a = &c->in[0], *b = &c->in[1];
    float d = 0.0f, chain = 0.0f, block = 0.0f;
    size_t start = first, chained = first;

    for (size_t k = first; k < last; k++) {
        const term x = term_of(f, a, ka, i, k), y = term_of(f, b, kb, j, k);
        const uint64_t *ba = &a->scale[0].block[ka], *bb = &b->scale[0].block[kb];
        const int ends =
            k + 1 == last || (*ba != 0 && (k + 1) % *ba == 0) || (*bb != 0 && (k + 1) % *bb == 0);

        chain =
            runs ? fmaf(x.code, y.code, chain) : fmaf(x.code * x.scale, y.code * y.scale, chain);
        if ((k + 1 - start) % 256 != 0 && !(runs ? ends : k + 1 == last))
            continue;
        block = chained == start ? chain : block + chain;
        chained = k + 1;
        chain = 0.0f;
        if (runs && ends) {
            d = fmaf(block, x.scale * y.scale, d);
            start = chained = k + 1;
        }
    }
    return runs ? d : block;
}

static void check_product(const fixture *f, const fpx_call *c, int runs, float alpha)
{
    const size_t m = c->out[0].shape[0], n = c->out[0].shape[1];
    const size_t k = c->in[0].shape[c->attr.gemm.trans_a == 0];
    const size_t leaf = c->attr.gemm.leaf != 0 ? c->attr.gemm.leaf : k, leaves = k / leaf;
    const float *d = data_of(f, &c->out[0]);
    float sums[16];

    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            for (size_t l = 0; l < leaves; l++)
                sums[l] = leaf_of(f, c, i, j, l * leaf, (l + 1) * leaf, runs);
            fpx_tree_f32(FPX_CPU_SCALAR, sums, leaves, 1);
            const float want = alpha == 1.0f ? sums[0] : sums[0] * alpha + 0.0f;
            if (memcmp(&want, &d[i * n + j], sizeof want) != 0)
                ck_abort_msg("d[%zu][%zu] is %a, not %a", i, j, (double)d[i * n + j], (double)want);
        }
}

static const struct {
    const fpx_format *element, *scale;
    uint64_t a[2], b[2]; /* blocks: along k, across */
    uint64_t m, n, k, leaf;
    uint32_t trans_a, trans_b;
    int runs, whole;
} products[] = {
    { &fpx_e4m3, &fpx_e8m0, { 32, 1 }, { 32, 1 }, 9, 11, 96, 0, 0, 1, 0, 0 },
    { &fpx_e5m2, &fpx_e8m0, { 32, 1 }, { 32, 32 }, 40, 35, 300, 0, 0, 0, 0, 0 },
    { &fpx_e2m1, &fpx_e8m0, { 32, 1 }, { 32, 1 }, 17, 5, 60, 20, 1, 0, 0, 0 },
    { &fpx_e2m1, &fpx_ue4m3, { 16, 1 }, { 16, 16 }, 7, 33, 70, 0, 0, 1, 0, 1 },
    { &fpx_e2m1, &fpx_ue4m3, { 16, 1 }, { 16, 1 }, 12, 13, 350, 70, 1, 0, 0, 1 },
    { &fpx_e4m3, &fpx_fp32, { 128, 1 }, { 128, 128 }, 10, 140, 500, 0, 0, 1, 1, 0 },
    { &fpx_e4m3, &fpx_fp32, { 128, 1 }, { 128, 128 }, 10, 140, 500, 0, 0, 0, 1, 0 },
    { &fpx_e4m3, &fpx_fp32, { 128, 1 }, { 128, 1 }, 6, 7, 700, 100, 1, 0, 1, 0 },
    { &fpx_e4m3, &fpx_fp32, { 0, 1 }, { 0, 1 }, 6, 7, 700, 0, 0, 1, 1, 0 }, /* by vectors */
    { &fpx_e2m1, &fpx_fp32, { 30, 2 }, { 700, 3 }, 6, 7, 700, 350, 1, 0, 1, 0 },
    { &fpx_e2m1, &fpx_fp32, { 1, 1 }, { 7, 3 }, 6, 7, 70, 10, 1, 1, 1, 0 },
};
enum { PRODUCTS = sizeof products / sizeof products[0] };

static fpx_tensor operand_of(fixture *f, const fpx_format *element, const fpx_format *scale,
                             const uint64_t block[2], int k_axis, uint64_t vectors, uint64_t k,
                             int whole)
{
    fpx_tensor t = k_axis == 0 ? blocked(f, element, scale, block[0], block[1], SHAPE(k, vectors))
                               : blocked(f, element, scale, block[1], block[0], SHAPE(vectors, k));

    if (whole) {
        const fpx_tensor s = new_tensor(f, &fpx_fp32, SHAPE(1));

        set(f, &s, 0, 0.3);
        t.nscales = 2;
        t.scale[1].format = fpx_fp32;
        t.scale[1].place = s.place;
    }
    return t;
}

static fpx_call product_call(fixture *f, int index)
{
    fpx_call c = new_call(FPX_OP_GEMM);
    const uint32_t ta = products[index].trans_a, tb = products[index].trans_b;

    add_in(&c, operand_of(f, products[index].element, products[index].scale, products[index].a,
                          ta == 0, products[index].m, products[index].k, products[index].whole));
    add_in(&c, operand_of(f, products[index].element, products[index].scale, products[index].b,
                          tb != 0, products[index].n, products[index].k, products[index].whole));
    add_out(&c, new_tensor(f, &fpx_fp32, SHAPE(products[index].m, products[index].n)));
    c.attr.gemm.trans_a = ta;
    c.attr.gemm.trans_b = tb;
    c.attr.gemm.leaf = products[index].leaf;
    return c;
}

START_TEST(products_of_blocks)
{
    for (int level = 0; level <= (int)fpx_cpu_detect(); level++) {
        char options[64];
        fixture f;

        (void)snprintf(options, sizeof options, "threads=2,level=%s",
                       fpx_cpu_level_name((fpx_cpu_level)level));
        fixture_open(&f, options, seed);
        const fpx_call c = product_call(&f, _i);
        run_call(&f, &c);
        check_product(&f, &c, products[_i].runs, products[_i].whole ? 0.3f * 0.3f : 1.0f);
        fixture_close(&f);
    }
}
END_TEST

/* ---- matrix units ---- */
static void name_unit(fpx_call *c, const char *unit)
{
    (void)snprintf(c->attr.gemm.unit, FPX_UNIT_MAX, "%s", unit);
    c->attr.gemm.leaf = 0;
}

/* Products 0 and 3: scales to the unit, of 16 x 16 blocks one a vector. */
START_TEST(units_take_scales)
{
    static const struct {
        int product;
        const char *unit;
    } cases[] = { { 0, "blackwell/tcgen05/mxf8f6f4-fp32" },
                  { 3, "blackwell/tcgen05/mxf4nvf4-fp32" } };
    fixture f;
    fpx_mma_preset unit;
    fpx_error err;

    fixture_open(&f, "threads=2", seed);
    fpx_call c = product_call(&f, cases[_i].product);
    name_unit(&c, cases[_i].unit);
    run_call(&f, &c);
    ck_assert_int_eq(fpx_mma_preset_find(cases[_i].unit, &unit, &err), FPX_OK);
    const size_t m = c.out[0].shape[0], n = c.out[0].shape[1], k = c.in[0].shape[1];
    const size_t width = c.in[0].scale[0].block[1];
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            uint8_t scales[2][8];
            float want;
            fpx_mma_call call = { .m = 1, .n = 1, .k = k, .stride_d = 1 };

            for (int side = 0; side < 2; side++) {
                const fpx_tensor *t = &c.in[side];
                const fpx_scaling *s = &t->scale[0];
                const size_t v = side == 0 ? i : j, across = (k + width - 1) / width;
                fpx_mma_operand *o = side == 0 ? &call.a : &call.b;

                for (size_t q = 0; q < across; q++)
                    scales[side][q] =
                        ((const uint8_t *)f.arena)[s->place.offset + v / s->block[0] * across + q];
                *o = (fpx_mma_operand){ .format = t->format,
                                        .codes = (const uint8_t *)data_of(&f, t) + v * k,
                                        .stride_k = 1,
                                        .scales = scales[side],
                                        .scale_format = s->format,
                                        .scale_block = width,
                                        .scale_stride_k = 1 };
            }
            ck_assert_int_eq(fpx_mma(&unit.model, &call, &want, &err), FPX_OK);
            want = fmaf(want, products[cases[_i].product].whole ? 0.3f * 0.3f : 1.0f, 0.0f);
            if (memcmp(&want, (float *)data_of(&f, &c.out[0]) + i * n + j, sizeof want) != 0)
                ck_abort_msg("%s: d[%zu][%zu] is not %a", cases[_i].unit, i, j, (double)want);
        }
    fixture_close(&f);
}
END_TEST

/* A unit that takes none sums each run; the promotion of DeepSeek-V3 on Hopper. */
START_TEST(units_without_scales_sum_runs)
{
    static const char name[] = "hopper/wgmma/fp8-fp32";
    fixture f;
    fpx_mma_preset unit;
    fpx_error err;

    fixture_open(&f, "threads=2", seed);
    fpx_call c = product_call(&f, 5);
    name_unit(&c, name);
    run_call(&f, &c);
    ck_assert_int_eq(fpx_mma_preset_find(name, &unit, &err), FPX_OK);
    const size_t n = c.out[0].shape[1], k = c.in[0].shape[1];
    for (size_t i = 0; i < c.out[0].shape[0]; i++)
        for (size_t j = 0; j < n; j++) {
            float d = 0.0f, sum;

            for (size_t at = 0; at < k; at += 128) {
                const fpx_mma_call call = {
                    .m = 1,
                    .n = 1,
                    .k = k - at < 128 ? k - at : 128,
                    .stride_d = 1,
                    .a = { .format = c.in[0].format,
                           .stride_k = 1,
                           .codes = (const uint8_t *)data_of(&f, &c.in[0]) + i * k + at },
                    .b = { .format = c.in[1].format,
                           .stride_k = 1,
                           .codes = (const uint8_t *)data_of(&f, &c.in[1]) + j * k + at }
                };

                ck_assert_int_eq(fpx_mma(&unit.model, &call, &sum, &err), FPX_OK);
                d = fmaf(sum, block_scale(&f, &c.in[0], i, at) * block_scale(&f, &c.in[1], j, at),
                         d);
            }
            if (memcmp(&d, (float *)data_of(&f, &c.out[0]) + i * n + j, sizeof d) != 0)
                ck_abort_msg("d[%zu][%zu] is not %a", i, j, (double)d);
        }
    fixture_close(&f);
}
END_TEST

/* ---- quantizers ---- */
START_TEST(blocks_are_those_of_the_library)
{
    for (int random = 0; random < 2; random++) {
        fixture f;
        fpx_blocking b;
        static uint8_t codes[CM * CF], scales[CM * CF];
        static uint32_t bits[CM * CF];
        const fpx_stream stream = { .seed = 9, .site = 11, .step = 17, .micro_batch = 3 };

        fixture_open(&f, "threads=2", seed);
        const fpx_call c =
            random ? case_quantize_block_random(&f, &fpx_fp32) : case_quantize_block(&f, &fpx_fp32);
        run_call(&f, &c);
        ck_assert_int_eq(fpx_blocking_find(c.attr.block.profile, &b), FPX_OK);
        b.block[0] = c.attr.block.block[0];
        b.block[1] = c.attr.block.block[1];
        const float *x = data_of(&f, &c.in[0]);
        if (random) {
            b.element.round = FPX_SR;
            b.element.sr_bits = 32;
            for (size_t i = 0; i < CM * CF; i++)
                bits[i] = fpx_stream_u32(&stream, i);
            ck_assert_int_eq(fpx_block_quantize_random(&b, 3.0f, x, bits, CM, CF, codes, scales),
                             FPX_OK);
        } else {
            ck_assert_int_eq(fpx_block_quantize(&b, 0.0f, x, CM, CF, codes, scales), FPX_OK);
        }
        ck_assert_mem_eq(codes, data_of(&f, &c.out[0]), CM * CF);
        ck_assert_mem_eq(scales, data_of(&f, &c.out[1]), fpx_tensor_count(&c.out[1]));
        fixture_close(&f);
    }
}
END_TEST

/* MX under 3/4: scales as without it, elements x 3/4 2^-e, exactly scaled, then rounded; nothing saturates. */
START_TEST(three_quarters_leave_room)
{
    for (int across = 0; across < 2; across++)
        for (int random = 0; random < 2; random++) {
            const uint64_t b0 = across ? 32 : 1, b1 = across ? 1 : 32;
            const fpx_stream stream = { .seed = 1, .site = 2, .step = 17, .micro_batch = 3 };
            const uint64_t grid[2] = { (CM + b0 - 1) / b0, (CF + b1 - 1) / b1 };
            fpx_conversion element = { .format = fpx_e2m1, .sr_bits = 32 };
            fixture f;
            fpx_call c = new_call(random ? FPX_OP_QUANTIZE_BLOCK_RANDOM : FPX_OP_QUANTIZE_BLOCK);

            fixture_open(&f, "threads=2", seed);
            fpx_call s = case_scale(&f, &fpx_fp32);
            s.attr.scale.rule = FPX_SCALE_THREE_QUARTERS;
            s.attr.scale.target = fpx_e2m1;
            run_call(&f, &s);
            ck_assert(get(&f, &s.out[0], 0) == 0.75 &&
                      get(&f, &s.out[0], 1) == (double)(4.0f / 3.0f));
            add_in(&c, uniform(&f, &fpx_fp32, 3, SHAPE(CM, CF)));
            if (random)
                add_in(&c, case_draw(&f));
            add_in(&c, s.out[0]);
            add_out(&c, new_tensor(&f, &fpx_e2m1, SHAPE(CM, CF)));
            add_out(&c, new_tensor(&f, &fpx_e8m0, SHAPE(grid[0], grid[1])));
            c.out[0].nscales = 2;
            c.out[0].scale[0].format = fpx_e8m0;
            c.out[0].scale[0].block[0] = c.attr.block.block[0] = b0;
            c.out[0].scale[0].block[1] = c.attr.block.block[1] = b1;
            c.out[0].scale[0].place = c.out[1].place;
            c.out[0].scale[1].format = fpx_fp32;
            (void)snprintf(c.attr.block.profile, FPX_PROFILE_MAX, "mx-ocp");
            c.attr.block.round = element.round = random ? FPX_SR : FPX_RNE;
            c.attr.block.seed = 1;
            c.attr.block.site = 2;
            run_call(&f, &c);
            const float *x = data_of(&f, &c.in[0]);
            for (size_t i = 0; i < CM * CF; i++) {
                const size_t row = i / CF, col = i % CF;
                const uint32_t bits = fpx_stream_u32(&stream, i);
                float amax = 0.0f;
                uint8_t want;

                for (size_t r = row / b0 * b0; r < CM && r < row / b0 * b0 + b0; r++)
                    for (size_t k = col / b1 * b1; k < CF && k < col / b1 * b1 + b1; k++)
                        amax = fmaxf(amax, fabsf(x[r * CF + k]));
                const int e = ilogbf(amax) - 2;
                const float q = (float)(0.75 * ldexp((double)x[i], -e));
                ck_assert_int_eq(
                    ((const uint8_t *)data_of(&f, &c.out[1]))[row / b0 * grid[1] + col / b1],
                    127 + e);
                ck_assert_int_eq(random ? fpx_encode_f32_random(&element, 1.0f, &q, &bits, &want, 1)
                                        : fpx_encode_f32(&element, 1.0f, &q, &want, 1),
                                 FPX_OK);
                if (((const uint8_t *)data_of(&f, &c.out[0]))[i] != want || fabsf(q) > 6.0f)
                    ck_abort_msg("codes[%zu]: not %#x of %g", i, want, (double)q);
            }
            fixture_close(&f);
        }
}
END_TEST

/* Unscaled and scaled; another step, micro-batch, site or seed draws other bits, the same draws the same. */
START_TEST(random_rounding_follows_its_stream)
{
    static uint8_t first[CM * CF];
    const fpx_conversion sr = { .format = fpx_e4m3, .round = FPX_SR, .sr_bits = 32 };

    for (int variant = 0; variant < 6; variant++) {
        fixture f;
        fpx_stream stream = { .seed = 5, .site = UINT64_C(1) << 63, .step = 17, .micro_batch = 3 };
        float factor = 1.0f;

        fixture_open(&f, "threads=2", seed);
        fpx_call c = case_quantize_random(&f, &fpx_fp32);
        int32_t *draw = data_of(&f, &c.in[1]);
        if (variant == 1)
            stream.step = (uint32_t)(draw[0] = 18);
        if (variant == 2)
            stream.micro_batch = (uint32_t)(draw[1] = 4);
        if (variant == 3)
            stream.seed = c.attr.quantize.seed = 6;
        if (variant == 4)
            stream.site = c.attr.quantize.site = 1;
        if (variant == 5) {
            const fpx_tensor scale = new_tensor(&f, &fpx_fp32, SHAPE(2));

            set(&f, &scale, 0, 1.7);
            add_in(&c, scale);
            c.out[0] = decoded_by(c.out[0], &scale);
            factor = 1.7f;
        }
        c.step = 99; /* never enters a number */
        run_call(&f, &c);
        const float *x = data_of(&f, &c.in[0]);
        const uint8_t *got = data_of(&f, &c.out[0]);
        for (size_t i = 0; i < CM * CF; i++) {
            const uint32_t bits = fpx_stream_u32(&stream, i);
            uint8_t want;

            ck_assert_int_eq(fpx_encode_f32_random(&sr, factor, x + i, &bits, &want, 1), FPX_OK);
            if (got[i] != want)
                ck_abort_msg("variant %d: codes[%zu] is %#x, not %#x", variant, i, got[i], want);
        }
        if (variant == 0)
            memcpy(first, got, sizeof first);
        else if (memcmp(first, got, sizeof first) == 0)
            ck_abort_msg("variant %d has the bits of another stream", variant);
        fixture_close(&f);
    }
}
END_TEST

/* Transformer Engine's decoding has amax (1 / 2688); torchao's amax / 2688; a NaN counts for one only. */
START_TEST(amax_of_profiles)
{
    static const struct {
        const char *profile;
        float amax, decode;
        int nan;
    } cases[] = { { "nvfp4-te", 2.75f, 2.75f * (1.0f / 2688.0f), 1 },
                  { "nvfp4-torchao", 2.75f, 2.75f / 2688.0f, 0 },
                  { "nvfp4-46-256", 2.75f, 2.75f * (1.0f / 1536.0f), 0 } };

    for (size_t i = 0; i < 3; i++) {
        fixture f;

        fixture_open(&f, "threads=2", seed);
        fpx_call c = case_scale(&f, &fpx_fp32);
        c.attr.scale.rule = FPX_SCALE_AMAX;
        c.attr.scale.target = fpx_e2m1;
        (void)snprintf(c.attr.scale.profile, FPX_PROFILE_MAX, "%s", cases[i].profile);
        set(&f, &c.in[0], CM * CF - 5, -2.75);
        if (cases[i].nan)
            set(&f, &c.in[0], 7, (double)NAN);
        run_call(&f, &c);
        ck_assert(get(&f, &c.out[0], 0) == (double)cases[i].amax);
        ck_assert(get(&f, &c.out[0], 1) == (double)cases[i].decode);
        fixture_close(&f);
    }
}
END_TEST

/* ---- Hadamard ---- */
/* H[i][j] = (-1)^(ones of i & j) / sqrt(size), in float64; and the given order of float32 for size 16, fpx/hadamard.h's. */
START_TEST(transforms_are_hadamards)
{
    static const uint32_t sizes[] = { 16, 32, 64, 128 };
    const uint32_t size = sizes[_i / 2], axis = (uint32_t)_i % 2;
    const uint64_t rows = axis == 0 ? 2 * size : 37, cols = axis == 0 ? 37 : 2 * size;

    for (int fresh = 0; fresh < 2; fresh++) {
        fixture f;
        fpx_call c = new_call(FPX_OP_HADAMARD);
        const fpx_stream stream = {
            .seed = 8, .site = 21, .step = fresh ? 17 : 0, .micro_batch = fresh ? 3 : 0
        };
        uint16_t signs = 0;

        fixture_open(&f, "threads=2", seed);
        add_in(&c, uniform(&f, &fpx_fp32, 2, SHAPE(rows, cols)));
        if (fresh)
            add_in(&c, case_draw(&f));
        add_out(&c, new_tensor(&f, &fpx_fp32, SHAPE(rows, cols)));
        c.attr.hadamard.size = size;
        c.attr.hadamard.axis = axis;
        c.attr.hadamard.seed = 8;
        c.attr.hadamard.site = 21;
        run_call(&f, &c);
        for (uint32_t i = 0; i < size; i++)
            if (fpx_stream_u32(&stream, i) >= 0x80000000u)
                signs = (uint16_t)(signs | (i < 16 ? 1u << i : 0u));
        for (uint64_t v = 0; v < 37; v++)
            for (uint64_t b = 0; b < 2; b++) {
                float x[128], y[128], want[16];

                for (uint32_t i = 0; i < size; i++) {
                    const uint64_t k = b * size + i, at = axis == 0 ? k * 37 + v : v * cols + k;

                    x[i] = (float)get(&f, &c.in[0], at);
                    y[i] = (float)get(&f, &c.out[0], at);
                }
                for (uint32_t i = 0; i < size; i++) {
                    double sum = 0.0;

                    for (uint32_t k = 0; k < size; k++)
                        sum += ((__builtin_popcount(i & k) & 1) != 0 ? -1.0 : 1.0) * (double)x[k] *
                               (fpx_stream_u32(&stream, k) >= 0x80000000u ? -1.0 : 1.0);
                    if (fabs((double)y[i] - sum / sqrt((double)size)) > 2e-5)
                        ck_abort_msg("size %u axis %u: y[%u] is %g, not %g", size, axis, i,
                                     (double)y[i], sum / sqrt((double)size));
                }
                if (size != 16)
                    continue;
                ck_assert_int_eq(fpx_hadamard_forward(signs, x, 16, want), FPX_OK);
                if (memcmp(want, y, sizeof want) != 0)
                    ck_abort_msg("size 16: other bits than fpx/hadamard.h");
            }
        fixture_close(&f);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ops_block");
    TCase *tc = tcase_create("blocks");

    printf("seed %llu\n", (unsigned long long)seed);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, products_of_codes_and_scales_are_float32);
    tcase_add_loop_test(tc, products_of_blocks, 0, PRODUCTS);
    tcase_add_loop_test(tc, units_take_scales, 0, 2);
    tcase_add_test(tc, units_without_scales_sum_runs);
    tcase_add_test(tc, blocks_are_those_of_the_library);
    tcase_add_test(tc, three_quarters_leave_room);
    tcase_add_test(tc, random_rounding_follows_its_stream);
    tcase_add_test(tc, amax_of_profiles);
    tcase_add_loop_test(tc, transforms_are_hadamards, 0, 8);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
