/* block_profile.c - what libraries do, as rows of a table: a rule, its options, and where that is written. */
#include <string.h>

#include <fpx/block.h>

typedef struct profile {
    const char *name;
    const fpx_format *format;
    uint16_t block[2];
    uint8_t rule;
    uint8_t nan; /* of the elements: CUDA's conversions write one NaN */
    uint8_t amax_nan;
    uint8_t mx_exponent, mx_inf;
    uint8_t power_of_two;
    uint8_t error;
    uint8_t drops_negative_zero;
    uint8_t ties_to_zero;
    uint8_t ms_amp;
    float bound, amax_floor;
    const char *source;
} profile;

#define MX .rule = FPX_RULE_MX, .block = { 1, 32 }
#define ONE_NAN .nan = FPX_NAN_POSITIVE
#define NVFP4(x) .format = &fpx_e2m1, .rule = FPX_RULE_NVFP4_##x, ONE_NAN

static const profile profiles[] = {
    { "mx-ocp", &fpx_e4m3, MX, .mx_exponent = FPX_MX_FLOOR,
      .source = "OCP Microscaling Formats MX v1.0, 6.3 (Inf is left open there: NaN here)" },
    { "mx-cublas", &fpx_e4m3, MX, ONE_NAN, .mx_exponent = FPX_MX_RCEIL,
      .mx_inf = FPX_MX_INF_LARGEST, .source = "cuBLAS manual, 1D block quantization" },
    { "mx-te", &fpx_e4m3, MX, ONE_NAN, .mx_exponent = FPX_MX_RCEIL_FP32,
      .mx_inf = FPX_MX_INF_LARGEST,
      .source = "Transformer Engine common/cast/mxfp8, float_to_e8m0 in ptx_arch_spec.cuh" },
    { "mx-torchao", &fpx_e4m3, MX, ONE_NAN, .mx_exponent = FPX_MX_FLOOR,
      .source =
          "torchao mx_formats/mx_tensor.py to_mx, FLOOR (its default); CEIL and EVEN there too" },
    { "mx-torchao-rceil", &fpx_e4m3, MX, ONE_NAN, .mx_exponent = FPX_MX_RCEIL_FP32,
      .source = "torchao mx_formats/mx_tensor.py to_mx, RCEIL" },
    { "mx-quest", &fpx_e2m1, MX, ONE_NAN, .mx_exponent = FPX_MX_STD, .ties_to_zero = 1,
      .source = "Quartet (IST-DASLab/Quartet) src/models/quantization/quantizers/mxfp4_triton.py, "
                "quest, without its NaN where rounding makes a variance negative" },
    { "nvfp4-te", NVFP4(TE), .block = { 1, 16 }, .amax_nan = FPX_AMAX_IGNORES,
      .source = "Transformer Engine common/cast/nvfp4, core_nvfp4.cuh" },
    { "nvfp4-te-16x16", NVFP4(TE), .block = { 16, 16 }, .amax_nan = FPX_AMAX_IGNORES,
      .source = "Transformer Engine common/cast/nvfp4: weights" },
    { "nvfp4-te-python", NVFP4(TE), .block = { 1, 16 }, .drops_negative_zero = 1,
      .source = "Transformer Engine pytorch/custom_recipes/reference_nvfp4.py: -0 becomes +0" },
    { "nvfp4-torchao", NVFP4(TORCHAO), .block = { 1, 16 },
      .source = "torchao mx_formats/nvfp4_tensor.py nvfp4_quantize" },
    { "nvfp4-46", NVFP4(46), .block = { 1, 16 }, .amax_nan = FPX_AMAX_IGNORES, .bound = 448.0f,
      .source = "Transformer Engine common/cast/nvfp4/quantize_4over6_nvfp4.cuh, min MAE" },
    { "nvfp4-46-256", NVFP4(46), .block = { 1, 16 }, .amax_nan = FPX_AMAX_IGNORES, .bound = 256.0f,
      .source =
          "the same with nvfp4_e4m3_max 256: room for 1.5 times the scale (arXiv 2512.02010)" },
    { "tile-te", &fpx_e4m3, .block = { 1, 128 }, .rule = FPX_RULE_TILE_TE, ONE_NAN,
      .source = "Transformer Engine common/recipe/recipe_common.cuh, compute_scale_from_amax" },
    { "tile-te-pow2", &fpx_e4m3, .block = { 1, 128 }, .rule = FPX_RULE_TILE_TE, ONE_NAN,
      .power_of_two = 1, .source = "the same with force_pow_2_scales" },
    { "tile-te-128x128", &fpx_e4m3, .block = { 128, 128 }, .rule = FPX_RULE_TILE_TE, ONE_NAN,
      .source = "the same: weights" },
    { "tensor-te", &fpx_e4m3, .block = { 0, 0 }, .rule = FPX_RULE_TILE_TE, ONE_NAN,
      .source = "the same for a whole tensor: current scaling" },
    { "row-te", &fpx_e4m3, .block = { 1, 0 }, .rule = FPX_RULE_TILE_TE, ONE_NAN,
      .source = "the same for each row" },
    { "column-te", &fpx_e4m3, .block = { 0, 1 }, .rule = FPX_RULE_TILE_TE, ONE_NAN,
      .source = "the same for each column" },
    { "deepseek-v3", &fpx_e4m3, .block = { 1, 128 }, .rule = FPX_RULE_TILE_DIVIDE, ONE_NAN,
      .amax_nan = FPX_AMAX_IGNORES, .amax_floor = 1e-4f,
      .source =
          "DeepSeek-V3 inference/kernel.py act_quant (there with Triton's approximate division)" },
    { "deepgemm", &fpx_e4m3, .block = { 1, 128 }, .rule = FPX_RULE_TILE_RECIPROCAL, ONE_NAN,
      .amax_floor = 1e-4f, .source = "DeepGEMM deep_gemm/utils/math.py per_token_cast_to_fp8" },
    { "fp4-ms-amp-row", &fpx_e2m1, .block = { 1, 0 }, .rule = FPX_RULE_TILE_TE, .ms_amp = 1,
      .source = "MS-AMP operators/fp4_quantize/fp4_quantize.py, format e2m1, token_wise" },
    { "fp4-ms-amp-column", &fpx_e2m1, .block = { 0, 1 }, .rule = FPX_RULE_TILE_TE, .ms_amp = 1,
      .source = "the same, channel_wise" },
    { "fp4-ms-amp-tensor", &fpx_e2m1, .block = { 0, 0 }, .rule = FPX_RULE_TILE_TE, .ms_amp = 1,
      .source = "the same, of the whole tensor" },
};

