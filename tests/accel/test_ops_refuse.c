/* test_ops_refuse.c - what the `cpu` device refuses: bad options, handles, offsets, shapes, formats,
 * attributes, overlaps and ids give a status with text, never a crash, and nothing is written. */
#include "ops_cases.h"

static const uint64_t seed = 3;

/* Under AddressSanitizer an absurd size shall give NULL, as malloc does, not end the test. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* A small good call of each kind under test is broken in one way. */
typedef struct breakage {
    const char *what;
    fpx_call (*build)(fixture *f, const fpx_format *real);
    void (*apply)(fixture *f, fpx_call *call);
    fpx_status want;
} breakage;

#define BREAK(name, statement)                                                                     \
    static void name(fixture *f, fpx_call *call)                                                   \
    {                                                                                              \
        (void)f;                                                                                   \
        statement;                                                                                 \
    }

BREAK(no_handle, call->in[0].place.buffer = 0)
BREAK(foreign_handle, call->in[0].place.buffer += 1)
BREAK(huge_handle, call->out[0].place.buffer = UINT32_MAX)
BREAK(offset_past_the_end, call->in[0].place.offset = ARENA_BYTES)
BREAK(offset_that_wraps, call->out[0].place.offset = UINT64_MAX - 7)
BREAK(one_byte_too_long,
      call->in[0].place.offset = ARENA_BYTES + 1 - fpx_tensor_bytes(&call->in[0]))
BREAK(misaligned, call->in[0].place.offset += 2)
BREAK(scale_off_the_buffer, call->in[1].scale[0].place.offset = ARENA_BYTES - 3)
BREAK(scale_without_handle, call->in[0].scale[0].place.buffer = 0)
BREAK(too_few_inputs, call->nin -= 1)
BREAK(too_many_inputs, call->nin = 1000)
BREAK(too_many_outputs, call->nout = FPX_MAX_OUT + 1)
BREAK(unknown_kind, call->kind = FPX_OP_KINDS)
BREAK(short_struct, call->struct_size = 8)
BREAK(other_shape, call->in[1].shape[0] += 1)
BREAK(other_rank, call->out[0].ndim = 1)
BREAK(rank_beyond, call->in[0].ndim = 200)
BREAK(zero_extent, call->in[0].shape[0] = 0)
BREAK(overflowing_shape, (call->in[0].shape[0] = call->out[0].shape[0] = UINT64_MAX / 2))
BREAK(mixed_reals, call->in[1].format = fpx_fp64)
BREAK(integers, call->in[0].format = fpx_int32)
BREAK(invalid_format, call->in[0].format.bits = 7)
BREAK(strided, call->in[0].strides[0] += 1)
BREAK(packed, (call->in[0].format = fpx_e2m1, call->in[0].packing = FPX_PACK_DENSE))
BREAK(two_scales, call->in[0].nscales = 2)
BREAK(scale_count_beyond, call->in[0].nscales = 9)
BREAK(blocks_of_heads, (call->in[0].format = fpx_e4m3, call->in[0].nscales = 1,
                        call->in[0].scale[0].format = fpx_e8m0, call->in[0].scale[0].block[3] = 7))
