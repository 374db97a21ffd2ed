/* ops_cases_block.h - the cases of blocks, for ops_cases.h, whose helpers they use. */
#ifndef FPX_TESTS_OPS_CASES_BLOCK_H
#define FPX_TESTS_OPS_CASES_BLOCK_H

/* A matrix of codes, uniformly drawn, with one scale for each rows x cols block, near 1. */
static inline fpx_tensor blocked(fixture *f, const fpx_format *format, const fpx_format *scales,
                                 uint64_t rows, uint64_t cols, size_t ndim, const uint64_t *shape)
{
    fpx_tensor t = new_tensor(f, format, ndim, shape);
    uint8_t *code = data_of(f, &t);
    uint64_t grid[FPX_MAX_DIMS];

    for (size_t i = 0; i < fpx_tensor_count(&t); i++)
        code[i] = (uint8_t)(next_random(f) % (UINT64_C(1) << format->bits));
    for (size_t i = 0; i < fpx_tensor_count(&t) && format->bits == 8; i++)
        code[i] &= 0xf7; /* no NaN of E4M3 */
    t.nscales = 1;
    t.scale[0].format = *scales;
    t.scale[0].block[0] = rows;
    t.scale[0].block[1] = cols;
    const size_t n = fpx_tensor_scales(&t, 0, grid);
    const fpx_tensor s = new_tensor(f, scales, 1, (uint64_t[]){ n });
    for (size_t i = 0; i < n; i++) {
        if (scales->bits == 32)
            ((float *)data_of(f, &s))[i] = (float)(1.0 + 0.9 * next_uniform(f));
        else
            ((uint8_t *)data_of(f, &s))[i] =
                (uint8_t)((scales->ebits == 8 ? 120 : 40) + next_random(f) % 14);
    }
    t.scale[0].place = s.place;
    return t;
}

static inline fpx_call case_quantize_block(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_QUANTIZE_BLOCK);
    const int wide = real->bits == 64;
    fpx_tensor codes, scales;

    add_in(&c, uniform(f, real, 3, SHAPE(CM, CF)));
    codes = new_tensor(f, wide ? real : &fpx_e4m3, SHAPE(CM, CF));
    scales = new_tensor(f, wide ? real : &fpx_e8m0, SHAPE((CM + 31) / 32, CF));
    if (!wide) {
        codes.nscales = 1;
        codes.scale[0].format = fpx_e8m0;
        codes.scale[0].block[0] = 32;
        codes.scale[0].block[1] = 1;
        codes.scale[0].place = scales.place;
    }
    add_out(&c, codes);
    add_out(&c, scales);
    (void)snprintf(c.attr.block.profile, FPX_PROFILE_MAX, "mx-ocp");
    c.attr.block.block[0] = 32;
    c.attr.block.block[1] = 1;
    return c;
}

static inline fpx_call case_quantize_block_random(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_QUANTIZE_BLOCK_RANDOM);
    const int wide = real->bits == 64;
    fpx_tensor codes, scales;

    add_in(&c, uniform(f, real, 3, SHAPE(CM, CF)));
    add_in(&c, case_draw(f));
    add_in(&c, new_tensor(f, real, SHAPE(2)));
    set(f, &c.in[2], 0, 3.0);
    set(f, &c.in[2], 1, 3.0 / 2688);
    codes = new_tensor(f, wide ? real : &fpx_e2m1, SHAPE(CM, CF));
    scales = new_tensor(f, wide ? real : &fpx_ue4m3, SHAPE(CM, (CF + 15) / 16));
    if (!wide) {
        codes.nscales = 2;
        codes.scale[0].format = fpx_ue4m3;
        codes.scale[0].block[0] = 1;
        codes.scale[0].block[1] = 16;
        codes.scale[0].place = scales.place;
        codes.scale[1].format = fpx_fp32;
        codes.scale[1].place = c.in[2].place;
        codes.scale[1].place.offset += 4;
    }
    add_out(&c, codes);
    add_out(&c, scales);
    (void)snprintf(c.attr.block.profile, FPX_PROFILE_MAX, "nvfp4-te");
    c.attr.block.round = FPX_SR;
    c.attr.block.block[0] = 1;
    c.attr.block.block[1] = 16;
    c.attr.block.seed = 9;
    c.attr.block.site = 11;
    return c;
}

/* Scales that are multiplied into the codes exactly. */
static inline fpx_call case_gemm_blocks(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_GEMM);

    add_in(&c, blocked(f, &fpx_e4m3, &fpx_e8m0, 32, 1, SHAPE(CM, CC)));
    add_in(&c, blocked(f, &fpx_e4m3, &fpx_e8m0, 32, 32, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, real, SHAPE(CC, CF)));
    c.attr.gemm.trans_a = 1;
    c.attr.gemm.leaf = CT;
    return c;
}

/* Scales that cut the sum. */
static inline fpx_call case_gemm_tiles(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_GEMM);

    add_in(&c, blocked(f, &fpx_e4m3, &fpx_fp32, 128, 1, SHAPE(CM, CC)));
    add_in(&c, blocked(f, &fpx_e4m3, &fpx_fp32, 100, 50, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, real, SHAPE(CC, CF)));
    c.attr.gemm.trans_a = 1;
    c.attr.gemm.leaf = CT;
    return c;
}

#endif /* FPX_TESTS_OPS_CASES_BLOCK_H */