enum { PROFILES = sizeof profiles / sizeof profiles[0] };

static fpx_blocking blocking_of(const profile *p)
{
    fpx_blocking b = { .element = { .round = p->ties_to_zero ? FPX_RNA : FPX_RNE,
                                    .overflow = FPX_SATFINITE,
                                    .nan = p->nan },
                       .block = { p->block[0], p->block[1] },
                       .rule = p->rule,
                       .amax_nan = p->amax_nan,
                       .mx_exponent = p->mx_exponent,
                       .mx_inf = p->mx_inf,
                       .power_of_two = p->power_of_two,
                       .error = p->error,
                       .drops_negative_zero = p->drops_negative_zero,
                       .ties_to_zero = p->ties_to_zero,
                       .ms_amp = p->ms_amp,
                       .bound = p->bound,
                       .amax_floor = p->amax_floor };

    memcpy(b.name, p->name, strlen(p->name)); /* shorter than the field, which is zero */
    b.element.format = *p->format;
    return b;
}

fpx_status fpx_blocking_at(size_t index, fpx_blocking *ret_blocking, const char **ret_source)
{
    if (index >= PROFILES)
        return FPX_EINVAL;
    *ret_blocking = blocking_of(&profiles[index]);
    *ret_source = profiles[index].source;
    return FPX_OK;
}

fpx_status fpx_blocking_find(const char *name, fpx_blocking *ret_blocking)
{
    for (size_t i = 0; i < PROFILES; i++) {
        if (strcmp(profiles[i].name, name) == 0) {
            *ret_blocking = blocking_of(&profiles[i]);
            return FPX_OK;
        }
    }
    return FPX_EINVAL;
}