BREAK(scale_in_e8, call->in[0].scale[0].format = fpx_e4m3)
/* A matrix unit, which has no leaves. */
static void name_unit(fpx_call *call, const char *name)
{
    call->attr.gemm.leaf = 0;
    memcpy(call->attr.gemm.unit, name, strlen(name) + 1);
}
BREAK(scale_in_other_layout, call->in[0].scale[0].layout = FPX_SCALE_CUBLAS)
BREAK(blocks_off_the_buffer, call->in[1].scale[0].place.offset = ARENA_BYTES - 3)
BREAK(blocks_of_reals, call->in[0].format = fpx_fp32)
BREAK(unit_of_other_scales, name_unit(call, "blackwell/tcgen05/mxf4nvf4-fp32"))
BREAK(unknown_profile, call->attr.block.profile[0] = 'x')
BREAK(endless_profile, memset(call->attr.block.profile, 'm', FPX_PROFILE_MAX))
BREAK(other_blocks, call->attr.block.block[0] = 16)
BREAK(undescribed_blocks, call->out[0].scale[0].block[0] = 16)
BREAK(other_scale_format, (call->out[1].format = call->out[0].scale[0].format = fpx_fp32))
BREAK(stochastic_blocks, call->attr.block.round = FPX_SR)
BREAK(odd_block_overflow, call->attr.block.overflow = 9)
BREAK(blocks_without_scale, (call->nin = 2, call->out[0].nscales = 1))
BREAK(unscaled_blocks, call->out[0].nscales = 1)
BREAK(rounds_to_nearest, call->attr.block.round = FPX_RNE)
BREAK(draw_in_float, call->in[1].format = fpx_fp32)
BREAK(draws_to_nearest, call->attr.quantize.round = FPX_RNE)
BREAK(amax_of_nobody, (call->attr.scale.rule = FPX_SCALE_AMAX))
BREAK(amax_of_mx,
      (call->attr.scale.rule = FPX_SCALE_AMAX, memcpy(call->attr.scale.profile, "mx-ocp", 7)))
BREAK(odd_transform, call->attr.hadamard.size = 48)
BREAK(long_transform, call->attr.hadamard.size = 64)
BREAK(third_axis, call->attr.hadamard.axis = 2)
BREAK(odd_signs, call->attr.hadamard.signs = FPX_SIGNS_NONE + 1)
BREAK(ties_of_even, call->attr.block.ties_to_zero = 1)
BREAK(odd_ties, (call->attr.block.round = FPX_RNA, call->attr.block.ties_to_zero = 2))
BREAK(no_blocks, call->in[0].nscales = 0)
BREAK(real_blocks, call->in[0].scale[0].format = fpx_ue4m3)
BREAK(two_levels, (call->in[0].nscales = 2, call->in[0].scale[1] = call->in[0].scale[0],
                   call->in[0].scale[1].format = fpx_fp32, call->in[0].scale[1].block[0] = 0,
                   call->in[0].scale[1].block[1] = 0))
BREAK(rounded_twice, (two_levels(f, call), call->in[0].scale[0].format = fpx_fp32))
BREAK(other_gradient, call->in[2].shape[1] -= 1)
BREAK(odd_delay, call->attr.delayed.rule = 3)
BREAK(odd_part, call->attr.delayed.rule = FPX_DELAYED_MS_AMP; call->attr.delayed.part = 4)
BREAK(te_in_parts, call->attr.delayed.part = FPX_PART_OPEN)
BREAK(delay_in_integers, call->attr.delayed.target = fpx_int32)
BREAK(no_window, (call->in[0].shape[0] = call->out[0].shape[0] = 2))
BREAK(bad_leaf, call->attr.gemm.leaf = 7)
BREAK(bad_token_leaf, call->attr.tokens.leaf = 7)
BREAK(bad_norm_leaf, call->attr.rmsnorm.leaf = 7)
BREAK(bad_transposition, call->attr.gemm.trans_a = 2)
BREAK(unknown_unit, name_unit(call, "hopper"))
BREAK(unit_of_others, name_unit(call, "hopper/wgmma/fp16-fp32"))
BREAK(unit_to_fp16, name_unit(call, "hopper/wgmma/fp8-fp16"))
BREAK(unit_of_scales, name_unit(call, "blackwell/tcgen05/mxf8f6f4-fp32"))
BREAK(unit_with_leaves, (name_unit(call, "hopper/wgmma/fp8-fp32"), call->attr.gemm.leaf = 4))
BREAK(endless_unit, memset(call->attr.gemm.unit, 'x', FPX_UNIT_MAX))
BREAK(nan_eps, call->attr.rmsnorm.eps = (double)NAN)
BREAK(negative_base, call->attr.rope.base = -1.0)
BREAK(infinite_scale, call->attr.softmax.scale = (double)INFINITY)
BREAK(bad_rule, call->attr.scale.rule = FPX_SCALE_MS_AMP_EXACT + 1)
BREAK(factor_of_amax, call->attr.scale.rule = FPX_SCALE_CURRENT)
BREAK(large_ratio, call->attr.factor.ratio = 1.0)
BREAK(shrinking, call->attr.factor.growth = 0.99)
BREAK(never, call->attr.factor.every = 0)
BREAK(bad_target, call->attr.scale.target.bits = 3)
BREAK(bad_round, call->attr.quantize.round = 77)
BREAK(stochastic, call->attr.quantize.round = FPX_SR)
BREAK(bad_overflow, call->attr.quantize.overflow = 9)
BREAK(bad_max_norm, call->attr.clip.max_norm = -1.0)
BREAK(beta_of_one, call->attr.adamw.beta1 = 1.0)
BREAK(few_groups, (call->out[1].shape[0] -= 1))
BREAK(wide_codes, (call->out[0] = new_tensor(f, &fpx_fp16, 2, call->out[0].shape)))
BREAK(straight_through, call->attr.dge.k = 1.0)
BREAK(no_cap, call->attr.dge.cap = 0.0)
BREAK(odd_estimator, call->attr.dge.rule = FPX_DGE_MS_AMP + 1)
BREAK(gradient_of_other, call->in[1].shape[1] -= 1)
BREAK(below_half, call->attr.clamp.alpha = 0.4999)
BREAK(no_quantile, call->attr.clamp.alpha = (double)NAN)
BREAK(all_of_it, call->attr.clamp.alpha = 1.0)
BREAK(odd_over, call->attr.clamp.over = FPX_CLAMP_COLUMN + 1)
BREAK(residual_of_other, call->in[2].shape[1] -= 1)
BREAK(real_weight, call->in[3].format = fpx_fp32)
BREAK(weight_of_other, call->in[3].shape[0] -= 1)
BREAK(momentum_of_one, call->attr.sgd.momentum = 1.0)
BREAK(negative_decay, call->attr.lion.weight_decay = -1.0)
BREAK(all_dropped, call->attr.dropout.rate = 1.0)
BREAK(rate_of_nan, call->attr.dropout.rate = (double)NAN)
BREAK(no_sequences, call->attr.tokens.leaf = 0)
BREAK(other_sequences, call->attr.tokens.leaf = CM)
BREAK(endless_beta, call->attr.dpo.beta = (double)INFINITY)
BREAK(odd_sum, call->attr.dpo.sum = 2)
BREAK(single_answer, (call->in[0].shape[0] -= 1, call->in[1].shape[0] -= 1))
BREAK(token_too_large, ((int32_t *)data_of(f, &call->in[0]))[CM - 1] = CV)
BREAK(token_negative, ((int32_t *)data_of(f, &call->in[0]))[5] = -1)
BREAK(target_too_large, ((int32_t *)data_of(f, &call->in[1]))[CM - 1] = CV)
BREAK(output_on_input, call->out[0].place = call->in[0].place)
BREAK(output_into_input, call->out[0].place.offset = call->in[1].place.offset + 4)
BREAK(output_on_output, call->out[1].place = call->out[0].place)
BREAK(swapped_in_place,
      (call->out[0].place = call->in[1].place, call->out[1].place = call->in[0].place))
BREAK(in_place_on_gradient, (call->in[3].place = call->in[0].place))

static fpx_call rope_of_odd_width(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_ROPE);

    add_in(&c, uniform(f, real, 1, SHAPE(6, 9)));
    for (int i = 0; i < 3; i++)
        add_out(&c, new_tensor(f, real, SHAPE(2, 1, 3, 3)));
    c.attr.rope.base = 10.0;
    return c;
}

BREAK(nothing, (void)call)

static const breakage breakages[] = {
    { "no handle", case_add, no_handle, FPX_EINVAL },
    { "foreign handle", case_add, foreign_handle, FPX_EINVAL },
    { "huge handle", case_add, huge_handle, FPX_EINVAL },
    { "offset past the end", case_add, offset_past_the_end, FPX_EINVAL },
    { "offset that wraps", case_add, offset_that_wraps, FPX_EINVAL },
    { "one byte too long", case_merge, one_byte_too_long, FPX_EINVAL },
    { "misaligned", case_add, misaligned, FPX_EINVAL },
    { "scale off the buffer", case_gemm_codes, scale_off_the_buffer, FPX_EINVAL },
    { "scale without handle", case_gemm_codes, scale_without_handle, FPX_EINVAL },
    { "too few inputs", case_adamw, too_few_inputs, FPX_EINVAL },
    { "too many inputs", case_add, too_many_inputs, FPX_EINVAL },
    { "too many outputs", case_add, too_many_outputs, FPX_EINVAL },
    { "unknown kind", case_add, unknown_kind, FPX_EUNSUPPORTED },
    { "short struct", case_add, short_struct, FPX_EINVAL },
    { "other shape", case_add, other_shape, FPX_EINVAL },
    { "other shape of a matrix", case_gemm, other_shape, FPX_EINVAL },
    { "other rank", case_swiglu, other_rank, FPX_EINVAL },
    { "rank beyond", case_add, rank_beyond, FPX_EINVAL },
    { "zero extent", case_merge, zero_extent, FPX_EINVAL },
    { "overflowing shape", case_gelu, overflowing_shape, FPX_EINVAL },
    { "mixed reals", case_add, mixed_reals, FPX_EINVAL },
    { "integers", case_swiglu, integers, FPX_EINVAL },
    { "fp64 operand of an fp32 product", case_gemm, mixed_reals, FPX_EINVAL },
    { "invalid format", case_gemm_codes, invalid_format, FPX_EINVAL },
    { "strided", case_gelu, strided, FPX_EUNSUPPORTED },
    { "packed", case_gemm, packed, FPX_EUNSUPPORTED },
    { "two scales", case_gemm_codes, two_scales, FPX_EUNSUPPORTED },
    { "scale count beyond", case_gemm_codes, scale_count_beyond, FPX_EINVAL },
    { "blocks of scales in another layout", case_gemm_blocks, scale_in_other_layout,
      FPX_EUNSUPPORTED },
    { "blocks off the buffer", case_gemm_tiles, blocks_off_the_buffer, FPX_EINVAL },
    { "blocks of reals", case_gemm_blocks, blocks_of_reals, FPX_EUNSUPPORTED },
    { "blocks of many axes", case_gemm_batched, blocks_of_heads, FPX_EUNSUPPORTED },
    { "unit of other scales", case_gemm_blocks, unit_of_other_scales, FPX_EUNSUPPORTED },
    { "unknown profile", case_quantize_block, unknown_profile, FPX_EINVAL },
    { "profile without end", case_quantize_block, endless_profile, FPX_EINVAL },
    { "other blocks", case_quantize_block, other_blocks, FPX_EINVAL },
    { "other blocks in the codes", case_quantize_block, undescribed_blocks, FPX_EINVAL },
    { "scales of another format", case_quantize_block, other_scale_format, FPX_EINVAL },
    { "blocks without random bits", case_quantize_block, stochastic_blocks, FPX_EINVAL },
    { "odd overflow of blocks", case_quantize_block, odd_block_overflow, FPX_EINVAL },
    { "no scale of the whole", case_quantize_block_random, blocks_without_scale, FPX_EINVAL },
    { "one level of two", case_quantize_block_random, unscaled_blocks, FPX_EINVAL },
    { "random bits for nothing", case_quantize_block_random, rounds_to_nearest, FPX_EINVAL },
    { "draw that is no integer", case_quantize_random, draw_in_float, FPX_EINVAL },
    { "draws, but rounds to nearest", case_quantize_random, draws_to_nearest, FPX_EINVAL },
    { "odd size of a transform", case_hadamard, odd_transform, FPX_EINVAL },
    { "size that does not divide", case_hadamard, long_transform, FPX_EINVAL },
    { "third axis", case_hadamard, third_axis, FPX_EINVAL },
    { "signs nowhere", case_hadamard, odd_signs, FPX_EINVAL },
    { "ties of another rounding", case_quantize_block, ties_of_even, FPX_EINVAL },
    { "ties to nowhere", case_quantize_block, odd_ties, FPX_EINVAL },
    { "gradient of no blocks", case_quantize_block_grad, no_blocks, FPX_EUNSUPPORTED },
    { "gradient of other scales", case_quantize_block_grad, real_blocks, FPX_EUNSUPPORTED },
    { "gradient of two levels", case_quantize_block_grad, two_levels, FPX_EUNSUPPORTED },
    { "gradient of another shape", case_quantize_block_grad, other_gradient, FPX_EINVAL },
    { "scales that round twice", case_dequantize_blocks, rounded_twice, FPX_EUNSUPPORTED },
    { "odd rule of delayed scaling", case_scale_delayed, odd_delay, FPX_EINVAL },
    { "delayed scaling in odd parts", case_scale_delayed, odd_part, FPX_EINVAL },
    { "Transformer Engine's history in parts of a step", case_scale_delayed, te_in_parts,
      FPX_EINVAL },
    { "delayed scaling for integers", case_scale_delayed, delay_in_integers, FPX_EINVAL },
    { "no window", case_scale_delayed, no_window, FPX_EINVAL },
    { "amax without profile", case_scale, amax_of_nobody, FPX_EINVAL },
    { "amax of a profile without one", case_scale, amax_of_mx, FPX_EINVAL },
    { "scale of another format", case_gemm_codes, scale_in_e8, FPX_EUNSUPPORTED },
    { "bad leaf", case_gemm, bad_leaf, FPX_EINVAL },
    { "bad leaf of tokens", case_embed_grad, bad_token_leaf, FPX_EINVAL },
    { "bad leaf of a loss", case_xent, bad_token_leaf, FPX_EINVAL },
    { "bad leaf of a norm", case_rmsnorm_grad, bad_norm_leaf, FPX_EINVAL },
    { "bad transposition", case_gemm, bad_transposition, FPX_EINVAL },
    { "unknown unit", case_gemm_codes, unknown_unit, FPX_EINVAL },
    { "unit of other formats", case_gemm_codes, unit_of_others, FPX_EUNSUPPORTED },
    { "unit that gives fp16", case_gemm_codes, unit_to_fp16, FPX_EUNSUPPORTED },
    { "unit of block scales", case_gemm_codes, unit_of_scales, FPX_EUNSUPPORTED },
    { "unit with leaves", case_gemm_codes, unit_with_leaves, FPX_EINVAL },
    { "unit without end", case_gemm_codes, endless_unit, FPX_EINVAL },
    { "eps NaN", case_rmsnorm, nan_eps, FPX_EINVAL },
    { "negative base", case_rope, negative_base, FPX_EINVAL },
    { "odd head width", rope_of_odd_width, nothing, FPX_EINVAL },
    { "infinite scale", case_softmax, infinite_scale, FPX_EINVAL },
    { "bad scale rule", case_scale, bad_rule, FPX_EINVAL },
    { "bad target format", case_scale, bad_target, FPX_EINVAL },
    { "bad rounding", case_quantize, bad_round, FPX_EINVAL },
    { "stochastic rounding", case_quantize, stochastic, FPX_EUNSUPPORTED },
    { "bad overflow", case_quantize, bad_overflow, FPX_EINVAL },
    { "bad norm", case_clip, bad_max_norm, FPX_EINVAL },
    { "beta of 1", case_adamw, beta_of_one, FPX_EINVAL },
    { "a factor of Transformer Engine's scale", case_scale_times_factor, factor_of_amax,
      FPX_EINVAL },
    { "a factor's ratio of 1", case_scale_factor, large_ratio, FPX_EINVAL },
    { "a factor that shrinks", case_scale_factor, shrinking, FPX_EINVAL },
    { "a factor that is never looked at", case_scale_factor, never, FPX_EINVAL },
    { "too few groups", case_quantize_coat, few_groups, FPX_EINVAL },
    { "wide codes of groups", case_quantize_coat, wide_codes, FPX_EUNSUPPORTED },
    { "k of one", case_dge, straight_through, FPX_EINVAL },
    { "cap of zero", case_dge, no_cap, FPX_EINVAL },
    { "unknown estimator", case_dge, odd_estimator, FPX_EINVAL },
    { "gradient of another weight", case_dge, gradient_of_other, FPX_EINVAL },
    { "quantile below a half", case_clamp, below_half, FPX_EINVAL },
    { "quantile that is none", case_clamp, no_quantile, FPX_EINVAL },
    { "quantile of one", case_clamp, all_of_it, FPX_EINVAL },
    { "quantile of what", case_clamp, odd_over, FPX_EINVAL },
    { "residual of another operand", case_add_residual, residual_of_other, FPX_EINVAL },
    { "weight of another product", case_add_residual, weight_of_other, FPX_EINVAL },
    { "blocks of a real weight", case_add_residual_codes, real_weight, FPX_EUNSUPPORTED },
    { "momentum of 1", case_sgd, momentum_of_one, FPX_EINVAL },
    { "negative decay", case_lion, negative_decay, FPX_EINVAL },
    { "nothing left", case_dropout, all_dropped, FPX_EINVAL },
    { "rate NaN", case_dropout, rate_of_nan, FPX_EINVAL },
    { "dropout's draw in float", case_dropout, draw_in_float, FPX_EINVAL },
    { "no sequences", case_logp, no_sequences, FPX_EINVAL },
    { "other sequences", case_logp_grad, other_sequences, FPX_EINVAL },
    { "beta Inf", case_dpo, endless_beta, FPX_EINVAL },
    { "odd sum of pairs", case_dpo, odd_sum, FPX_EINVAL },
    { "an answer alone", case_dpo, single_answer, FPX_EINVAL },
    { "token too large of an answer", case_logp, target_too_large, FPX_EINVAL },
    { "token too large of an answer, gradient", case_logp_grad, target_too_large, FPX_EINVAL },
    { "token too large", case_embed, token_too_large, FPX_EINVAL },
    { "token too large, gradient", case_embed_grad, token_too_large, FPX_EINVAL },
    { "token negative", case_embed, token_negative, FPX_EINVAL },
    { "target too large", case_xent, target_too_large, FPX_EINVAL },
    { "target too large, gradient", case_xent_grad, target_too_large, FPX_EINVAL },
    { "output on input", case_add, output_on_input, FPX_EINVAL },
    { "output into input", case_add, output_into_input, FPX_EINVAL },
    { "output on output", case_rope, output_on_output, FPX_EINVAL },
    { "swapped in place", case_adamw, swapped_in_place, FPX_EINVAL },
    { "in place on the gradient", case_adamw, in_place_on_gradient, FPX_EINVAL },
};

enum { BREAKAGES = sizeof breakages / sizeof breakages[0] };

START_TEST(broken_calls)
{
    const breakage *b = &breakages[_i];
    fixture f;
    char text[512] = "";

    fixture_open(&f, "threads=2", seed);
    fpx_call call = b->build(&f, &fpx_fp32);
    b->apply(&f, &call);
    unsigned char *before = malloc(f.used);
    ck_assert_ptr_nonnull(before);
    memcpy(before, f.arena, f.used);
    const fpx_status status = try_call(&f, &call, text, sizeof text);
    if (status != b->want)
        ck_abort_msg("%s: status %d, not %d: %s", b->what, (int)status, (int)b->want, text);
    if (text[0] == '\0')
        ck_abort_msg("%s: refused without a text", b->what);
    if (memcmp(before, f.arena, f.used) != 0)
        ck_abort_msg("%s: refused, but something was written", b->what);
    free(before);
    fixture_close(&f);
}
END_TEST

/* run checks by itself: prepare may have seen other places, or nothing. */
START_TEST(run_without_prepare)
{
    static const char *const names[] = { "rope", "rmsnorm_grad", "xent" };
    char text[512] = "";

    for (size_t n = 0; n < 3; n++)
        for (size_t i = 0; i < OP_CASES; i++) {
            fixture f;

            if (strcmp(op_cases[i].name, names[n]) != 0)
                continue;
            fixture_open(&f, "threads=2", seed);
            const fpx_call call = op_cases[i].build(&f, &fpx_fp32);
            ck_assert_int_eq(fpx_accel_cpu.run(f.device, &call, text, sizeof text), FPX_EINVAL);
            ck_assert_ptr_nonnull(strstr(text, "not prepared"));
            fixture_close(&f);
        }
}
END_TEST

/* 2^60 bytes of codes to decode: there is no such memory, and no small buffer in its place. */
START_TEST(huge_shapes)
{
    fixture f;
    char text[512] = "";
    fpx_call c = new_call(FPX_OP_GEMM);
    fpx_tensor t;

    fixture_open(&f, "threads=2", seed);
    ck_assert_int_eq(fpx_tensor_make(&fpx_e4m3, SHAPE(UINT64_C(1) << 29, UINT64_C(1) << 29), &t),
                     FPX_OK);
    add_in(&c, t);
    add_in(&c, t);
    ck_assert_int_eq(fpx_tensor_make(&fpx_fp32, SHAPE(UINT64_C(1) << 29, UINT64_C(1) << 29), &t),
                     FPX_OK);
    add_out(&c, t);
    const fpx_status status = fpx_accel_cpu.prepare(f.device, &c, text, sizeof text);
    if (status != FPX_ENOMEM)
        ck_abort_msg("status %d: %s", (int)status, text);
    fixture_close(&f);
}
END_TEST

START_TEST(memory)
{
    fixture f;
    uint32_t a, b;
    char bytes[16] = "0123456789abcdef", back[16] = "";

    fixture_open(&f, "threads=1", seed);
    ck_assert_int_eq(fpx_accel_cpu.alloc(f.device, 16, &a), FPX_OK);
    ck_assert_int_ne((int)a, 0);
    ck_assert_int_eq(fpx_accel_cpu.write(f.device, a, 4, bytes, 12), FPX_OK);
    ck_assert_int_eq(fpx_accel_cpu.read(f.device, a, 4, back, 12), FPX_OK);
    ck_assert_mem_eq(back, bytes, 12);
    ck_assert_int_eq(fpx_accel_cpu.write(f.device, a, 5, bytes, 12), FPX_EINVAL);
    ck_assert_int_eq(fpx_accel_cpu.read(f.device, a, UINT64_MAX, back, 2), FPX_EINVAL);
    ck_assert_int_eq(fpx_accel_cpu.read(f.device, 0, 0, back, 1), FPX_EINVAL);
    fpx_accel_cpu.release(f.device, a);
    fpx_accel_cpu.release(f.device, a); /* a second time: nothing */
    ck_assert_int_eq(fpx_accel_cpu.read(f.device, a, 0, back, 1), FPX_EINVAL);
    ck_assert_int_eq(fpx_accel_cpu.alloc(f.device, 16, &b), FPX_OK);
    ck_assert_int_ne((int)a, (int)b); /* the slot is used again, the handle is not */
    ck_assert_int_eq(fpx_accel_cpu.read(f.device, a, 0, back, 1), FPX_EINVAL);
    ck_assert_int_eq(fpx_accel_cpu.alloc(f.device, UINT64_MAX, &a), FPX_ENOMEM);
    ck_assert_int_eq(fpx_accel_cpu.adopt(f.device, NULL, 16, &a), FPX_EINVAL);
    fixture_close(&f);
}
END_TEST

START_TEST(options)
{
    static const char *const bad[] = { "threads=0",    "threads=",   "threads=-1",
                                       "threads=2000", "threads=2x", "threads",
                                       "level=sse",    "level=",     "engine=mkl",
                                       "colour=red",   "=",          ",",
                                       "threads=2,,",  "thread=2",   "threads=99999999999999999999",
                                       "level=scalarx" };
    void *const untouched = &(char){ 0 };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256] = "";
        void *device = untouched;

        if (fpx_accel_cpu.open(bad[i], &device, text, sizeof text) != FPX_EINVAL ||
            text[0] == '\0' || device != untouched)
            ck_abort_msg("\"%s\" was not refused: %s", bad[i], text);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ops_refuse");
    TCase *tc = tcase_create("refusals");

    printf("seed %llu\n", (unsigned long long)seed);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, broken_calls, 0, BREAKAGES);
    tcase_add_test(tc, run_without_prepare);
    tcase_add_test(tc, huge_shapes);
    tcase_add_test(tc, memory);
    tcase_add_test(tc, options);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
